"""The histories as the page carries them, compressed."""

import math

from reports.charts.commits.comparison import DEVIATIONS, FIRST, WORDS, judged
from reports.charts.commits.kept import kept, rounded
from reports.charts.commits.steps import THRESHOLD, Trend, trend
from reports.names import framework_label, look
from reports.packed import packed
from reports.sources.asv_history import Commit, History, Series
from reports.sources.asv_results import MISSING


def embedded(histories: tuple[History, ...]) -> str:
    """All histories, packed for `scripts/commits-1-shared.js`."""
    data = {
        "threshold": THRESHOLD,
        "deviations": DEVIATIONS,
        "verdicts": WORDS,
        "first": FIRST,
        "missing": MISSING,
        "optimizers": {
            name: look(name) for name in sorted({series.optimizer for item in histories for series in item.series})
        },
        "machines": [_machine(history) for history in histories],
    }
    return packed(data)


def _machine(history: History) -> dict:
    frameworks = sorted({series.framework for series in history.series})
    return {
        "name": history.name,
        "commits": [_commit(commit) for commit in history.commits],
        "frameworks": {name: framework_label(name) for name in frameworks},
        # Where the environment of a framework changed, a step may be the environment's.
        "environments": {name: _runs(names) for name, names in history.environments.items()},
        "series": [_series(series, trend(series.values)) for series in history.series],
    }


def _commit(commit: Commit) -> list[str]:
    return [commit.name, f"{commit.date:%Y-%m-%d %H:%M}", commit.subject, commit.link]


def _series(series: Series, found: Trend) -> dict:
    own = kept(series.values)
    return {
        "benchmark": series.benchmark,
        "unit": series.unit,
        "framework": series.framework,
        "parameters": series.parameters,
        "judged": judged(series),
        "digits": own.digits,
        "values": own.values,
        "missing": _runs([series.missing.get(number, "") for number in range(len(series.values))]),
        "levels": [[level.first, level.last, rounded(level.value, own.digits)] for level in found.levels],
        "marks": [
            [mark.at, mark.since, rounded(mark.before, own.digits), rounded(mark.after, own.digits), mark.values]
            for mark in found.marks
        ],
        "scatter": own.scatter,
        "jump": own.jump if math.isfinite(own.jump) else None,
    }


def _runs(names: tuple[str, ...] | list[str]) -> list[list]:
    """Each stretch of one text: where it begins, and the text; an empty text is said as well."""
    return [[number, name] for number, name in enumerate(names) if number == 0 or names[number - 1] != name]
