"""The answers, first: one paragraph and one table, in words only as strong as the data."""

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from reports.charts import optimizer_state, step_time, validation_loss
from reports.matrix import WORDS, counts
from reports.names import framework_label, in_order, listing, optimizer_label
from reports.sources import CASE, AsvResults, Conformance, MissingBenchmarkError
from reports.tables import Cell, Table, decimals, derived, frameworks, number, optimizers, ratio_to_adamw

SUBJECT, BASELINE = "alphaadam", "adamw"


class Summary(NamedTuple):
    """The top of the page: the paragraph's sentences, the table beneath it, and what to beware of."""

    sentences: list[str]
    table: Table
    warnings: list[str]


class Answer(NamedTuple):
    """What one benchmark answers: a sentence, and its columns of the table."""

    sentence: str
    headers: list[str]
    cells: dict[str, list[Cell]]


def summarize(results: AsvResults, conformance: Conformance) -> Summary:
    """Says what was found: conformance, cost per step, state, final validation loss."""
    questions: list[tuple[str, Callable[[AsvResults], Answer]]] = [
        ("Step time", _step_time),
        ("Optimizer state", _state),
        ("Validation loss", _loss),
    ]
    answers = []
    for subject, answer in questions:
        try:
            answers.append(answer(results))
        except MissingBenchmarkError as error:
            answers.append(Answer(f"{subject} is missing: {error}.", [], {}))
    labels = {name: None for answer in answers for name in answer.cells}
    rows: list[tuple[tuple[str, ...], list[Cell]]] = [
        ((framework_label(name),), [cell for answer in answers for cell in answer.cells.get(name, [])])
        for name in labels
    ]
    headers = [header for answer in answers for header in answer.headers]
    return Summary(
        [_conformance(conformance), *(answer.sentence for answer in answers)],
        Table("The same by framework. ×: relative to the framework's AdamW", ["framework", *headers], rows),
        _warnings(results, conformance),
    )


def _conformance(conformance: Conformance) -> str:
    table, adapters = conformance.table, list(conformance.adapters)
    if table.empty or not adapters:
        return "Conformance is missing: the results file holds no results."
    passes = table[table["outcome"] == "pass"].groupby(CASE)["adapter"].nunique()
    total = len(table.drop_duplicates(CASE))
    everywhere = {1: "the only adapter", 2: "both adapters"}.get(len(adapters), f"all {len(adapters)} adapters")
    sentence = f"{int((passes == len(adapters)).sum())} of {total} conformance cases pass in {everywhere}"
    shortfalls = []
    for adapter in adapters:
        tally = counts(table[table["adapter"] == adapter])
        absent = total - sum(tally.values())
        others = [f"{count} {WORDS[outcome]}" for outcome, count in tally.items() if outcome != "pass"]
        others += [f"{absent} missing"] * (absent > 0)
        shortfalls += [f"{adapter} {listing(others)}"] if others else []
    return f"{sentence} ({', '.join(adapters)}){'; ' if shortfalls else ''}{'; '.join(shortfalls)}."


def _step_time(results: AsvResults) -> Answer:
    rows = results.select(step_time.RATIO, "optimizer", "shapes")
    rows = rows[rows["optimizer"] == SUBJECT].rename(columns={"value": "ratio"})
    sentence = f"One AlphaAdam step takes, relative to AdamW's, {_ranges(rows, decimals(2))}."
    return Answer(sentence, *_by_shapes(rows, "step time", decimals(2)))


def _state(results: AsvResults) -> Answer:
    rows = results.select(optimizer_state.BENCHMARK, "optimizer", "shapes")
    rows = rows.assign(ratio=ratio_to_adamw(rows, ["framework", "shapes"]))
    rows = rows[rows["optimizer"] == SUBJECT]
    if len(rows) and (rows["ratio"] == 1).all():
        sentence = "Its state takes exactly as many bytes as AdamW's in each of them."
    else:
        sentence = f"Its state takes, relative to AdamW's, {_ranges(rows, decimals(3))}."
    return Answer(sentence, *_by_shapes(rows, "state", decimals(3)))


def _ranges(rows: pd.DataFrame, text: Callable[[float], str]) -> str:
    """The smallest and largest ratio in each framework, such as "1.21× to 1.30× in PyTorch"."""
    parts = []
    for name in frameworks(rows):
        values = rows.loc[rows["framework"] == name, "ratio"]
        ends = list(dict.fromkeys(f"{text(value)}×" for value in (values.min(), values.max())))
        absent = int(values.isna().sum())
        if absent == len(values):
            parts.append(f"an unknown factor in {framework_label(name)} (missing)")
        else:
            gap = f" ({absent} of {len(values)} shapes missing)" if absent else ""
            parts.append(f"{' to '.join(ends)} in {framework_label(name)}{gap}")
    return listing(parts) or "an unknown factor (missing)"


def _by_shapes(rows: pd.DataFrame, what: str, text: Callable[[float], str]) -> tuple[list[str], dict[str, list[Cell]]]:
    shapes = in_order(rows["shapes"], ())
    cells = {
        name: [
            derived(row.ratio, lambda ratio: f"{text(ratio)}×", row.missing or "no AdamW")
            for row in rows[rows["framework"] == name].sort_values("shapes").itertuples()
        ]
        for name in frameworks(rows)
    }
    return [f"{what}\n{name}" for name in shapes], cells


def _loss(results: AsvResults) -> Answer:
    rows = results.select(validation_loss.BENCHMARK, "optimizer", "budget_percent")
    unit = results.units[validation_loss.BENCHMARK]
    last = rows["budget_percent"].max()
    final = {
        (row.framework, row.optimizer): number(row.value, row.missing, decimals(4))
        for row in rows[rows["budget_percent"] == last].itertuples()
    }
    comparisons = [
        _comparison(framework_label(name), final.get((name, SUBJECT)), final.get((name, BASELINE)))
        for name in frameworks(rows)
    ]
    sentence = (
        f"At {last} % of the step budget its validation loss ({unit}) is, compared with AdamW's, "
        f"{listing(comparisons)}. Each is one run with one seed, no interval: these differences do not show which "
        "optimizer is better."
    )
    names = optimizers(rows)
    headers = [f"loss at {last} %\n{optimizer_label(name)}" for name in names]
    return Answer(sentence, headers, {f: [final[f, name] for name in names] for f in frameworks(rows)})


def _comparison(framework: str, subject: Cell | None, baseline: Cell | None) -> str:
    if subject is None or baseline is None or subject.value is None or baseline.value is None:
        return f"unknown in {framework} (missing)"
    difference = subject.value - baseline.value
    if difference == 0:
        return f"equal in {framework}"
    return f"{abs(difference):.4f} {'higher (worse)' if difference > 0 else 'lower (better)'} in {framework}"


def _warnings(results: AsvResults, conformance: Conformance) -> list[str]:
    if conformance.commit is None:
        return ["The conformance results do not say which commit they are of."]
    if conformance.commit != results.commit:
        return [
            f"The conformance results are of commit {conformance.commit[:8]}, "
            f"the benchmarks of commit {results.commit[:8]}."
        ]
    return []
