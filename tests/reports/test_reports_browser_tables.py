"""The tables in a real browser: sorting, searching, downloads, and what of it the address keeps."""

import csv
import io
import json

import pytest
from playwright.sync_api import expect

from reports.figures import Data, Field, Figure
from tests.reports.small_page import HOSTILE, ROWS, small_page


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(small_page(), encoding="utf-8")
    return path


def firsts(table):
    return table.locator("tbody tr").evaluate_all("rows => rows.map(row => row.cells[0].textContent)")


def download(page, within, kind):
    with page.expect_download() as started:
        page.locator(within).get_by_role("button", name=kind).click()
    return started.value.suggested_filename, started.value.path().read_bytes().decode("utf-8")


def test_a_click_sorts_by_the_exact_numbers_and_a_third_brings_the_order_of_the_page_back(open_report, page):
    visit = open_report(page)
    table = visit.page.locator("#losses-table-1")
    head = table.get_by_role("columnheader", name="loss nats")
    button = head.get_by_role("button")
    as_made = firsts(table)
    button.click()
    assert firsts(table) == ["-Lion", "AdamW", HOSTILE]
    expect(head).to_have_attribute("aria-sort", "ascending")
    button.click()
    assert firsts(table) == ["AdamW", "-Lion", HOSTILE]  # what is missing stays at the end
    expect(head).to_have_attribute("aria-sort", "descending")
    assert visit.page.evaluate("location.hash") == "#losses&sort-losses-table-1=3-down"
    button.click()
    assert firsts(table) == as_made
    assert head.get_attribute("aria-sort") is None
    assert visit.page.evaluate("location.hash") == "#losses"


def test_the_keyboard_sorts_too_and_numbers_are_no_text(open_report, page):
    shown = open_report(page).page
    table = shown.locator("#losses-table-1")
    table.get_by_role("columnheader", name="steps").get_by_role("button").focus()
    shown.keyboard.press("Enter")
    assert firsts(table) == [HOSTILE, "-Lion", "AdamW"]  # 90, 200, 1,000


def test_search_and_order_survive_in_the_address(open_report, page):
    visit = open_report(page)
    shown = visit.page
    shown.locator("#folded summary").click()
    shown.get_by_label("Search Many").fill("CASE 2")
    table = shown.locator("#folded-table-1")
    found = [f"case {number}" for number in range(30) if "2" in f"{number} {number % 5}"]
    assert firsts(table) == found
    expect(shown.locator("#folded .count")).to_have_text(f"{len(found)} of 30 rows")
    table.get_by_role("columnheader", name="value").get_by_role("button").click()
    ordered = firsts(table)
    assert ordered[:2] == ["case 20", "case 25"]
    shown.reload()
    assert firsts(table) == ordered
    expect(shown.get_by_label("Search Many")).to_have_value("CASE 2")
    assert visit.errors == []


def test_a_state_that_fits_no_column_is_left_alone(open_report, page):
    for state in ("sort-losses-table-1=99", "sort-losses-table-1=0", "sort-losses-table-1=x%3Cb%3E"):
        visit = open_report(page, f"&{state}")
        assert firsts(visit.page.locator("#losses-table-1"))[0] == "AdamW"
        assert visit.complaints() == []


def test_long_data_becomes_a_table_when_it_is_opened_and_grows_on_demand(open_report, page):
    shown = open_report(page).page
    rows = shown.locator("#rows tbody tr")
    assert rows.count() == 0
    shown.locator("#rows summary").click()
    more = shown.locator("#rows .more")
    for count in (25, 50, 100, 200, 400):
        expect(rows).to_have_count(count)
        expect(more).to_have_text(f"Show {min(count, 600 - count)} more of 600 rows")
        more.click()
    expect(rows).to_have_count(600)
    expect(more).to_be_hidden()
    expect(rows.nth(7).locator("td.missing")).to_have_text("missing")
    assert rows.nth(0).locator("data").first.get_attribute("value") == repr(ROWS[0][1])
    shown.get_by_role("columnheader", name="loss (nats)").get_by_role("button").click()
    assert firsts(shown.locator("#rows"))[-1] == "row 7"


def test_a_shared_address_opens_the_data_that_it_searches(open_report, page):
    shown = open_report(page, "&find-rows=599").page
    expect(shown.locator("#rows tbody tr")).to_have_count(1)


def test_headings_of_tables_stay_in_sight(open_report, page):
    shown = open_report(page, viewport={"width": 900, "height": 600}).page
    shown.locator("#folded summary").click()
    region = shown.get_by_role("region", name="Many")
    region.evaluate("element => { element.scrollTop = element.scrollHeight }")
    region.evaluate("element => element.scrollIntoView({ block: 'start' })")
    assert region.evaluate("element => element.scrollTop") > 100
    expect(region.get_by_role("columnheader", name="name")).to_be_in_viewport()


def test_csv_has_every_number_in_full_reasons_beside_gaps_and_no_formula(open_report, page):
    shown = open_report(page).page
    shown.locator("#losses").get_by_role("columnheader", name="steps").get_by_role("button").click()  # changes no file
    name, text = download(shown, "#losses > .tools", "CSV: download Losses")
    assert name == "losses-table-1.csv"
    assert text.endswith("\r\n")
    assert list(csv.reader(io.StringIO(text))) == [
        ["optimizer", "seed", "loss nats", "loss nats missing", "steps"],
        ["AdamW", "1", "2.5000000001", "", "1000"],
        ["'" + HOSTILE, "2", "", "diverged", "90"],
        ["'-Lion", "3", "-0.00001", "", "200"],
    ]


def test_json_has_null_for_what_is_missing_and_the_reason(open_report, page):
    name, text = download(open_report(page).page, "#losses > .tools", "JSON: download Losses")
    assert name == "losses-table-1.json"
    assert json.loads(text) == {
        "caption": "Losses",
        "columns": [{"name": title, "title": title} for title in ("optimizer", "seed", "loss nats", "steps")],
        "rows": [["AdamW", "1", 2.5000000001, 1000], [HOSTILE, "2", None, 90], ["-Lion", "3", -1e-05, 200]],
        "missing": [{"row": 1, "column": 2, "reason": "diverged"}],
    }


def test_data_downloads_whole_whatever_is_searched(open_report, page):
    shown = open_report(page, "&find-rows=row%205&sort-rows=2-down").page
    _, text = download(shown, "#rows", "CSV")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["name", "value", "number"]
    assert [(name, float(value) if value else None, int(number)) for name, value, number in rows[1:]] == ROWS
    _, text = download(shown, "#rows", "JSON")
    assert [tuple(row) for row in json.loads(text)["rows"]] == ROWS


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "＝"])
def test_no_text_becomes_a_formula(open_report, begin, tmp_path):
    data = Data("rows", "Every loss", [Field("name", "name")], [(f"{begin}1+1",), *[("row",)] * 20])
    path = tmp_path / "report.html"
    path.write_text(small_page(figures=[Figure("losses", "Losses", data=[data])]), encoding="utf-8")
    shown = open_report(path, "&find-rows=row").page
    _, text = download(shown, "#rows", "CSV")
    assert next(iter(csv.reader(io.StringIO(text, newline=""))))[0] == "name"
    assert list(csv.reader(io.StringIO(text, newline="")))[1][0] == f"'{begin}1+1"
