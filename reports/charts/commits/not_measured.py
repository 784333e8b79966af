"""What was tried on a commit and could not be measured, with the reason that was recorded."""

from reports.figures import Chart, Data, Field, Figure
from reports.results import Results

FIELDS = [
    Field("machine", "machine"),
    Field("commit", "commit"),
    Field("environment", "environment"),
    Field("benchmark", "benchmark"),
    Field("parameters", "parameters"),
    Field("reason", "reason"),
    Field("tried", "tried"),
]


class NotMeasured(Chart):
    """The problems of all machines."""

    def draw(self, results: Results) -> list[Figure]:
        rows: list[tuple[str | float | None, ...]] = [
            (
                history.name,
                problem.commit,
                problem.environment,
                problem.benchmark or "everything",
                "; ".join(problem.parameters),
                problem.reason,
                problem.when,
            )
            for history in results.histories
            for problem in history.problems
        ]
        if not rows:
            return []
        data = Data("not-measured-list", "Commits, environments and benchmarks without a value", FIELDS, rows)
        return [Figure("not-measured", "Could not be measured", data=[data])]
