"""Known differences: tests that an implementation is expected to fail, each with its reason and a link.

They make a failure an ``expected-deviation``, and a pass a failure: a difference that has gone must leave the list.
"""

import fnmatch
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from suite.check import Outcome

DEVIATIONS = Path(__file__).parent / "deviations.json"


@dataclass(frozen=True)
class Deviation:
    """Tests that an adapter is expected to fail.

    Attributes:
        adapter: Name of the adapter.
        file: Name of the vector file.
        tests: Patterns of ids, as the shell's.
        dtypes: Dtypes in which they fail.
        reason: Why.
        link: Where that is said or decided.
    """

    adapter: str
    file: str
    tests: Sequence[str]
    dtypes: Sequence[str]
    reason: str
    link: str

    def covers(self, adapter: str, outcome: Outcome) -> bool:
        """Tell whether this outcome is one of them."""
        return (
            adapter == self.adapter
            and outcome.file == self.file
            and outcome.dtype in self.dtypes
            and any(fnmatch.fnmatchcase(outcome.id, pattern) for pattern in self.tests)
        )


def load(path: Path = DEVIATIONS) -> list[Deviation]:
    """Read the list.

    Raises:
        ValueError: The file is not of the form above.
    """
    try:
        return [Deviation(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
    except (TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: no list of deviations ({error}). See suite/README.md for its form.") from None


def find(deviations: list[Deviation], adapter: str, outcome: Outcome) -> Deviation | None:
    """The entry that covers this outcome of the adapter, if the list has one."""
    return next((deviation for deviation in deviations if deviation.covers(adapter, outcome)), None)


def apply(deviations: list[Deviation], adapter: str, outcome: Outcome) -> Outcome:
    """Turn an expected failure into an expected deviation, and an unexpected pass into a failure."""
    known = find(deviations, adapter, outcome)
    if known is None:
        return outcome
    if outcome.outcome == "fail":
        outcome.outcome = "expected-deviation"
        outcome.deviation = {"reason": known.reason, "link": known.link}
        outcome.message = f"{known.reason} ({known.link})\n{outcome.message}"
    elif outcome.outcome == "pass":
        outcome.outcome = "fail"
        outcome.message = f"passes, though it is listed as a deviation: {known.reason} Remove it from deviations.json."
    return outcome
