"""The report of this repository's own results in a real browser: every part of it together."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from reports.__main__ import main
from tests.reports.test_reports_browser import PHONE, open_all, violations

RESULTS = Path(__file__).parents[2] / "bench/results"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "report.html"
    assert main([str(RESULTS), "--output", str(path)]) == 0
    return path


def thin(page):
    """Leaves five rows of a table and five marks of a kind in a chart: the rest is like them, and axe takes minutes."""
    page.locator("table:not(.matrix) > tbody, .chart svg .role-mark").evaluate_all(
        "all => all.forEach((one) => one.replaceChildren(...[...one.children].slice(0, 5)))"
    )


def test_every_chart_is_drawn_and_nothing_is_logged_or_asked_for(open_report, report):
    visit = open_report(report)
    shown = visit.drawn()
    charts = shown.locator(".chart[data-height]").count()
    assert charts > 20
    expect(shown.locator(".chart[role=graphics-document]:has(svg)")).to_have_count(charts)
    assert "could not be drawn" not in shown.locator("main").inner_text()
    open_all(shown)
    assert visit.complaints() == []
    thin(shown)
    assert violations(shown) == []


def test_it_fits_a_phone_in_the_dark(open_report, report):
    shown = open_report(report, **PHONE, color_scheme="dark").drawn()
    open_all(shown)
    assert shown.evaluate("document.documentElement.scrollWidth") == 390
    thin(shown)
    assert violations(shown) == []


def test_it_stays_small_enough_to_send(report):
    # 2.3 MB with 10,114 answers of conformance and 23 optimizers in three frameworks: 0.9 MB is code, 0.8 MB text and
    # tables, the rest packed. The room is for more trials.
    assert report.stat().st_size < 2_500_000
