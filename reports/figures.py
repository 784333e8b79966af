"""What the page shows of a chart: panels to draw, their numbers as tables or data, and what is missing."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import altair as alt

from reports.anchors import endings
from reports.names import look
from reports.results import Results
from reports.sources.asv_results import AsvResults, MissingBenchmarkError
from reports.tables import Table


class Panel(NamedTuple):
    """One drawing: its heading, what a screen reader says of it, and its Vega-Lite specification."""

    heading: str
    description: str
    spec: dict


class Key(NamedTuple):
    """One entry of the legend, drawn as a line (with its marker, if it has one)."""

    label: str
    colour: str
    dash: str = ""
    marker: str = ""
    width: float = 2
    opacity: float = 1


class Field(NamedTuple):
    """A column of `Data`: its name in the chart, in CSV and in JSON, and its heading, with the unit if it has one."""

    name: str
    title: str


@dataclass(frozen=True)
class Data:
    """Rows too many for a table in the page's text: the page shows them on demand, and a chart draws them by name.

    A panel draws them with `altair.NamedData(data.anchor)`; its encodings then need explicit types.

    Attributes:
        anchor: the name, unique on the page.
        caption: what the numbers are.
        fields: the columns, those that name the rows first.
        rows: one value per field: text, a finite number, or None where there is none.
    """

    anchor: str
    caption: str
    fields: list[Field]
    rows: list[tuple[str | float | None, ...]]


@dataclass(frozen=True)
class Figure:
    """All that the page shows of one chart.

    Attributes:
        anchor: what links to the figure end with; stays the same between versions, so that they last.
        title: the heading.
        lead: what is to be seen, in words and figures that come from the data.
        panels: the drawings.
        tables: every number that is drawn, where they are few enough to be read.
        data: every number that is drawn, where they are more.
        legend: what colours, dashes and markers mean.
        missing: what is not shown, and why.
    """

    anchor: str
    title: str
    lead: str = ""
    panels: list[Panel] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    data: list[Data] = field(default_factory=list)
    legend: list[Key] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class Chart(ABC):
    """Makes figures of one kind."""

    @abstractmethod
    def draw(self, results: Results) -> list[Figure]:
        """The figures that these results give: none where they hold nothing of the kind."""


class AsvChart(Chart):
    """Makes a figure of the newest commit of each machine that asv measured.

    Attributes:
        name: the figure's anchor.
        title: its heading.
    """

    name: str
    title: str

    def draw(self, results: Results) -> list[Figure]:
        names = [history.name for history in results.histories]
        figures = []
        for history, ending in zip(results.histories, endings(names), strict=True):
            try:
                figure = self.figure(history.newest)
            except MissingBenchmarkError as error:
                figure = Figure(self.name, self.title, missing=[f"Everything is missing: {error}."])
            if ending:
                figure = replace(figure, anchor=f"{self.name}{ending}", title=f"{self.title}: {history.name}")
            figures.append(figure)
        return figures

    @abstractmethod
    def figure(self, results: AsvResults) -> Figure:
        """Draws one commit on one machine.

        Raises:
            MissingBenchmarkError: asv has no such benchmark; the page shows the reason in the figure's place.
        """


class Answer(NamedTuple):
    """One finding, for the top of the page: a sentence only as strong as the data, and the anchor that shows it."""

    sentence: str
    anchor: str


class Chapter(NamedTuple):
    """A part of the page.

    Attributes:
        anchor: what links to it end with.
        title: the heading.
        absent: what the page says where the results hold nothing for it: what to run.
        charts: what makes its figures.
        answers: what it has to say at the top of the page.
        template: shows what is no figure, above the figures; in `templates/`.
        context: what that template needs, as its variable `own`; None where the results hold nothing for it.
    """

    anchor: str
    title: str
    absent: str
    charts: tuple[Chart, ...] = ()
    answers: Callable[[Results], list[Answer]] = lambda results: []
    template: str = ""
    context: Callable[[Results], Any] = lambda results: None


# `currentColor` lets text and grid follow the page between light and dark without a second drawing.
CONFIG = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "text": {"color": "currentColor"},
    "rule": {"color": "currentColor"},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "gridColor": "currentColor",
        "gridOpacity": 0.12,
        "domainColor": "currentColor",
        "domainOpacity": 0.4,
        "tickColor": "currentColor",
        "tickOpacity": 0.4,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 300,
    },
}

# Units as an axis shows them after an SI prefix; a unit that is not listed is written into the axis title alone.
SYMBOLS = {"seconds": "s", "bytes": "B"}


def panel(heading: str, description: str, chart: alt.TopLevelMixin) -> Panel:
    """Finishes a drawing: as wide as its place on the page, free of any address; `CONFIG` is on the page once."""
    # Not validated against the schema: that takes longer than the rest, and a browser test draws every chart.
    spec = chart.properties(width="container", description=f"{heading}. {description}").to_dict(validate=False)
    spec.pop("$schema")
    return Panel(heading, description, {**spec, "autosize": {"type": "fit-x", "contains": "padding"}})


def optimizer_scales(names: list[str]) -> tuple[alt.Scale, alt.Scale, alt.Scale]:
    """Colour, dash and marker of these optimizers, keyed by label."""
    looks = [look(name) for name in names]
    labels = [item.label for item in looks]
    return (
        alt.Scale(domain=labels, range=[item.colour for item in looks]),
        alt.Scale(domain=labels, range=[list(item.dash) or [1, 0] for item in looks]),
        alt.Scale(domain=labels, range=[item.marker for item in looks]),
    )


def legend(names: list[str], lines: bool) -> list[Key]:
    """The legend for these optimizers, drawn as lines or as markers."""
    looks = [look(name) for name in names]
    return [
        Key(
            item.label,
            item.colour,
            " ".join(map(str, item.dash)) if lines else "",
            "" if lines else item.marker,
        )
        for item in looks
    ]


def padded(values: Iterable[float], share: float = 0.05) -> list[float]:
    """The range of `values` with some room around it: one scale for panels that stand side by side."""
    ordered = sorted(values)
    low, high = ordered[0], ordered[-1]
    room = (high - low) * share or abs(high) * share or share
    return [low - room, high + room]
