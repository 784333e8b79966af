"""The report in a real browser: what a reader sees, on every screen, on paper, with a keyboard and a screen reader."""

import itertools
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from reports.figures import Figure, panel
from tests.reports import browser
from tests.reports.small_page import FIGURES, curve, small_page

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESK = {"viewport": {"width": 1400, "height": 900}}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(small_page(), encoding="utf-8")
    return path


def violations(page):
    found = Axe().run(page).response["violations"]
    return [(rule["id"], node["target"], node["html"]) for rule in found for node in rule["nodes"]]


def open_all(page):
    while page.locator("main details:not([open])").count():
        page.locator("main details:not([open]) > summary").evaluate_all("all => all.forEach((one) => one.click())")
    expect(page.locator("main details[data-rows]:not(:has(table))")).to_have_count(0)


def test_every_chart_is_drawn_and_nothing_is_logged_or_asked_for(open_report, page):
    visit = open_report(page)
    shown = visit.drawn()
    expect(shown.locator(".chart[role=graphics-document] svg")).to_have_count(6)
    expect(shown.locator(".chart svg .mark-line path")).to_have_count(6)
    assert "could not be drawn" not in shown.locator("main").inner_text()
    assert visit.complaints() == []


def test_a_chart_that_fails_says_so_and_the_others_are_drawn(open_report, tmp_path):
    broken = tmp_path / "broken.html"
    lost = Figure("lost", "Lost", panels=[panel("Loss", "It falls.", curve(data="lost"))])
    broken.write_text(small_page(figures=[lost, *FIGURES]), encoding="utf-8")
    visit = open_report(broken)
    expect(visit.drawn().locator("#lost--1")).to_contain_text("This chart could not be drawn")
    expect(visit.page.locator(".chart[role=graphics-document] svg")).to_have_count(6)
    assert any(message.startswith("error") for message in visit.complaints())


def test_a_browser_that_cannot_unpack_says_so_in_place_of_charts_and_rows(open_report, page, tmp_path):
    broken = tmp_path / "broken.html"
    source = page.read_text(encoding="utf-8")
    broken.write_text(re.sub(r'(id="packed">)[^<]{9}', r"\1AAAAAAAAA", source), encoding="utf-8")
    visit = open_report(broken)
    expect(visit.drawn().locator("#losses--1")).to_contain_text("This chart could not be drawn")
    visit.page.locator("#rows summary").click()
    expect(visit.page.locator("#rows")).to_contain_text("The rows could not be unpacked")
    assert visit.errors == []


def test_a_chart_says_in_words_what_it_shows(open_report, page):
    shown = open_report(page).drawn()
    assert shown.locator("#losses--1[role=graphics-document]").get_attribute("aria-label") == "Loss. It falls."


@pytest.mark.parametrize("options", [DESK, DESK | {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_axe_finds_no_violation(open_report, page, options):
    options = {"color_scheme": "light", "reduced_motion": "reduce"} | options
    shown = open_report(page, **options).drawn()
    assert violations(shown) == []
    open_all(shown)
    expect(shown.locator("details#rows tbody tr")).to_have_count(25)
    assert violations(shown) == []


def test_axe_sees_what_is_wrong(open_report, page):
    shown = open_report(page).drawn()
    shown.evaluate("document.querySelector('th').style.color = document.querySelector('main').style.color = '#eee'")
    assert "color-contrast" in {rule for rule, *_ in violations(shown)}


def test_a_phone_shows_the_page_without_scrolling_sideways(open_report, page):
    shown = open_report(page, **PHONE).drawn()
    open_all(shown)
    assert shown.evaluate("document.documentElement.scrollWidth") == 390
    table = shown.locator(".scroll").first
    assert table.evaluate("element => element.getBoundingClientRect().right") <= 390
    assert shown.locator("nav.contents").bounding_box()["height"] < 60


def test_the_contents_stay_in_sight_and_say_where_the_reader_is(open_report, page):
    shown = open_report(page, **DESK).drawn()
    shown.locator("#more-3").scroll_into_view_if_needed()
    shown.evaluate("document.getElementById('more-3').scrollIntoView()")
    expect(shown.locator("nav.contents a[aria-current]")).to_have_text("More 3")
    expect(shown.locator("nav.contents a[href='#answers']")).to_be_in_viewport()
    listed = shown.locator("nav.contents a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert len(set(listed)) == len(listed)
    assert {"#losses", "#folded", "#unread"} <= set(listed)


def test_the_keyboard_reaches_the_findings_first_and_shows_where_it_is(open_report, page):
    shown = open_report(page, **DESK).drawn()
    shown.keyboard.press("Tab")
    skip = shown.locator("a.skip")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    assert skip.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    shown.keyboard.press("Enter")
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.closest('#answers') !== null")


def test_headings_leave_out_no_level(open_report, page):
    levels = (
        open_report(page).page.locator("h1, h2, h3, h4").evaluate_all("all => all.map(one => Number(one.tagName[1]))")
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))


def test_printing_draws_every_chart_and_opens_short_tables(open_report, page):
    visit = open_report(page)
    visit.page.evaluate("""() => {
        window.printed = {};
        window.addEventListener("beforeprint", () => {
            printed.open = [...document.querySelectorAll("details")].map((details) => details.open);
        });
        window.addEventListener("afterprint", () => {
            printed.charts = document.querySelectorAll(".chart svg").length;
        });
    }""")
    document = visit.page.pdf(format="A4")
    assert document.startswith(b"%PDF")
    assert visit.page.evaluate("printed") == {"open": [False, True], "charts": 6}
    assert visit.page.locator("details[open]").count() == 0
    visit.page.emulate_media(media="print")
    expect(visit.page.locator("nav.contents")).to_be_hidden()
    expect(visit.page.locator(".tools").first).to_be_hidden()
    assert visit.complaints() == []


def test_anchors_open_what_they_lead_to_and_keep_the_state(open_report, page):
    visit = open_report(page, "more-3&find-rows=row%205", **DESK)
    shown = visit.drawn()
    expect(shown.locator("#more-3 h3")).to_be_in_viewport()
    assert shown.evaluate("document.querySelector(':target').id") == "more-3"
    expect(shown.locator("#find-rows")).to_have_value("row 5")
    shown.locator("nav.contents a[href='#folded']").click()
    assert shown.evaluate("location.hash") == "#folded&find-rows=row%205"
    expect(shown.locator("#folded h3")).to_be_in_viewport()
    shown.go_back()
    assert shown.evaluate("location.hash") == "#more-3&find-rows=row%205"
    expect(shown.locator("#more-3 h3")).to_be_in_viewport()
    shown.evaluate("location.hash = '#folded-table-1'")
    expect(shown.locator("#folded-table-1")).to_be_in_viewport()
    assert visit.complaints() == []


def test_state_takes_any_text_and_an_address_that_was_cut_off_does_no_harm(open_report, page):
    visit = open_report(page, "numbers&a=%C3&b=1&=&c")
    state = "key => reportState.get(key)"
    assert [visit.page.evaluate(state, key) for key in "abc"] == ["", "1", ""]
    text = 'a & b = ü #%"<'
    visit.page.evaluate("text => reportState.set(text, text)", text)
    visit.page.reload()
    assert visit.page.evaluate(state, text) == text
    visit.page.evaluate("text => { reportState.set(text, ''); reportState.set('b', '') }", text)
    assert visit.page.evaluate("location.hash") == "#numbers"
    assert visit.errors == []


def test_without_a_browser_tests_are_skipped_but_not_where_ci_is_set(monkeypatch):
    monkeypatch.setattr(browser.shutil, "which", lambda name: None)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Chromium or Chrome on this machine"):
        browser.require_browser()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI is set"):
        browser.require_browser()
