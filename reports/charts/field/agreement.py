"""How far two implementations of one optimizer in one framework are apart, on the same inputs."""

import math
from collections.abc import Iterable

from reports.anchors import endings
from reports.charts.conformance.outcomes import ulp_words
from reports.charts.field.implementations import HOSTS, source_of
from reports.figures import Chart, Figure
from reports.names import FRAMEWORKS, OPTIMIZERS, VECTORS, framework_label, in_order, optimizer_label
from reports.results import Results
from reports.sources.agreement import Agreed, Agreement, Pair
from reports.sources.conformance import Adapter
from reports.tables import Cell, Table

COLUMNS = [
    "cases compared",
    "not compared",
    "bitwise equal",
    "largest distance, ulp",
    "largest relative distance",
    "where one is known to deviate",
]
NAMES = {vectors: name for name, vectors in VECTORS.items()}
"""What the suite's vectors call an optimizer, and what the report does."""


class TwoImplementations(Chart):
    """A table for each file."""

    def draw(self, results: Results) -> list[Figure]:
        """A figure for each file that holds a pair."""
        found = [one for one in results.agreements if one.pairs]
        return [_figure(one, ending) for one, ending in zip(found, endings([one.name for one in found]), strict=True)]


def _figure(agreement: Agreement, ending: str) -> Figure:
    names = in_order([NAMES.get(pair.optimizer, pair.optimizer) for pair in agreement.pairs], OPTIMIZERS)
    frameworks = in_order([_framework(pair) for pair in agreement.pairs], FRAMEWORKS)

    def place(pair: Pair) -> tuple[int, int]:
        return names.index(NAMES.get(pair.optimizer, pair.optimizer)), frameworks.index(_framework(pair))

    rows = [_row(pair) for pair in sorted(agreement.pairs, key=place)]
    return Figure(
        f"two-implementations{ending}",
        f"Two implementations of one rule in one framework{f': {agreement.name}' if ending else ''}",
        "Both took the steps of the same vectors, and their parameters were compared with one another after each step; "
        "what the vectors expect played no part. A case is a test in one dtype; one that either does not offer was not "
        "compared. Distances are the largest of a parameter over all steps: in units in the last place of the case's "
        "dtype, and in float32 and float64 relative to how far the tensor moved (in half precision a step may be one "
        "such unit). Cases in which one of the two is known to deviate from the vectors are not among these: they "
        "stand in the last column, with their largest relative distance and the reason.",
        tables=[
            Table("Agreement of two implementations", ["optimizer", "framework", "one", "the other", *COLUMNS], rows)
        ],
    )


def _framework(pair: Pair) -> str:
    return HOSTS.get(pair.framework, pair.framework)


def _row(pair: Pair) -> tuple[tuple[str, ...], list[Cell]]:
    compared = pair.compared
    plain = [case for case in compared if not case.reasons]
    deviating = [case for case in compared if case.reasons]
    absent = len(pair.cases) - len(compared)
    equal = sum(case.outcome == "equal" for case in compared)
    why = "" if plain else "only where one is known to deviate" if compared else "no case was compared"
    one, other = (_implementation(adapter) for adapter in pair.adapters)
    head = (
        optimizer_label(NAMES.get(pair.optimizer, pair.optimizer)),
        framework_label(_framework(pair)) or "any",
        one,
        other,
    )
    return head, [
        Cell(str(len(compared)), float(len(compared))),
        Cell(str(absent), float(absent)),
        Cell(str(equal), float(equal)) if compared else Cell("", None, "no case was compared"),
        _largest([case.ulp for case in plain], why),
        _largest(_relative(plain), why or "no parameter moved"),
        _known(deviating),
    ]


def _implementation(adapter: Adapter) -> str:
    library, version, _ = source_of(adapter)
    return f"{library} {version} ({adapter.name})"


def _largest(distances: Iterable[float | None], missing: str) -> Cell:
    seen = [value for value in distances if value is not None]
    if not seen:
        return Cell("", None, missing)
    largest = max(seen, key=lambda value: (math.isnan(value), value))
    return Cell(ulp_words(largest), largest)


def _relative(cases: list[Agreed]) -> list[float | None]:
    return [case.relative for case in cases if case.dtype not in ("bfloat16", "float16")]


def _known(cases: list[Agreed]) -> Cell:
    if not cases:
        return Cell("nowhere")
    reasons = dict.fromkeys(f"{adapter}: {reason}" for case in cases for adapter, reason in case.reasons)
    largest = _largest(_relative(cases), "no parameter moved")
    up_to = f", up to {largest.text} relative" if largest.text else ""
    count = f"{len(cases)} case{'s' if len(cases) > 1 else ''}"
    return Cell(f"{count}{up_to}. {' '.join(reasons)}", float(len(cases)))
