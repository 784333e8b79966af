"""The conformance matrix: groups of cases by implementation, and why something did not pass."""

from collections import Counter
from typing import NamedTuple

from reports.charts.conformance.outcomes import MISSING, NOT_ASKED, SYMBOLS, WORDS, largest, ulp_words
from reports.charts.conformance.reasons import Reason, cut, reasons
from reports.charts.conformance.sheets import Sheet, sheets
from reports.results import Results
from reports.sources.conformance import Adapter, Conformance
from reports.sources.conformance_results import Case

MOST = 100
"""Reasons that are shown; an implementation that fails everywhere may have thousands."""


class Tally(NamedTuple):
    """What one adapter did with one group of cases; its worst outcome stands for all."""

    outcome: str
    symbol: str
    words: str
    quantities: list[str]


class Group(NamedTuple):
    """The cases of one file, type and dtype."""

    file: str
    kind: str
    tallies: list[Tally]


class Broken(NamedTuple):
    """An adapter that could not be tested, or not to the end: what happened, and its error."""

    adapter: str
    what: str
    error: str


class Matrix(NamedTuple):
    """All that the chapter's text shows of one file of results.

    Attributes:
        sheet: the file.
        groups: what passed.
        broken: adapters that could not be tested to the end.
        unusable: why vector files could not be used.
        reasons: why something did not pass.
        shortened: whether there are more reasons than these.
    """

    sheet: Sheet
    groups: list[Group]
    broken: list[Broken]
    unusable: list[str]
    reasons: list[Reason]
    shortened: bool


def matrices(results: Results) -> list[Matrix] | None:
    """A matrix for each file of conformance results."""
    return [_matrix(sheet) for sheet in sheets(results)] or None


def _matrix(sheet: Sheet) -> Matrix:
    conformance = sheet.conformance
    every = reasons(conformance)
    tested = {result.adapter for result in conformance.results}
    broken = [
        Broken(one.name, "crashed and did not start again" if one.name in tested else "did not start", cut(one.error))
        for one in conformance.adapters
        if one.error
    ]
    unusable = [cut(reason) for reason in conformance.unusable]
    return Matrix(sheet, groups(conformance), broken, unusable, every[:MOST], len(every) > MOST)


def groups(conformance: Conformance) -> list[Group]:
    """Groups in the order of the results file."""
    cases: dict[tuple[str, str], list[Case]] = {}
    for case in conformance.by_case:
        cases.setdefault((case.file, " ".join(filter(None, (case.type, case.dtype)))), []).append(case)
    return [
        Group(file, kind, [_tally(conformance, adapter, own) for adapter in conformance.adapters])
        for (file, kind), own in cases.items()
    ]


def _tally(conformance: Conformance, adapter: Adapter, cases: list[Case]) -> Tally:
    results = [found[adapter.name] for case in cases if adapter.name in (found := conformance.by_case[case])]
    absent = sum(
        1 for case in cases if adapter.name not in conformance.by_case[case] and conformance.missing(case, adapter)
    )
    asked = len(results) + absent
    if not asked:
        return Tally(NOT_ASKED, SYMBOLS[NOT_ASKED], WORDS[NOT_ASKED], [])
    counts = Counter({MISSING: absent}) + Counter(result.outcome for result in results)
    others = [outcome for outcome in SYMBOLS if outcome != "pass" and counts[outcome]]
    worst = others[0] if others else "pass"
    unseen = sorted({quantity for result in results for quantity in result.not_reported})
    return Tally(
        worst,
        SYMBOLS[worst],
        ", ".join(
            [f"{counts['pass']} of {asked} pass", *(f"{counts[outcome]} {WORDS[outcome]}" for outcome in others)]
        ),
        [f"{name} {ulp_words(ulp)}" for name, ulp in largest(results).items()]
        + [f"{quantity} not reported" for quantity in unseen],
    )
