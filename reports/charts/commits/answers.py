"""What changed from commit to commit, in words."""

from reports.charts.commits.marked import magnitude, marks
from reports.charts.commits.steps import ENOUGH, Mark
from reports.charts.commits.words import named, percent, titled
from reports.figures import Answer
from reports.names import framework_label, listing, optimizer_label
from reports.results import Results
from reports.sources.asv_history import History, Series

LATELY = 20
"""The newest commits, whose changes are counted apart."""


def answers(results: Results) -> list[Answer]:
    """How many changes are marked on each machine, lately and in all, and the largest of the late ones."""
    return [Answer(_sentence(history, len(results.histories) > 1), "marked-changes") for history in results.histories]


def _sentence(history: History, several: bool) -> str:
    where = f" on {history.name}" if several else ""
    commits = len(history.commits)
    measured = sum(any(value is not None for value in series.values) for series in history.series)
    if commits < 3:
        return (
            f"Across commits{where}: {commits} {'commit was' if commits == 1 else 'commits were'} measured, too few to "
            "tell a change from noise."
        )
    found = marks(history)
    scope = f"Across {commits} commits{where}, in {measured} series of benchmarks, "
    caution = "" if commits >= ENOUGH else " In so few commits many changes are missed."
    if not found:
        return f"{scope}no change of 5 % or more is marked.{caution}"
    late = [item for item in found if item[1].at >= commits - LATELY]
    sentence = f"{scope}{_counted(found)} of 5 % or more {'is' if len(found) == 1 else 'are'} marked"
    if commits <= LATELY:
        late = found
    elif late:
        part = "all" if len(late) == len(found) else _counted(late)
        sentence += f", {part} of them in the newest {LATELY} commits"
    else:
        return f"{sentence}, none of them in the newest {LATELY} commits.{caution}"
    largest = [
        max(part, key=lambda item: magnitude(item[1]))
        for part in (
            [item for item in late if item[1].change > 0],
            [item for item in late if item[1].change < 0],
        )
        if part
    ]
    which = "It is" if len(found) == 1 else "The largest"
    return f"{sentence}. {which}: {listing([_described(history, *item) for item in largest])}.{caution}"


def _counted(found: list[tuple[Series, Mark]]) -> str:
    worse = sum(mark.change > 0 for _, mark in found)
    kinds = ((worse, "regression"), (len(found) - worse, "improvement"))
    return listing([f"{count} {word}{'' if count == 1 else 's'}" for count, word in kinds if count])


def _described(history: History, series: Series, mark: Mark) -> str:
    kind = "regression" if mark.change > 0 else "improvement"
    optimizer = f" of {optimizer_label(series.optimizer)}" if series.optimizer else ""
    once = ", on one commit so far" if mark.values == 1 else ""
    return (
        f"{kind} {percent(mark.change)} (level {mark.before:.3g} before, {mark.after:.3g} from there on), "
        f"{named(series)}{optimizer} in {framework_label(series.framework)}, beginning at "
        f"{titled(history.commits[mark.at])}{once}"
    )
