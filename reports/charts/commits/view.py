"""What the chapter's template shows: every series, and any two commits side by side."""

from typing import Any

from reports.charts.commits.comparison import DEVIATIONS
from reports.charts.commits.embed import embedded
from reports.charts.commits.steps import ENOUGH, THRESHOLD
from reports.names import listing
from reports.results import Results


def view(results: Results) -> dict[str, Any] | None:
    """The variables of `commits.html`."""
    if not results.histories:
        return None
    return {
        "histories": results.histories,
        "threshold": f"{100 * THRESHOLD:g}",
        "deviations": DEVIATIONS,
        "enough": ENOUGH,
        "short": listing([history.name for history in results.histories if len(history.commits) < ENOUGH]),
        "data": embedded(results.histories),
    }
