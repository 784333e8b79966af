"""How often a comparison of two commits reports what is not there, and finds what is."""

import statistics

import altair as alt
import pandas as pd

from reports.charts.benchmark.rates import NOTHING, SLOWED, Rate, rates
from reports.figures import Chart, Figure, Panel, panel
from reports.results import Results
from reports.sources.power import Power
from reports.tables import Cell, Table, decimals, whole

COLOUR = "#0072b2"
LEAD = (
    "Versions whose difference is known were compared: some differ in nothing, in others PyTorch's kernels take 10 %"
    " longer than they did. (A step is then a little less than 10 % slower: the rest of it is Python.) A case is one"
    " optimizer on tensors of one size in one comparison. Lines are exact 95 % binomial intervals (Clopper and"
    " Pearson), which take the cases as independent; those of one comparison share its processes, so they are not"
    " quite independent, and true intervals are wider."
)
HEADINGS = {NOTHING: "False reports: nothing had changed", SLOWED: "Found slowdowns: kernels 10 % slower"}


class ComparingCommits(Chart):
    """A figure for each file of the experiment."""

    def draw(self, results: Results) -> list[Figure]:
        several = len(results.powers) > 1
        return [
            _figure(power, f"comparing-commits-{number}" if several else "comparing-commits")
            for number, power in enumerate(results.powers, 1)
        ]


def _figure(power: Power, anchor: str) -> Figure:
    found = rates(power)
    truths = [truth for truth in HEADINGS if any(rate.truth == truth for rate in found)]
    return Figure(
        anchor=anchor,
        title="Comparing two commits",
        lead=LEAD,
        panels=[_panel(truth, [rate for rate in found if rate.truth == truth]) for truth in truths],
        tables=[_table(found)] if found else [],
        missing=[
            f"{HEADINGS[truth]}: not tried with {method}."
            for method in power.methods() or ["any method"]
            for truth in HEADINGS
            if not any((rate.method, rate.truth) == (method, truth) for rate in found)
        ],
    )


def _panel(truth: str, found: list[Rate]) -> Panel:
    data = pd.DataFrame(
        [
            {
                "method": rate.method,
                "rate": rate.rate,
                "low": rate.low,
                "high": rate.high,
                "words": f"{rate.reported} of {rate.cases}",
            }
            for rate in found
        ]
    )

    def x(field: str) -> alt.X:
        return alt.X(
            f"{field}:Q",
            title="cases reported",
            scale=alt.Scale(domain=[0, 1.7], nice=False),
            axis=alt.Axis(values=[0, 0.5, 1], format=".0%"),
        )

    base = alt.Chart(data).encode(y=alt.Y("method:N", sort=[rate.method for rate in found], title=None))
    layers = [
        base.mark_rule(strokeWidth=2.5, color=COLOUR, aria=False).encode(x=x("low"), x2="high:Q"),
        base.mark_point(filled=True, size=70, opacity=1, color=COLOUR).encode(
            x=x("rate"), tooltip=["method:N", "words:N"]
        ),
        base.mark_text(align="left", dx=8, fontSize=12, aria=False).encode(x=x("high"), text="words:N"),
    ]
    described = "; ".join(f"{rate.method} {rate.reported} of {rate.cases}, {percents(rate)}" for rate in found)
    chart = alt.layer(*layers).properties(height=34 * len(found) + 10)
    return panel(HEADINGS[truth], f"Reported, with exact 95 % intervals: {described}.", chart)


def _table(found: list[Rate]) -> Table:
    columns = ["method", "truth", "cases", "reported", "wrong", "rate", "95 % interval\nlower", "95 % interval\nupper"]
    columns += [
        "comparisons",
        "comparisons\nwrong somewhere",
        "seconds per comparison\nmedian",
        "seconds per comparison\nmost",
    ]
    rows: list[tuple[tuple[str, ...], list[Cell]]] = []
    for rate in found:
        middle = statistics.median(rate.seconds) if rate.seconds else None
        most = max(rate.seconds, default=None)
        counts = [Cell(whole(value), value) for value in (rate.cases, rate.reported, rate.wrong)]
        parts = [Cell(decimals(4)(value), value) for value in (rate.rate, rate.low, rate.high)]
        of_comparisons = [Cell(whole(value), value) for value in (rate.comparisons, rate.wrong_comparisons)]
        times = [
            Cell("", None, "not in the file") if value is None else Cell(decimals(1)(value), value)
            for value in (middle, most)
        ]
        rows.append(((rate.method, rate.truth), [*counts, *parts, *of_comparisons, *times]))
    return Table("Reports of comparisons whose truth is known", columns, rows)


def percents(rate: Rate) -> str:
    """The rate and its interval, such as "0 % (95 % interval 0 to 1.0 %)"."""
    return f"{100 * rate.rate:.3g} % (95 % interval {100 * rate.low:.1f} to {100 * rate.high:.1f} %)"
