"""The validation loss at the end of the budget, and its paired difference from the baseline's."""

from collections.abc import Mapping

from reports.charts.convergence.intervals import begins_at_zero, cells, interval_panel
from reports.charts.convergence.naming import Named, named, percent
from reports.figures import Chart, Figure, Panel
from reports.intervals import NOTHING, Difference, Interval
from reports.names import optimizer_label
from reports.results import Results
from reports.sources.comparisons import Comparison
from reports.sources.standings import Standing
from reports.tables import Cell, Table, significant

END = 100.0


class FinalLoss(Chart):
    """How low each optimizer got, over seeds."""

    def draw(self, results: Results) -> list[Figure]:
        return [_figure(item) for item in named(results) if item.comparison.standings]


def _figure(item: Named) -> Figure:
    comparison = item.comparison
    base = optimizer_label(comparison.baseline)
    confidence = percent(100 * comparison.confidence)
    standings = {name: comparison.standings[name] for name in item.optimizers}
    axis = "" if begins_at_zero(map(final, standings.values())) else " The axis of the losses does not begin at 0."
    return Figure(
        f"final-loss-{item.slug}",
        f"Loss at the end: {item.title}",
        f"Validation loss after {comparison.budget:,} steps with each optimizer's best learning rate: mean over the "
        f"final seeds with Student's {confidence} interval. The differences from {base} are paired, as each seed gives "
        "all optimizers the same initial weights and batches; their intervals stand each for itself, p is of the "
        f"paired t-test after Holm's correction for all optimizers of this comparison.{axis}",
        _panels(comparison, standings),
        [_losses(comparison, standings), *_differences(comparison, standings)],
        legend=[],
        missing=[] if comparison.ended else ["The comparison has not ended, so all of this is provisional."],
    )


def final(standing: Standing) -> Interval:
    """The loss at the end of the budget."""
    return standing.loss.get(END, NOTHING)


def verdict(difference: Difference | None, others: int) -> str:
    """What a paired difference from the baseline's final loss shows, in words."""
    if difference is None or difference.interval.low is None or difference.interval.high is None:
        return "too few pairs to say"
    if difference.interval.low <= 0 <= difference.interval.high:
        return "no difference shown"
    word = "lower loss" if difference.interval.high < 0 else "higher loss"
    return f"{word}, but not shown among {others} comparisons" if difference.within_noise else word


def joint_tests(standings: Mapping[str, Standing]) -> int:
    """How many differences from the baseline were tested together, which is what Holm's correction is for."""
    return sum(standing.difference is not None and standing.difference.p is not None for standing in standings.values())


def absence(standing: Standing) -> str:
    """Why an optimizer has no loss at the end."""
    if not standing.seeds:
        return "no final trial yet" if standing.rate is None else "no final trial"
    counts = [
        f"{number} {outcome}" for outcome in ("diverged", "failed", "not ended") if (number := standing.count(outcome))
    ]
    return ", ".join(counts) or "not recorded"


def _panels(comparison: Comparison, standings: dict[str, Standing]) -> list[Panel]:
    rows = {name: (final(standing), absence(standing)) for name, standing in standings.items()}
    panels = [interval_panel("Loss at the end", f"validation loss ({comparison.unit})", rows)]
    compared = {name: standing for name, standing in standings.items() if name != comparison.baseline}
    if comparison.baseline in standings and any(standing.difference for standing in compared.values()):
        base = optimizer_label(comparison.baseline)
        differences = {
            name: (standing.difference.interval if standing.difference else NOTHING, absence(standing))
            for name, standing in compared.items()
        }
        panels.append(
            interval_panel(f"Difference from {base}", f"loss minus {base}'s ({comparison.unit})", differences, 0)
        )
    return panels


def _losses(comparison: Comparison, standings: dict[str, Standing]) -> Table:
    rows: list[tuple[tuple[str, ...], list[Cell]]] = []
    for name, standing in standings.items():
        rate = standing.rate
        counts = [float(standing.count(outcome)) for outcome in ("finished", "diverged", "failed", "not ended")]
        rows.append(
            (
                (optimizer_label(name),),
                [
                    Cell("", None, "none known") if rate is None else Cell(f"{rate:g}", rate),
                    *cells(final(standing), 4, absence(standing)),
                    *(Cell(f"{count:g}", count) for count in [float(len(standing.seeds)), *counts]),
                ],
            )
        )
    return Table(
        f"Validation loss at the end of the budget ({comparison.unit}): mean and interval over the seeds that finished",
        ["optimizer", "rate", "loss", "low", "high", "seeds", "finished", "diverged", "failed", "not ended"],
        rows,
    )


def _differences(comparison: Comparison, standings: dict[str, Standing]) -> list[Table]:
    compared = {name: standing for name, standing in standings.items() if name != comparison.baseline}
    base = optimizer_label(comparison.baseline)
    if not compared or comparison.baseline not in standings:
        return []
    rows: list[tuple[tuple[str, ...], list[Cell]]] = []
    for name, standing in compared.items():
        found = standing.difference or Difference(NOTHING, None, None)
        rows.append(
            (
                (optimizer_label(name), verdict(standing.difference, joint_tests(standings))),
                [
                    *cells(found.interval, 4, "no pair of seeds that both finished"),
                    Cell(str(found.interval.n), float(found.interval.n)),
                    *(
                        Cell("", None, "too few pairs") if p is None else Cell(significant(p), p)
                        for p in (found.p, found.p_holm)
                    ),
                ],
            )
        )
    columns = ["optimizer", "in words", "difference", "low", "high", "pairs", "p", "p, Holm"]
    return [Table(f"Difference of the final loss from {base}'s ({comparison.unit}), paired by seed", columns, rows)]
