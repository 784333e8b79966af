"""Steps and time until the target loss was reached."""

from reports.charts.convergence.final_loss import absence
from reports.charts.convergence.intervals import cells, interval_panel
from reports.charts.convergence.naming import Named, named, percent
from reports.figures import Chart, Figure
from reports.names import optimizer_label
from reports.results import Results
from reports.sources.comparisons import Comparison
from reports.sources.standings import Reach, Standing
from reports.tables import Cell, Table


class ToTarget(Chart):
    """How soon each optimizer reached the baseline's loss."""

    def draw(self, results: Results) -> list[Figure]:
        return [_figure(item) for item in named(results) if item.comparison.standings]


def _figure(item: Named) -> Figure:
    comparison = item.comparison
    anchor, title = f"to-target-{item.slug}", f"Steps and time to a target: {item.title}"
    base, target = optimizer_label(comparison.baseline), comparison.target
    if target.loss is None:
        yet = "" if comparison.ended else " yet"
        why = f"{base} was not part of the comparison" if comparison.ended else f"no trial of {base} is there"
        if comparison.baseline in comparison.standings:
            why = f"not all final trials of {base} got there"
        what = f"it is the median loss of {base} at {percent(target.percent)} of the budget"
        return Figure(anchor, title, missing=[f"There is no target{yet}: {what}, and {why}."])
    standings = {name: comparison.standings[name] for name in item.optimizers}
    steps = {name: (standing.to_target.interval, words(standing.to_target)) for name, standing in standings.items()}
    seconds = {name: (standing.seconds_to_target.interval, _timed(standing)) for name, standing in standings.items()}
    return Figure(
        anchor,
        title,
        f"The target is {target.loss:.4f} {comparison.unit}, the median validation loss of tuned {base} at "
        f"{percent(target.percent)} of its budget. Means over the final seeds with Student's "
        f"{percent(100 * comparison.confidence)} interval, read off the validations with a straight line between them. "
        "Where not every seed reached it there is no mean, because a mean over only those that did would look too "
        "good. Time is that of training alone; the trials of one optimizer ran together, at other times than those of "
        "the others and beside other trials: the intervals of seconds cover the seeds, not the state of the machine; "
        "compare steps rather than seconds.",
        [
            interval_panel("Steps to the target", f"steps (budget: {comparison.budget:,})", steps, digits=0),
            interval_panel("Time to the target", "seconds of training", seconds, digits=1),
        ],
        _tables(comparison, standings),
        missing=[] if comparison.ended else ["The comparison has not ended, so all of this is provisional."],
    )


def words(reach: Reach) -> str:
    """Why there is no mean of when a loss was reached."""
    return f"reached by {reach.reached} of {reach.of}" if reach.of else "no final trial"


def _timed(standing: Standing) -> str:
    if standing.to_target.reached > standing.seconds_to_target.reached:
        return "no record of the time"
    return words(standing.to_target)


def _tables(comparison: Comparison, standings: dict[str, Standing]) -> list[Table]:
    target: list[tuple[tuple[str, ...], list[Cell]]] = []
    final: list[tuple[tuple[str, ...], list[Cell]]] = []
    for name, standing in standings.items():
        times = cells(standing.seconds_to_target.interval, 1, _timed(standing))
        target.append(
            ((optimizer_label(name),), [*_reached(standing.to_target, standing), *times, *_counts(standing.to_target)])
        )
        final.append(
            ((optimizer_label(name),), [*_reached(standing.to_baseline, standing), *_counts(standing.to_baseline)])
        )
    unit, base = comparison.unit, optimizer_label(comparison.baseline)
    counted = ["reached it", "seeds"]
    columns = ["optimizer", "steps", "low", "high", "seconds", "low", "high", *counted]
    tables = [Table(f"Steps and seconds to the target, {comparison.target.loss:.4f} {unit}", columns, target)]
    if comparison.target.final is not None:
        caption = f"Steps to {base}'s own loss at the end (median), {comparison.target.final:.4f} {unit}"
        tables.append(Table(caption, ["optimizer", "steps", "low", "high", *counted], final))
    return tables


def _reached(reach: Reach, standing: Standing) -> list[Cell]:
    return cells(reach.interval, 0, words(reach) if reach.of else absence(standing))


def _counts(reach: Reach) -> list[Cell]:
    return [Cell(str(count), float(count)) for count in (reach.reached, reach.of)]
