"""The ablation in the form of the AlphaAdam paper, beside the paper's own figures."""

import altair as alt

from reports.charts.convergence.naming import Named, named, percent
from reports.figures import Chart, Figure, Key, Panel, panel
from reports.intervals import NOTHING
from reports.names import look
from reports.results import Results
from reports.sources.comparisons import Comparison
from reports.tables import Cell, Table

# Optimizers of a comparison under the paper's names, and its validation losses at each part of the budget: table 3 of
# arXiv 2501.18094, GPT-2 of 125 million parameters, 10,000 steps.
FORMS = {"adamw": "AdamW", "adamw-sm": "+SM", "adamw-am": "+AM", "alphaadam": "+AM+α"}
PERCENTS = (20.0, 40.0, 60.0, 100.0)
PAPER = {
    "adamw": (3.799, 3.420, 3.288, 3.198),
    "adamw-sm": (3.850, 3.442, 3.310, 3.227),
    "adamw-am": (3.717, 3.391, 3.282, 3.213),
    "alphaadam": (3.658, 3.374, 3.271, 3.203),
}
THE_PAPER = "the paper: GPT-2 125M"
BASELINE = "adamw"
LEAST = 1e-6
"""A smaller loss is a mistake, and nothing is a percentage of it."""

Losses = dict[str, dict[float, float]]


class Ablation(Chart):
    """Synchronous mask, asynchronous mask, asynchronous mask with alpha: each beside AdamW."""

    def draw(self, results: Results) -> list[Figure]:
        return [_figure(item) for item in named(results) if set(item.comparison.standings) & (set(FORMS) - {BASELINE})]


def _figure(item: Named) -> Figure:
    comparison = item.comparison
    ours: Losses = {
        name: {
            part: mean
            for part in PERCENTS
            if (mean := comparison.standings[name].loss.get(part, NOTHING).mean) is not None
        }
        for name in FORMS
        if name in comparison.standings
    }
    paper: Losses = {name: dict(zip(PERCENTS, losses, strict=True)) for name, losses in PAPER.items()}
    here = f"here: {comparison.task}"
    domain = _domain([_relative(ours), _relative(paper)])
    panels = [
        _panel(heading, relative, domain)
        for heading, relative in ((here, _relative(ours)), (THE_PAPER, _relative(paper)))
        if relative
    ]
    absent = [f"{FORMS[name]} was not run here ({name})." for name in FORMS if name not in comparison.standings]
    return Figure(
        f"ablation-{item.slug}",
        f"The paper's ablation: {item.title}",
        "SM is the synchronous mask, AM the asynchronous one, both with α = 1; +AM+α is AlphaAdam. The paper's figures "
        "are of another model, other data and another budget, so only the signs and the course of the differences "
        "from AdamW can be laid beside ours, not the losses. Ours are means over the final seeds; whether they differ "
        f"by more than noise is said under the loss at the end. Unit: {comparison.unit} here, nats per token there.",
        panels,
        [_table(comparison, here, ours, paper)],
        legend=[
            Key(FORMS[name], look(name).colour, " ".join(map(str, look(name).dash)))
            for name in FORMS
            if name != BASELINE
        ],
        missing=absent,
    )


def _relative(losses: Losses) -> Losses:
    """By optimizer and part of the budget, how many percent its loss lies above AdamW's."""
    base = losses.get(BASELINE, {})
    relative = {
        name: {part: 100 * (loss / base[part] - 1) for part, loss in of_one.items() if base.get(part, 0) > LEAST}
        for name, of_one in losses.items()
        if name != BASELINE
    }
    return {name: of_one for name, of_one in relative.items() if of_one}


def _domain(drawn: list[Losses]) -> list[float]:
    values = [0.0, *(value for relative in drawn for of_one in relative.values() for value in of_one.values())]
    room = (max(values) - min(values)) * 0.06 or 0.1
    return [min(values) - room, max(values) + room]


def _panel(heading: str, relative: Losses, domain: list[float]) -> Panel:
    looks = [look(name) for name in relative]
    forms = [FORMS[name] for name in relative]
    rows = [
        {"form": FORMS[name], "percent": part, "relative": value}
        for name, of_one in relative.items()
        for part, value in of_one.items()
    ]
    title = "loss relative to AdamW's (%)"
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("percent:Q", title="part of the budget (%)", axis=alt.Axis(values=list(PERCENTS))),
        y=alt.Y("relative:Q", title=title, scale=alt.Scale(domain=domain, nice=False)),
        color=alt.Color("form:N", scale=alt.Scale(domain=forms, range=[item.colour for item in looks]), legend=None),
    )
    dashes = alt.Scale(domain=forms, range=[list(item.dash) or [1, 0] for item in looks])
    shapes = alt.Scale(domain=forms, range=[item.marker for item in looks])
    layers = [
        alt.Chart(alt.Data(values=[{"relative": 0}]))
        .mark_rule(strokeDash=[4, 4], opacity=0.7, aria=False)
        .encode(y=alt.Y("relative:Q", title=title)),
        base.mark_line(strokeWidth=1.8).encode(strokeDash=alt.StrokeDash("form:N", scale=dashes, legend=None)),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            shape=alt.Shape("form:N", scale=shapes, legend=None),
            tooltip=["form:N", "percent:Q", alt.Tooltip("relative:Q", title=title, format="+.2f")],
        ),
    ]
    ends = ", ".join(f"{FORMS[name]} {of_one[max(of_one)]:+.2f} %" for name, of_one in relative.items())
    described = f"Validation loss relative to AdamW's by part of the budget; at the last part: {ends}."
    return panel(heading[0].upper() + heading[1:], described, alt.layer(*layers).properties(height=220))


def _table(comparison: Comparison, here: str, ours: Losses, paper: Losses) -> Table:
    rows: list[tuple[tuple[str, ...], list[Cell]]] = []
    for name, form in FORMS.items():
        for whose, losses, digits in ((here, ours, 4), (THE_PAPER, paper, 3)):
            missing = "not run" if name not in losses else "not reached by a seed that finished"
            found, relative = losses.get(name, {}), _relative(losses).get(name, {})
            rows.append(
                (
                    (form, whose),
                    [
                        *(_cell(found.get(part), f".{digits}f", missing) for part in PERCENTS),
                        *(_cell(relative.get(part), "+.2f", missing) for part in PERCENTS if name != BASELINE),
                        *([Cell("0", 0.0)] * len(PERCENTS) if name == BASELINE and found else []),
                        *([Cell("", None, missing)] * len(PERCENTS) if name == BASELINE and not found else []),
                    ],
                )
            )
    parts = [percent(part) for part in PERCENTS]
    columns = ["mask", "whose", *(f"loss\n{part}" for part in parts), *(f"beside\n{part}" for part in parts)]
    caption = "Validation loss by part of the budget, and by how many percent it lies above AdamW's (beside)"
    return Table(f"{caption}: {comparison.task}, and the paper's table 3", columns, rows)


def _cell(value: float | None, text: str, missing: str) -> Cell:
    return Cell("", None, missing) if value is None else Cell(format(value, text), value)
