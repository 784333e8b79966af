"""Assembles the page: one HTML file that needs nothing beside it."""

import base64
import functools
import hashlib
import shlex
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import altair
import jinja2
import vl_convert
from markupsafe import Markup

from reports.charts import CHARTS, Chart, Figure
from reports.matrix import SYMBOLS, WORDS, matrix
from reports.names import framework_label
from reports.sources import (
    ASV_COMMAND,
    MISSING,
    AsvResults,
    Conformance,
    MissingBenchmarkError,
)
from reports.summary import summarize

TEMPLATES = Path(__file__).parent / "templates"


def render(results: AsvResults, conformance: Conformance, command: list[str], made: datetime) -> str:
    """The report as HTML.

    Args:
        results: the benchmark results.
        conformance: the conformance results.
        command: the command line that makes this report again.
        made: when it is made.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(framework_label=framework_label, day=_day, time=_time)
    script = _script()
    suite = ["python", "-m", "suite", "run", *(f"--adapter={name}" for name in conformance.adapters)]
    return environment.get_template("report.html").render(
        results=results,
        conformance=conformance,
        summary=summarize(results, conformance),
        groups=matrix(conformance),
        symbols=SYMBOLS,
        words=WORDS,
        figures=[(chart, _draw(chart, results)) for chart in CHARTS],
        reasons=MISSING,
        commands=[f"git checkout {results.commit}", ASV_COMMAND, shlex.join(suite), shlex.join(command)],
        made=made,
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _draw(chart: Chart, results: AsvResults) -> Figure:
    try:
        return chart.draw(results)
    except MissingBenchmarkError as error:
        return Figure(lead="", panels=[], tables=[], missing=[f"Everything is missing: {error}."])


@functools.cache
def _script() -> str:
    """Vega, Vega-Embed and the Vega-Lite that Altair writes for, with the page's own few lines."""
    version = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    if version not in vl_convert.get_vegalite_versions():
        raise RuntimeError(
            f"altair {altair.__version__} writes Vega-Lite {version}, which vl-convert-python "
            f"{metadata.version('vl-convert-python')} does not have. Install the versions in constraints.txt."
        )
    return vl_convert.javascript_bundle((TEMPLATES / "report.js").read_text(encoding="utf-8"), vl_version=version)


def _day(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d")


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
