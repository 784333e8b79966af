"""Whether all implementations conform, in words with counts."""

from reports.charts.conformance.outcomes import BAD, WORDS, tally
from reports.charts.conformance.sheets import Sheet, sheets
from reports.figures import Answer
from reports.names import listing
from reports.provenance import warnings
from reports.results import Results
from reports.sources.conformance import Conformance

GOOD = ("pass", "expected-deviation", "skipped")


def answers(results: Results) -> list[Answer]:
    """A sentence for each file that holds the newest results of an implementation."""
    found = [
        Answer(_sentence(sheet), f"conformance-matrix{sheet.suffix}")
        for sheet in sheets(results)
        if not sheet.conformance.adapters or len(sheet.replaced) < len(sheet.conformance.adapters)
    ]
    return found + [Answer(warning, "provenance") for warning in warnings(results) if found]


def _sentence(sheet: Sheet) -> str:
    conformance = sheet.conformance
    at = f" at commit {conformance.commit[:8]}" if conformance.commit else ""
    of = f" ({conformance.name})" if sheet.title else ""
    if not conformance.results:
        errors = [f"{one.name} did not start" for one in conformance.adapters if one.error]
        return f"Whether the implementations conform{at}{of} is unknown: {listing(errors) or 'no case was run'}."
    tallies = {one.name: tally(conformance, one.name) for one in conformance.adapters}
    total = {outcome: sum(counts.get(outcome, 0) for counts in tallies.values()) for outcome in WORDS}
    cases, answered = len(conformance.by_case), sum(total.values())
    sentence = f"{_verdict(tallies, set(_started(conformance)))}{at}{of}. {cases:,} cases, {answered:,} answers: "
    sentence += f"{_counts(total, GOOD)}{'' if _counts(total, BAD) else '; none fails'}."
    if total["skipped"]:
        sentence += " What is skipped is what an implementation does not offer."
    gaps = conformance.untested()
    if unusable := len(conformance.unusable):
        gaps.append(f"{unusable} vector {'file' if unusable == 1 else 'files'} that could not be used")
    return sentence + (f" Not tested: {'; '.join(gaps)}." if gaps else "")


def _verdict(tallies: dict[str, dict[str, int]], started: set[str]) -> str:
    bad, deviating, good = [], [], []
    for name, counts in tallies.items():
        if found := _counts(counts, BAD) if name in started else "did not start":
            bad.append(f"{name} ({found})")
        elif not counts:
            bad.append(f"{name} (asked for no case)")
        elif expected := counts.get("expected-deviation"):
            deviating.append(f"{name} ({expected})")
        else:
            good.append(name)
    if len(good) == len(tallies):
        every = {1: "The one implementation tested conforms", 2: "Both implementations tested conform"}
        return every.get(len(good), f"All {len(good)} implementations tested conform")
    parts = [f"{len(good)} of {len(tallies)} implementations conform{'s' if len(good) == 1 else ''}"]
    parts += (
        [f"{len(deviating)} deviate only in cases where that is expected: {listing(deviating)}"] if deviating else []
    )
    parts += [f"{len(bad)} do not, or were not wholly tested: {listing(bad)}"] if bad else []
    return "; ".join(parts)


def _started(conformance: Conformance) -> list[str]:
    tested = {result.adapter for result in conformance.results}
    return [one.name for one in conformance.adapters if not one.error or one.name in tested]


def _counts(counts: dict[str, int], outcomes: tuple[str, ...]) -> str:
    return listing([f"{counts[outcome]:,} {WORDS[outcome]}" for outcome in outcomes if counts.get(outcome)])
