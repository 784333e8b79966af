"""Everything that one report is made of."""

from dataclasses import dataclass
from typing import NamedTuple

from reports.sources.agreement import Agreement
from reports.sources.asv_history import History
from reports.sources.comparisons import Comparison
from reports.sources.conformance import Conformance
from reports.sources.costs import Costs
from reports.sources.gpu import Gpu
from reports.sources.power import Power
from reports.sources.speed import Speed


class Unread(NamedTuple):
    """A result file, or a part of one, that the report could not use: where it is, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Results:
    """What was found under the paths that a report was asked for; each kind in the order of its paths.

    Attributes:
        histories: asv's results, one history per results folder and machine.
        comparisons: what `python -m bench compare` wrote, one per folder.
        speeds: what `python -m bench speed` and `scaling` wrote, one per file.
        costs: what `python -m bench costs` wrote, one per file.
        gpus: what `python -m bench gpu` wrote, one per folder; the step times in it are among `speeds`.
        powers: what `python -m bench power` wrote.
        conformance: what `python -m suite run` wrote.
        agreements: what `python -m suite agree` wrote.
        unread: what could not be read, and why.
    """

    histories: tuple[History, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    speeds: tuple[Speed, ...] = ()
    costs: tuple[Costs, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    powers: tuple[Power, ...] = ()
    conformance: tuple[Conformance, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    unread: tuple[Unread, ...] = ()
