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


def test_every_chart_is_drawn_and_nothing_is_logged_or_asked_for(open_report, report):
    visit = open_report(report)
    shown = visit.drawn()
    charts = shown.locator(".chart[data-height]").count()
    assert charts > 20
    expect(shown.locator(".chart[role=graphics-document]:has(svg)")).to_have_count(charts)
    assert "could not be drawn" not in shown.locator("main").inner_text()
    open_all(shown)
    assert visit.complaints() == []
    assert violations(shown) == []


def test_it_fits_a_phone_in_the_dark(open_report, report):
    shown = open_report(report, **PHONE, color_scheme="dark").drawn()
    assert violations(shown) == []
    open_all(shown)
    assert shown.evaluate("document.documentElement.scrollWidth") == 390


def test_it_stays_small_enough_to_send(report):
    # 2.1 MB with 8,858 answers of conformance and 23 optimizers: 0.9 MB is code, 0.8 MB text and tables, the rest
    # packed. The room is for more trials.
    assert report.stat().st_size < 2_500_000
