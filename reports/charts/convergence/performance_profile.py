"""Performance profiles: on how many tasks an optimizer is how close to the best, where there are enough tasks."""

from collections.abc import Sequence

import altair as alt

from reports.anchors import slug, unique
from reports.charts.convergence.naming import lines
from reports.figures import Chart, Data, Field, Figure, optimizer_scales, panel
from reports.names import FRAMEWORKS, OPTIMIZERS, framework_label, in_order, listing, optimizer_label
from reports.results import Results
from reports.sources.comparisons import Comparison

LEAST_TASKS = 5
"""Of fewer tasks a profile would only be a list of them."""
FARTHEST = 4.0
"""The largest factor that is drawn, if none that was measured is larger."""


class PerformanceProfile(Chart):
    """The share of tasks on which an optimizer needs at most so many times the steps of the best one."""

    def draw(self, results: Results) -> list[Figure]:
        found = []
        frameworks: dict[str, dict[str, Comparison]] = {}
        for comparison in results.comparisons:
            if comparison.target.loss is not None:
                frameworks.setdefault(comparison.framework, {}).setdefault(comparison.task_digest, comparison)
        taken: set[str] = set()
        for name in in_order(frameworks, FRAMEWORKS):
            tasks = list(frameworks[name].values())
            if len(tasks) >= LEAST_TASKS:
                found.append(_figure(name, unique(f"performance-profile-{slug(name)}", taken), tasks))
        return found


def profile(tasks: Sequence[Comparison]) -> dict[str, list[float | None]]:
    """By optimizer that was run on every task: its mean steps to the target as a multiple of the task's fewest.

    None stands for a task on which not every seed reached the target.
    """
    everywhere = set.intersection(*(set(task.standings) for task in tasks))
    ratios: dict[str, list[float | None]] = {name: [] for name in in_order(everywhere, OPTIMIZERS)}
    for task in tasks:
        means = {name: task.standings[name].to_target.interval.mean for name in ratios}
        best = min((mean for mean in means.values() if mean), default=None)
        for name, mean in means.items():
            ratios[name].append(mean / best if mean and best else None)
    return ratios


def shares(ratios: Sequence[float | None], end: float) -> list[tuple[float, float]]:
    """The steps of a profile: (factor, share of tasks within it), from factor 1 to the end."""
    known = sorted(ratio for ratio in ratios if ratio is not None)
    corners = [(ratio, (index + 1) / len(ratios)) for index, ratio in enumerate(known)]
    start = sum(ratio == 1 for ratio in known) / len(ratios)
    return [(1.0, start), *(corner for corner in corners if corner[0] > 1), (end, len(known) / len(ratios))]


def _figure(framework: str, anchor: str, tasks: list[Comparison]) -> Figure:
    label = framework_label(framework)
    ratios = profile(tasks)
    partly = sorted({name for task in tasks for name in task.standings} - set(ratios))
    missing = [f"{optimizer_label(name)} is left out, as it was not run on every task." for name in partly]
    title = f"Performance profile: {label}"
    if not ratios:
        return Figure(anchor, title, missing=["No optimizer was run on every task.", *missing])
    known = [ratio for of_one in ratios.values() for ratio in of_one if ratio is not None]
    farthest = max([FARTHEST, *known])
    rows: list[tuple[str | float | None, ...]] = [
        (optimizer_label(name), factor, share)
        for name, of_one in ratios.items()
        for factor, share in shares(of_one, farthest)
    ]
    colour, dash, _ = optimizer_scales(list(ratios))
    fields = [
        Field("optimizer", "optimizer"),
        Field("factor", "times the fewest steps"),
        Field("share", "share of tasks within it"),
    ]
    data = Data(f"{anchor}--data", f"Performance profile, {label}", fields, rows)
    chart = (
        alt.Chart(alt.NamedData(data.anchor))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X(
                "factor:Q",
                title="times the fewest steps to the target",
                scale=alt.Scale(type="log", domain=[1, farthest], nice=False),
            ),
            y=alt.Y(
                "share:Q",
                title="share of tasks",
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format="%", tickCount=5),
            ),
            color=alt.Color("optimizer:N", scale=colour, legend=None),
            strokeDash=alt.StrokeDash("optimizer:N", scale=dash, legend=None),
        )
        .properties(height=260)
    )
    first = ", ".join(
        f"{optimizer_label(name)} {sum(ratio == 1 for ratio in of_one)}" for name, of_one in ratios.items()
    )
    described = f"Share of {len(tasks)} tasks against the factor; tasks on which an optimizer is the best: {first}."
    names = listing([task.task for task in tasks])
    return Figure(
        anchor,
        title,
        f"The share of {len(tasks)} tasks ({names}) on which an optimizer's mean steps to the target are at most so "
        "many times those of the task's best one. A line that lies higher is better; where not every seed reached the "
        "target, the task counts as not reached at any factor.",
        [panel("Steps to the target", described, chart)],
        data=[data],
        legend=lines(list(ratios)),
        missing=missing,
    )
