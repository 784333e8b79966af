"""How comparisons are told apart on the page: their anchors, titles and units."""

from typing import NamedTuple

from reports.anchors import slug, unique
from reports.figures import Key, legend
from reports.names import OPTIMIZERS, framework_label, in_order, look, optimizer_label
from reports.results import Results
from reports.sources.comparisons import Comparison
from reports.sources.fields import words


class Named(NamedTuple):
    """A comparison with the end of its figures' anchors, and what tells it from the others."""

    comparison: Comparison
    slug: str
    where: str

    @property
    def title(self) -> str:
        """The end of its figures' titles."""
        return self.where if self.comparison.ended else f"{self.where}, not ended"

    @property
    def optimizers(self) -> list[str]:
        """Its optimizers in the order of the page."""
        return in_order(self.comparison.standings, OPTIMIZERS)


def named(results: Results) -> list[Named]:
    """The comparisons; where two have the same task and framework, the later one has a number and its folder."""
    found = []
    taken: set[str] = set()
    for comparison in results.comparisons:
        base = slug(f"{comparison.task}-{comparison.framework}")
        end = unique(base, taken)
        where = f"{comparison.task}, {framework_label(comparison.framework)}"
        if end != base:
            where += f" ({words(comparison.folder.as_posix())})"
        found.append(Named(comparison, end, where))
    return found


def lines(names: list[str]) -> list[Key]:
    """The legend of lines with these optimizers' dashes."""
    return legend(names, lines=True)


def labels(names: list[str]) -> list[str]:
    """The optimizers as readers know them."""
    return [optimizer_label(name) for name in names]


def markers(names: list[str]) -> list[Key]:
    """The legend of points."""
    return [Key(item.label, item.colour, "", item.marker) for item in map(look, names)]


def percent(part: float) -> str:
    """A part of the budget, such as "80 %"."""
    return f"{part:g} %"
