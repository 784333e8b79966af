"""The conformance matrix: every case by every adapter, grouped by file, type and dtype."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd

from reports.results import Results
from reports.sources.conformance import CASE, Conformance

GROUP = CASE[:-1]
SYMBOLS = {"pass": "✓", "fail": "✗", "error": "!", "skipped": "–", "expected-deviation": "≈"}
WORDS = {**{outcome: outcome for outcome in SYMBOLS}, "expected-deviation": "expected deviation"}


class Outcome(NamedTuple):
    """What one adapter did with one case; outcome is "missing" where the results do not say."""

    outcome: str
    symbol: str
    words: str
    quantities: list[str]
    message: str


class Tally(NamedTuple):
    """What one adapter did with one group of cases."""

    outcome: str
    symbol: str
    words: str
    quantities: list[str]


class Group(NamedTuple):
    """The cases of one file, type and dtype; `troubled` if any of them failed or is missing somewhere."""

    file: str
    kind: str
    tallies: list[Tally]
    cases: list[tuple[str, list[Outcome]]]
    troubled: bool


def matrices(results: Results) -> list[tuple[Conformance, list[Group]]] | None:
    """A matrix for each file of conformance results."""
    return [(conformance, matrix(conformance)) for conformance in results.conformance] or None


def matrix(conformance: Conformance) -> list[Group]:
    """Groups in the order of the results file."""
    adapters = list(conformance.adapters)
    return [
        _group(file, " ".join(filter(None, kind)), part, adapters)
        for (file, *kind), part in conformance.table.groupby(GROUP, sort=False)
    ]


def counts(table: pd.DataFrame) -> dict[str, int]:
    """How many results have each outcome, the pass first; outcomes that do not occur are left out."""
    tally = table["outcome"].value_counts()
    return {outcome: int(tally[outcome]) for outcome in SYMBOLS if outcome in tally}


def _group(file: str, kind: str, part: pd.DataFrame, adapters: list[str]) -> Group:
    results = {(row.id, row.adapter): row for row in part.itertuples()}
    ids = list(dict.fromkeys(part["id"]))
    tallies = [_tally(part[part["adapter"] == adapter], len(ids)) for adapter in adapters]
    cases = [(case, [_outcome(results.get((case, adapter))) for adapter in adapters]) for case in ids]
    cases.sort(key=lambda case: all(outcome.outcome == "pass" for outcome in case[1]))  # what needs a look comes first
    troubled = any(tally.outcome in ("fail", "error", "missing") for tally in tallies)
    return Group(file, kind, tallies, cases, troubled)


def _outcome(row: Any) -> Outcome:
    if row is None:
        return Outcome("missing", "?", "missing: not in the results", [], "")
    return Outcome(
        row.outcome,
        SYMBOLS[row.outcome],
        WORDS[row.outcome],
        _reported([row.largest_ulp], [row.not_reported]),
        row.message,
    )


def _tally(part: pd.DataFrame, cases: int) -> Tally:
    """The group's worst outcome stands for the group."""
    tally = counts(part)
    words = [f"{tally.get('pass', 0)} of {cases} pass"]
    words += [f"{number} {WORDS[outcome]}" for outcome, number in tally.items() if outcome != "pass"]
    if len(part) < cases:
        words.append(f"{cases - len(part)} missing")
    worst = [outcome for outcome in ("fail", "error", "expected-deviation", "skipped") if outcome in tally]
    outcome = worst[0] if worst else "pass" if len(part) == cases else "missing"
    return Tally(
        outcome, SYMBOLS.get(outcome, "?"), ", ".join(words), _reported(part["largest_ulp"], part["not_reported"])
    )


def _reported(ulps: Iterable[dict[str, float]], not_reported: Iterable[list[str]]) -> list[str]:
    """The largest distance of each quantity, such as "params 0.5", and what an adapter cannot observe."""
    seen: dict[str, list[float]] = {}
    for ulp in ulps:
        for quantity, value in ulp.items():
            seen.setdefault(quantity, []).append(value)
    # NaN comes out on top: it compares with nothing, and would vanish behind a small distance.
    largest = {name: max(values, key=lambda value: (math.isnan(value), value)) for name, values in seen.items()}
    unseen = sorted({quantity for quantities in not_reported for quantity in quantities})
    return [f"{quantity} {value:.3g}" for quantity, value in largest.items()] + [
        f"{quantity} not reported" for quantity in unseen
    ]
