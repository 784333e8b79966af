"""A page of few figures that hold a bit of everything, for tests of the page itself."""

import altair as alt
import pytest

from reports.figures import Answer, Chapter, Chart, Data, Field, Figure, Key, panel
from reports.page import render
from reports.results import Results
from reports.tables import Cell, Table

HOSTILE = '=HYPERLINK("x"),</script><img src=x onerror=alert(1)>'
# More rows than are shown at once; the values repeat no text form, and one is missing.
ROWS = [(f"row {number}", None if number == 7 else (number - 300) / 7, number) for number in range(600)]


class Given(Chart):
    """Figures that were made beforehand."""

    def __init__(self, *figures: Figure):
        self.figures = list(figures)

    def draw(self, results: Results) -> list[Figure]:
        return self.figures


def curve(color: str = "#0072b2", data: str = "rows") -> alt.Chart:
    """A line over `ROWS`, which the page holds under the name "rows"."""
    x, y = alt.X("number:Q", title="step"), alt.Y("value:Q", title="loss")
    return alt.Chart(alt.NamedData(data)).mark_line(color=color).encode(x, y).properties(height=200)


TABLE = Table(
    "Losses",
    ["optimizer", "seed", "loss\nnats", "steps"],
    [
        (("AdamW", "1"), [Cell("2.50", 2.5000000001), Cell("1,000", 1000.0)]),
        ((HOSTILE, "2"), [Cell("", None, "diverged"), Cell("90", 90.0)]),
        (("-Lion", "3"), [Cell("-1e-05", -1e-05), Cell("200", 200.0)]),
    ],
)
LONG_TABLE = Table(
    "Many", ["name", "value"], [((f"case {n}",), [Cell(str(n % 5), float(n % 5))]) for n in range(30)], True
)
FIGURES = [
    Figure(
        "losses",
        "Losses of all",
        "What is to be seen.",
        [panel("Loss", "It falls.", curve()), panel("Loss again", "It falls.", curve("#d55e00"))],
        [TABLE],
        [
            Data(
                "rows", "Every loss", [Field("name", "name"), Field("value", "loss (nats)"), Field("number", "n")], ROWS
            )
        ],
        [Key("AlphaAdam", "#0072b2"), Key("AdamW", "#d55e00", "6 3"), Key("Lion", "#cc78b4", "", "cross")],
        ["JAX: everything missing, not run."],
    ),
    *(Figure(f"more-{n}", f"More {n}", "", [panel("Loss", "It falls.", curve())]) for n in range(4)),
    Figure("folded", "Folded", tables=[LONG_TABLE]),
]
ANSWERS = [
    Answer("AlphaAdam needed 39 [31, 46] steps fewer than AdamW, over 5 seeds.", "losses"),
    Answer("So.", "numbers"),
]


def small_page(live: str = "", figures: list[Figure] = FIGURES, title: str = "Numbers") -> str:
    """The page, with one chapter beside an empty one."""
    chapters = (
        Chapter("numbers", title, "Nothing.", (Given(*figures),), lambda results: ANSWERS),
        Chapter("empty", "Empty", "No results were found. Make them with `python -m suite run`."),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("reports.page.CHAPTERS", chapters)
        return render(Results(), "python -m reports", live)
