"""Every case, as data that the page shows on demand."""

from reports.charts.conformance.outcomes import MISSING, NOT_ASKED, WORDS, ulp_words
from reports.charts.conformance.reasons import cause
from reports.charts.conformance.sheets import Sheet, sheets
from reports.figures import Chart, Data, Field, Figure
from reports.results import Results
from reports.sources.conformance import Adapter, Conformance
from reports.sources.conformance_results import Case, First, Result

Row = tuple[str | float | None, ...]

CASE = [Field("file", "file"), Field("type", "type"), Field("dtype", "dtype"), Field("case", "case")]
FIRST = [
    Field("step", "step"),
    Field("quantity", "quantity"),
    Field("tensor", "tensor"),
    Field("element", "element"),
    Field("expected", "expected"),
    Field("got", "got"),
    Field("ulp", "distance in ulp"),
    Field("tolerance", "tolerance in ulp"),
]
NOTHING = First("", "", "", "", "", "", None, None)


class Cases(Chart):
    """Two tables for each file: all cases by adapter, and what did not pass."""

    def draw(self, results: Results) -> list[Figure]:
        """A figure for each file that holds a result."""
        return [_figure(sheet) for sheet in sheets(results) if sheet.conformance.results]


def _figure(sheet: Sheet) -> Figure:
    conformance = sheet.conformance
    return Figure(
        f"conformance-cases{sheet.suffix}",
        f"Case by case{sheet.title}",
        "Search for an adapter, an outcome, a file, or a case: “torch skipped” in the first table shows what "
        "PyTorch does not offer.",
        data=[
            Data(
                f"conformance-not-passed{sheet.suffix}",
                "What did not pass, with the first difference",
                [Field("adapter", "adapter"), Field("outcome", "outcome"), *CASE, *FIRST, Field("reason", "reason")],
                _not_passed(conformance),
            ),
            Data(
                f"conformance-all-cases{sheet.suffix}",
                "All cases: outcome and largest distance in ulp",
                [
                    *CASE,
                    *(Field(f"{one.name} outcome", one.name) for one in conformance.adapters),
                    *(Field(f"{one.name} ulp", f"{one.name}, ulp") for one in conformance.adapters),
                ],
                [_row(conformance, case, results) for case, results in conformance.by_case.items()],
            ),
        ],
    )


def _not_passed(conformance: Conformance) -> list[Row]:
    rows: list[Row] = []
    for case, results in conformance.by_case.items():
        for adapter in conformance.adapters:
            result = results.get(adapter.name)
            if result is None:
                why = conformance.missing(case, adapter)
                rows += [(adapter.name, WORDS[MISSING], *case[:4], *_first(NOTHING), why)] if why else []
            elif result.outcome != "pass":
                first = _first(result.first or NOTHING)
                rows.append((adapter.name, WORDS[result.outcome], *case[:4], *first, cause(result)))
    return rows


def _first(first: First) -> Row:
    texts = (first.step, first.quantity, first.tensor, first.element, first.expected, first.actual)
    return (*texts, _distance(first.ulp), _distance(first.tolerance))


def _row(conformance: Conformance, case: Case, results: dict[str, Result]) -> Row:
    outcomes = [_outcome(conformance, case, adapter, results) for adapter in conformance.adapters]
    distances = [_largest(results.get(adapter.name)) for adapter in conformance.adapters]
    return (*case[:4], *outcomes, *distances)


def _outcome(conformance: Conformance, case: Case, adapter: Adapter, results: dict[str, Result]) -> str:
    if adapter.name in results:
        return WORDS[results[adapter.name].outcome]
    return WORDS[MISSING if conformance.missing(case, adapter) else NOT_ASKED]


def _largest(result: Result | None) -> str | float | None:
    distances = list(result.largest_ulp.values()) if result else []
    strange = [ulp for ulp in distances if not ulp < float("inf")]
    return _distance(strange[0] if strange else max(distances, default=None))


def _distance(ulp: float | None) -> str | float | None:
    """A number where it is one that JSON has, to three digits."""
    return None if ulp is None else float(f"{ulp:.3g}") if ulp < float("inf") else ulp_words(ulp)
