"""What a chart is: it takes the results and gives panels to draw, their numbers as tables, and what is missing."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import altair as alt

from reports.names import look
from reports.sources import AsvResults
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


@dataclass(frozen=True)
class Figure:
    """All that the page shows of one chart."""

    lead: str
    panels: list[Panel]
    tables: list[Table]
    legend: list[Key] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class Chart(ABC):
    """One section of the page.

    Attributes:
        name: the section's anchor, which stays the same between versions so that links to it last.
        title: the section's heading.
    """

    name: str
    title: str

    @abstractmethod
    def draw(self, results: AsvResults) -> Figure:
        """Draws the results.

        Raises:
            MissingBenchmarkError: asv has no such benchmark; the page shows the reason in the chart's place.
        """


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
    """Finishes a drawing: as wide as its place on the page, in the page's style, free of any address."""
    spec = chart.properties(width="container", description=f"{heading}. {description}").to_dict()
    spec.pop("$schema")
    return Panel(heading, description, {**spec, "autosize": {"type": "fit-x", "contains": "padding"}, "config": CONFIG})


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
