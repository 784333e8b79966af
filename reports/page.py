"""Assembles the page: one HTML file that needs nothing beside it."""

import base64
import functools
import hashlib
from collections import Counter
from importlib import metadata
from pathlib import Path

import altair
import jinja2
import vl_convert
from markupsafe import Markup

from reports.charts import CHAPTERS
from reports.charts.conformance.matrix import SYMBOLS, WORDS
from reports.figures import CONFIG, Figure
from reports.names import framework_label
from reports.packed import packed
from reports.provenance import provenance
from reports.results import Results

TEMPLATES = Path(__file__).parent / "templates"


def render(results: Results, command: str, live: str = "") -> str:
    """The report as HTML: the same results and the same command give the same bytes.

    Args:
        results: What the report is made of.
        command: The command line that makes this report again.
        live: Where the page asks its server for newer results; a page in a file asks nobody.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(framework_label=framework_label)
    script = _script()
    chapters = [
        (chapter, chapter.context(results), [figure for chart in chapter.charts for figure in chart.draw(results)])
        for chapter in CHAPTERS
    ]
    figures = [figure for _, _, of_one in chapters for figure in of_one]
    _check_anchors(figures)
    return environment.get_template("report.html").render(
        chapters=chapters,
        answers=[(chapter, found) for chapter in CHAPTERS if (found := chapter.answers(results))],
        provenance=provenance(results),
        unread=results.unread,
        symbols=SYMBOLS,
        words=WORDS,
        command=command,
        live=live,
        chart_config=CONFIG,
        packed=packed(_for_scripts(figures)),
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _check_anchors(figures: list[Figure]) -> None:
    """Two figures of one anchor would make a link, a chart's data or a download ambiguous."""
    anchors = [anchor for figure in figures for anchor in (figure.anchor, *(item.anchor for item in figure.data))]
    repeated = sorted(anchor for anchor, count in Counter(anchors).items() if count > 1)
    if repeated:
        raise ValueError(f"anchors are not unique: {', '.join(repeated)}")


def _for_scripts(figures: list[Figure]) -> dict:
    """The specification of each chart by the name of its place, and the rows of all data by their anchor."""
    return {
        "charts": {
            f"{figure.anchor}--{number}": panel.spec
            for figure in figures
            for number, panel in enumerate(figure.panels, start=1)
        },
        "data": {
            data.anchor: {"caption": data.caption, "fields": data.fields, "rows": data.rows}
            for figure in figures
            for data in figure.data
        },
    }


@functools.cache
def _script() -> str:
    """Vega, Vega-Embed and the Vega-Lite that Altair writes for, with the page's own scripts."""
    version = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    if version not in vl_convert.get_vegalite_versions():
        raise RuntimeError(
            f"altair {altair.__version__} writes Vega-Lite {version}, which vl-convert-python "
            f"{metadata.version('vl-convert-python')} does not have. Install the versions in constraints.txt."
        )
    own = "\n".join(path.read_text(encoding="utf-8") for path in sorted((TEMPLATES / "scripts").glob("*.js")))
    return vl_convert.javascript_bundle(own, vl_version=version)
