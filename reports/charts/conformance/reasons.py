"""Why something did not pass: cases of one cause together, each with a case to look into."""

import re
from typing import NamedTuple

from reports.charts.conformance.outcomes import MISSING, SYMBOLS, WORDS, ulp_words
from reports.sources.conformance import Conformance
from reports.sources.conformance_results import Case, First, Result

LONGEST = 4000
"""Characters of a message that are shown."""

# What fails names the quantity at its beginning in files that say it in words alone.
_QUANTITY = re.compile(r"step \d+ of \d+: (mask|m|v|alpha|params)\[")


class Reason(NamedTuple):
    """What has one cause.

    Attributes:
        outcome: of all of them.
        symbol: of the outcome.
        words: of the outcome.
        text: the cause.
        link: where it is said or decided; "" where nowhere.
        adapters: how many cases of each adapter.
        worst: the largest distance at a first difference, in words; "" where there is none.
        example: the first of them.
        difference: where the example first goes wrong, as pairs of words.
        message: what the suite said of the example.
    """

    outcome: str
    symbol: str
    words: str
    text: str
    link: str
    adapters: dict[str, int]
    worst: str
    example: str
    difference: list[tuple[str, str]]
    message: str


def reasons(conformance: Conformance) -> list[Reason]:
    """The worst outcomes first, of one outcome the most frequent cause first."""
    found: dict[tuple[str, str, str], list[tuple[Case, str, Result | None]]] = {}
    for case, results in conformance.by_case.items():
        for adapter in conformance.adapters:
            result = results.get(adapter.name)
            if result is None:
                why = conformance.missing(case, adapter)
                if why:
                    found.setdefault((MISSING, why, ""), []).append((case, adapter.name, None))
            elif result.outcome != "pass":
                found.setdefault((result.outcome, cause(result), result.link), []).append((case, adapter.name, result))
    order = list(SYMBOLS)
    ordered = sorted(found.items(), key=lambda item: (order.index(item[0][0]), -len(item[1])))
    return [_reason(*key, of) for key, of in ordered]


def cause(result: Result) -> str:
    """What results of one cause have in common."""
    if result.outcome == "fail":
        quantity = result.first.quantity if result.first else next(iter(_QUANTITY.findall(result.message)), "")
        return f"{quantity} differs first" if quantity else _line(result.message, 0)
    if result.outcome == "error":
        return _line(result.message, -1)  # of a traceback the exception itself
    return cut(result.reason, 300) or "no reason is given"


def differences(first: First) -> list[tuple[str, str]]:
    """Where a case first goes wrong, as pairs of words."""
    pairs = [
        ("step", first.step),
        ("tensor", f"{first.quantity}[{first.tensor}]"),
        ("element", first.element),
        ("expected", first.expected),
        ("got", first.actual),
        ("distance", "" if first.ulp is None else f"{ulp_words(first.ulp)} ulp"),
        ("tolerance", "" if first.tolerance is None else f"{ulp_words(first.tolerance)} ulp"),
    ]
    return [(what, value) for what, value in pairs if value]


def _reason(outcome: str, text: str, link: str, of: list[tuple[Case, str, Result | None]]) -> Reason:
    adapters: dict[str, int] = {}
    for _, adapter, _ in of:
        adapters[adapter] = adapters.get(adapter, 0) + 1
    distances = [result.first.ulp for _, _, result in of if result and result.first and result.first.ulp is not None]
    case, adapter, result = of[0]
    return Reason(
        outcome,
        SYMBOLS[outcome],
        WORDS[outcome],
        text,
        # A link of any other kind could run a script.
        link if link.startswith(("https://", "http://")) else "",
        adapters,
        ulp_words(max(distances)) if distances else "",
        ", ".join(filter(None, (adapter, case.file, case.type, case.dtype, case.id))),
        differences(result.first) if result and result.first else [],
        cut(result.message) if result and outcome != "skipped" else "",
    )


def _line(text: str, position: int) -> str:
    lines = text.split("\n") if position == 0 else text.strip().split("\n")
    return cut(lines[position].strip(), 300) or "no message is given"


def cut(text: str, length: int = LONGEST) -> str:
    """The beginning of a text that is too long for a page."""
    return text if len(text) <= length else f"{text[:length]} … ({len(text):,} characters)"
