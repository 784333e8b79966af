"""What the conformance results say, in one sentence for each file."""

from reports.charts.conformance.matrix import WORDS, counts
from reports.figures import Answer
from reports.names import listing
from reports.results import Results
from reports.sources.conformance import CASE, Conformance


def answers(results: Results) -> list[Answer]:
    """Whether all implementations conform."""
    return [Answer(_sentence(item), "conformance") for item in results.conformance]


def _sentence(conformance: Conformance) -> str:
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
