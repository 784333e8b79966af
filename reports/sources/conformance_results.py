"""What one implementation made of one case."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from reports.sources.fields import number, words
from reports.sources.grouped import Grouped

# The worse, the later: of two results of one case the worse one stands.
OUTCOMES = ("pass", "skipped", "expected-deviation", "error", "fail")
QUANTITIES = ("mask", "m", "v", "alpha", "params")
NON_FINITE = {"NaN": math.nan, "Infinity": math.inf}


class Case(NamedTuple):
    """What is asked: a test in one dtype ("" where it has none)."""

    file: str
    type: str
    dtype: str
    id: str
    optimizer: str


class First(NamedTuple):
    """Where a case first goes wrong, as far as the file says; text that says what is there."""

    step: str
    quantity: str
    tensor: str
    element: str
    expected: str
    actual: str
    ulp: float | None
    tolerance: float | None


@dataclass(frozen=True)
class Result:
    """One case with one adapter.

    Attributes:
        case: what was asked.
        adapter: who was asked.
        outcome: one of `OUTCOMES`.
        message: the first difference, the traceback or the reason, in words.
        largest_ulp: largest distance by quantity; NaN and infinity are possible.
        largest_relative: largest distance of a parameter, relative to how far its tensor was to move; None where the
            file does not say it.
        not_reported: quantities that the adapter cannot observe.
        first: where it first goes wrong; None where nothing differs, and where only the message says it.
        reason: of an expected deviation or of a skip; "" for other outcomes.
        link: where the reason of an expected deviation is said.
    """

    case: Case
    adapter: str
    outcome: str
    message: str
    largest_ulp: dict[str, float]
    largest_relative: float | None
    not_reported: tuple[str, ...]
    first: First | None
    reason: str
    link: str


def outcomes_of(records: list, grouped: Grouped) -> tuple[Result, ...]:
    """The results that can be used, one per case and adapter."""
    found: dict[tuple[Case, str], Result] = {}
    for place, record in enumerate(records):
        where = f"results[{place}]"
        result = _result(record, grouped, where)
        if result is None:
            continue
        key = (result.case, result.adapter)
        other = found.get(key)
        if other is not None:
            same = "the same once more" if other.outcome == result.outcome else "another outcome; the worse one stands"
            grouped.add(f"a second result of an adapter for one case, {same}", where)
            result = max(other, result, key=lambda one: OUTCOMES.index(one.outcome))
        found[key] = result
    return tuple(found.values())


def _result(record: object, grouped: Grouped, where: str) -> Result | None:
    if not isinstance(record, dict):
        grouped.add("left out, it is no object", where)
        return None
    named = {key: words(record.get(key)) for key in ("file", "type", "id", "adapter")}
    unnamed = [key for key, value in named.items() if not value]
    if unnamed:
        grouped.add(f"left out, it does not say its {', '.join(unnamed)}", where)
        return None
    outcome = record.get("outcome")
    if not isinstance(outcome, str) or outcome not in OUTCOMES:
        said = f"outcome {words(outcome)[:60]!r}" if isinstance(outcome, str) else "outcome"
        grouped.add(f"left out, its {said} is none of {', '.join(OUTCOMES)}", where)
        return None
    dtype = record.get("dtype")
    if dtype is not None and not isinstance(dtype, str):
        grouped.add("left out, its dtype is no name", where)
        return None
    case = Case(named["file"], named["type"], words(dtype), named["id"], words(record.get("optimizer")))
    message = words(record.get("message"))
    reason, link = _reason(outcome, record.get("deviation"), message)
    return Result(
        case=case,
        adapter=named["adapter"],
        outcome=outcome,
        message=message,
        largest_ulp=_distances(record.get("largestUlp"), grouped, where),
        largest_relative=_relative(record.get("largestRelative"), grouped, where),
        not_reported=_not_reported(record.get("notReported", []), grouped, where),
        first=_first(record.get("firstDifference"), grouped, where),
        reason=reason,
        link=link,
    )


def _reason(outcome: str, deviation: object, message: str) -> tuple[str, str]:
    if outcome == "skipped":
        return message, ""
    if outcome == "expected-deviation":
        if isinstance(deviation, dict):
            return words(deviation.get("reason")), words(deviation.get("link"))
        return message.partition("\n")[0], ""  # in files of the first version reason and link begin the message
    return "", ""


def _relative(value: object, grouped: Grouped, where: str) -> float | None:
    if value is None:
        return None
    found = distance(value)
    if found is None:
        grouped.add("its largest relative distance is left out, it is no distance", where)
    return found


def _distances(value: object, grouped: Grouped, where: str) -> dict[str, float]:
    if not isinstance(value, dict):
        grouped.add("its largest distances are missing", where)
        return {}
    distances = {}
    for name, found in value.items():
        ulp = distance(found)
        if name not in QUANTITIES or ulp is None:
            grouped.add("one of its largest distances is left out, it is no distance of a known quantity", where)
        else:
            distances[name] = ulp
    return distances


def distance(value: object) -> float | None:
    """A number that is not negative, infinite or NaN too, or None for anything else."""
    if isinstance(value, str):
        return NON_FINITE.get(value)
    if isinstance(value, float) and not math.isfinite(value):
        return abs(value)
    found = number(value)
    return found if found is not None and found >= 0 else None


def _not_reported(value: object, grouped: Grouped, where: str) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(name, str) and name in QUANTITIES for name in value):
        return tuple(value)
    grouped.add("what it does not report is no list of known quantities", where)
    return ()


def _first(value: object, grouped: Grouped, where: str) -> First | None:
    if value is None:
        return None
    if not isinstance(value, dict) or value.get("quantity") not in QUANTITIES:
        grouped.add("its first difference is left out, it names no known quantity", where)
        return None
    step, of = _text(value.get("step")), _text(value.get("steps"))
    return First(
        step=f"{step} of {of}" if step and of else step,
        quantity=value["quantity"],
        tensor=_text(value.get("tensor")),
        element=_text(value.get("element")),
        expected=_text(value.get("expected")),
        actual=_text(value.get("actual")),
        ulp=distance(value.get("ulp")),
        tolerance=distance(value.get("tolerance")),
    )


def _text(value: object) -> str:
    """A number, a name or a list of numbers as short text; "" for what is none of these."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return words(value)[:100]
    if isinstance(value, list) and all(isinstance(item, int) for item in value):
        return str(value)[:100]
    return str(value)[:100] if isinstance(value, int | float) else ""
