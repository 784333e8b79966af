"""The implementations of each optimizer in each framework: source, vectors, cost and loss, side by side."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reports.anchors import slug
from reports.charts.conformance.outcomes import largest, ulp_words
from reports.figures import Chart, Figure
from reports.names import FRAMEWORKS, OPTIMIZERS, SETTINGS, VECTORS, framework_label, in_order, optimizer_label
from reports.results import Results
from reports.sources.comparisons import Comparison
from reports.sources.conformance import Adapter, Conformance
from reports.sources.conformance_results import Result
from reports.sources.costs import Cost, Costs
from reports.sources.standings import Standing
from reports.tables import Cell, Table, decimals, number

COLUMNS = [
    "vectors passed",
    "deviate",
    "largest distance, ulp",
    "largest relative distance",
    "state, bytes per parameter",
    "step time, × AdamW",
    "loss at the end",
    "takes",
]
HOSTS = {"keras": "keras", "optax": "jax", "jax": "jax", "torch": "torch"}
"""What an adapter runs on, by the first of these that it names a version of."""

BACKENDS = frozenset({"jax", "tensorflow", "torch"})
"""Names of libraries; Keras runs on one of them, and its costs are of that one alone."""

OURS = "alphaadam"


class Implementation(NamedTuple):
    """One implementation of an optimizer in a framework.

    Attributes:
        source: the library and its version, in words.
        measured: whether costs and losses are of this one.
        results: of the vectors of this optimizer.
    """

    source: str
    measured: bool
    results: tuple[Result, ...]


class Field(Chart):
    """A table for each task whose costs were measured."""

    def draw(self, results: Results) -> list[Figure]:
        """A figure for each such task."""
        return [_figure(task, results) for task in dict.fromkeys(costs.task for costs in results.costs)]


def _figure(task: str, results: Results) -> Figure:
    costs = {one.framework: one for one in results.costs if one.task == task}
    comparisons = [one for one in results.comparisons if one.task == task]
    names = in_order(
        [name for one in costs.values() for name in one.optimizers] + [n for one in comparisons for n in one.standings],
        OPTIMIZERS,
    )
    frameworks = in_order([*costs, *(one.framework for one in comparisons)], FRAMEWORKS)
    rows = [row for name in names for row in _rows(name, frameworks, costs, comparisons, results.conformance)]
    unit = comparisons[0].unit if comparisons else "nats"
    return Figure(
        f"field-{slug(task)}",
        f"Every optimizer in every framework: {task}",
        "One row for each implementation that was checked or measured. “Vectors passed” are tests of the optimizer's "
        "own vectors that were neither skipped nor of invalid hyperparameters, for AdamW+SM and AdamW+AM those of "
        "AlphaAdam with this setting; where a library differs from the "
        "published rule on purpose or by mistake, the tests that show it “deviate”. The relative distance is that of "
        "a parameter from where the vectors say, by how far it was to go, over all tests in float32; ∞ where it should "
        "not have gone at all. State, step time and loss are of one implementation for each framework: its own AdamW, "
        "SGD, Lion and Muon (in PyTorch lion-pytorch's Lion), and ours of all others, so that one rule is compared "
        "everywhere. State and time are of the task's "
        "tensors, the time as a multiple of the same framework's AdamW (quartiles in brackets), Sophia's without the "
        "backward pass that estimates the curvature (Gauss-Newton-Bartlett), 1-bit Adam's of one worker after the "
        f"freeze. The loss is the mean over final seeds, in {unit}, with its 95 % interval and their number. An empty "
        "cell says why it is empty.",
        tables=[Table(f"Implementations, {task}", ["optimizer", "framework", "implementation", *COLUMNS], rows)],
    )


def _rows(
    name: str,
    frameworks: Iterable[str],
    costs: dict[str, Costs],
    comparisons: list[Comparison],
    conformance: tuple[Conformance, ...],
) -> Iterator[tuple[tuple[str, ...], list[Cell]]]:
    for framework in frameworks:
        cost = costs[framework].optimizers.get(name) if framework in costs else None
        standing = _standing(name, framework, comparisons)
        found = _implementations(name, framework, costs.get(framework), conformance)
        for implementation in found or [Implementation("none", True, ())]:
            head = (optimizer_label(name), framework_label(framework), implementation.source)
            measured = implementation.measured
            yield head, [*_checked(implementation), *_measured(cost, standing, measured)]


def _implementations(
    name: str, framework: str, costs: Costs | None, conformance: tuple[Conformance, ...]
) -> list[Implementation]:
    """Those that vectors were run against, that which was measured first."""
    cost = costs.optimizers.get(name) if costs else None
    backends = BACKENDS.intersection(costs.libraries) if costs else frozenset()
    setting = SETTINGS.get(name)
    vectors = VECTORS["alphaadam"] if setting else VECTORS.get(name)
    found: list[Implementation] = []
    seen = set()
    for one in conformance:
        for adapter in one.adapters:
            if not vectors or adapter.optimizers is None or vectors not in adapter.optimizers:
                continue
            library, version, host = source_of(adapter)
            if HOSTS.get(host) != framework or adapter.name in seen:
                continue
            seen.add(adapter.name)
            own = tuple(
                result
                for result in one.results
                if (result.adapter, result.case.optimizer) == (adapter.name, vectors)
                and (not setting or result.case.id.startswith(f"{setting}/"))
            )
            elsewhere = backends and not backends.intersection(adapter.versions)  # Keras is measured on one backend
            measured = not elsewhere and library == (cost.library if cost and not cost.missing else OURS)
            found.append(Implementation(f"{library} {version} ({adapter.name})", measured, own))
    if not any(one.measured for one in found):
        if cost and not cost.missing:
            found.insert(0, Implementation(f"{cost.library} {cost.version}", True, ()))
        elif found:  # nothing says which; the benchmark has the framework's own
            found[0] = found[0]._replace(measured=True)
    return sorted(found, key=lambda one: not one.measured)


def source_of(adapter: Adapter) -> tuple[str, str, str]:
    """Library, version and what it runs on, by the versions that an adapter names."""
    host = next((one for one in HOSTS if one in adapter.versions), "")
    others = [one for one in adapter.versions if one not in HOSTS and one not in ("tensorflow", "tensorflow-cpu")]
    library = others[0] if others else host
    return library, adapter.versions.get(library, ""), host


def _checked(implementation: Implementation) -> list[Cell]:
    asked = [one for one in implementation.results if one.outcome != "skipped" and one.case.dtype]
    if not asked:
        return [Cell("", None, "no vectors were run")] * 4
    passed = sum(one.outcome == "pass" for one in asked)
    deviating = len(asked) - passed
    ulp = largest(one for one in asked if one.outcome == "pass").get("params")
    relative = [
        one.largest_relative for one in asked if one.largest_relative is not None and one.case.dtype == "float32"
    ]
    return [
        Cell(f"{passed} of {len(asked)}", float(passed)),
        Cell(str(deviating), float(deviating)),
        Cell("", None, "none passed") if ulp is None else Cell(ulp_words(ulp), ulp),
        number(max(relative, default=0.0), "" if relative else "not in the file", _relative_words),
    ]


def _relative_words(value: float) -> str:
    return "∞" if math.isinf(value) else f"{value:.1e}"


def _measured(cost: Cost | None, standing: Standing | None, measured: bool) -> list[Cell]:
    if not measured:
        return [Cell("", None, "only its vectors were run")] * 4
    if cost is None or cost.missing or cost.ratio is None:
        reason = cost.missing if cost else "not measured"
        figures = [Cell("", None, reason)] * 2
    else:
        lower, median, upper = cost.ratio
        figures = [
            number(cost.state_bytes or 0.0, "", decimals(2)),
            Cell(f"{median:.2f} ({lower:.2f} to {upper:.2f})", median),
        ]
    return [
        *figures,
        _loss(standing),
        Cell(cost.takes if cost else "", None, "" if cost and cost.takes else "not said"),
    ]


def _loss(standing: Standing | None) -> Cell:
    interval = standing.loss.get(100) if standing else None
    if standing is None or interval is None or interval.mean is None:
        return Cell("", None, "no final seeds" if standing else "not trained")
    if diverged := len(standing.seeds) - interval.n:
        return Cell(f"{interval.mean:.4f} (n = {interval.n}; {diverged} did not finish)", interval.mean)
    if interval.low is None or interval.high is None:
        return Cell(f"{interval.mean:.4f} (n = {interval.n})", interval.mean)
    return Cell(f"{interval.mean:.4f} ({interval.low:.4f} to {interval.high:.4f}; n = {interval.n})", interval.mean)


def _standing(name: str, framework: str, comparisons: list[Comparison]) -> Standing | None:
    """Of several comparisons on this task, that with most final seeds of this optimizer."""
    found = [one.standings[name] for one in comparisons if one.framework == framework and name in one.standings]
    return max(found, key=lambda standing: len(standing.seeds), default=None)
