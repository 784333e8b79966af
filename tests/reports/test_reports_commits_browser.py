"""The chapter "Across commits" in a browser: trends on demand, two commits side by side, what the address keeps."""

import json
import random
import re
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from reports.charts.commits.comparison import WORDS, compare
from reports.page import render
from reports.results import Results
from tests.reports.histories import commit_name, history, series

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
HOSTILE = "</script><img src=x onerror=alert(1)><b>"
LENGTH = 40


def steps(seed, *levels):
    """Values about levels that follow one another, with noise of 1 %."""
    choose = random.Random(seed)
    each = LENGTH // len(levels)
    return [level * (1 + choose.gauss(0, 0.01)) for level in levels for _ in range(each)]


HISTORY = history(
    series(steps(1, 1e-3, 1.5e-3), "m.Step.track_seconds", shapes="nano"),
    series(steps(2, 1e-2), "m.Step.track_seconds", shapes="small"),
    series(steps(3, 2e-3, 1e-3, 1e-3, 1e-3), "m.Step.track_seconds", "jax", shapes="nano"),
    series(steps(4, 4e-3), "m.Step.track_seconds", "jax", "adamw", shapes="nano"),
    series(steps(5, 5e-4), "m.Step.track_seconds", "torch", "adamw", shapes="nano"),
    series([*([2.0] * 25), 9.0, *([2.0] * (LENGTH - 26))], "m.Other.track_spread", "torch", "", "ratio"),
    series([None] * LENGTH, "m.Gone.track_bytes", "torch", "", "bytes"),
    series([*([3.0] * (LENGTH - 1)), None], HOSTILE, "torch", "", HOSTILE, shapes=HOSTILE),
    *(series(steps(10 + n, 1.0), f"m.Other.track_{n:02}", "torch", "", "ratio") for n in range(10)),
    subjects={20: HOSTILE},
    link="https://example.org/commit/",
    environments={"torch": ("env-a",) * 20 + ("env-b",) * 20, "jax": ("env-c",) * 40},
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("commits") / "report.html"
    path.write_text(render(Results(histories=(HISTORY,)), "python -m reports"), encoding="utf-8")
    return path


@pytest.fixture
def opened(open_report, page):
    """Opens the chapter, with this state, once its values are unpacked; no page may complain."""
    visits = []

    def at(state="commits", **options):
        visits.append(open_report(page, state, **options))
        shown = visits[-1].page
        shown.wait_for_function("document.documentElement.dataset.commits === 'ready'")
        return shown

    yield at
    assert [visit.complaints() for visit in visits] == [[] for _ in visits]


def state(page):
    return dict(pair.split("=") for pair in page.evaluate("location.hash").split("&")[1:])


def names(page):
    return page.locator("#commits-list tbody button").all_inner_texts()


def rows(page):
    return [row.split("\t") for row in page.locator("#commits-compared tbody tr").all_inner_texts()]


def test_series_stand_in_order_of_their_last_change_and_one_trend_is_drawn(opened):
    page = opened("commits-trend")
    assert names(page)[:2] == ["m.Step.track_seconds (shapes nano)"] * 2
    expect(page.locator("#commits-list tbody tr")).to_have_count(18)
    expect(page.locator("#commits-count")).to_have_text(
        "18 of 18 series, 1 regressed, 1 improved, 15 without a mark, 2 missing now"
    )
    expect(page.locator("#commits-view [role=graphics-document]")).to_have_count(1)
    expect(page.locator("#commits-trend-chart")).to_contain_text("+50 %")
    expect(page.locator("#commits-trend-words")).to_contain_text("the environment changed there too")


def test_nothing_is_drawn_before_the_trend_is_near(opened):
    page = opened("answers", viewport={"width": 1000, "height": 300})
    page.wait_for_timeout(300)
    assert page.locator("#commits-view [role=graphics-document]").count() == 0


def test_a_series_is_chosen_with_the_keyboard_and_stays_in_the_address(opened):
    page = opened("commits-series", viewport={"width": 1000, "height": 400})
    button = page.locator("#commits-list button.choice").nth(1)
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#commits-trend-title")).to_have_text("m.Step.track_seconds (shapes nano) · AlphaAdam · JAX")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#commits-trend")).to_be_focused()
    expect(page.locator("#commits-trend-title")).to_be_in_viewport()
    expect(page.locator("#commits-trend-chart [role=graphics-document]")).to_have_attribute(
        "aria-label", re.compile("JAX")
    )
    page.reload()
    expect(page.locator("#commits-trend-title")).to_contain_text("JAX")


def test_a_choice_without_an_anchor_gets_that_of_its_figure_without_a_scroll(opened):
    page = opened("")
    page.locator("#commits-order").scroll_into_view_if_needed()
    place = page.evaluate("scrollY")
    page.select_option("#commits-order", "name")
    assert page.evaluate("location.hash") == "#commits-series&order=name"
    assert page.evaluate("scrollY") == place
    page = opened("")
    page.fill("#find-commits-list", "track_03")
    assert page.evaluate("location.hash") == "#commits-series&find-commits-list=track_03"
    page = opened("")
    page.locator("#commits-list button.choice").nth(1).click()
    assert page.evaluate("location.hash").startswith("#commits-trend&series=")
    page = opened("")
    page.locator("#commits-trend").scroll_into_view_if_needed()
    page.locator("#commits-trend-words button").first.click()
    assert page.evaluate("location.hash").startswith("#commits-compare&a=")
    page = opened("marked-changes")
    page.select_option("#commits-order", "name")
    assert page.evaluate("location.hash") == "#marked-changes&order=name"


def test_the_benchmark_stays_in_sight_when_the_list_is_moved_sideways(opened):
    page = opened("commits-series", **PHONE)
    page.evaluate("document.querySelector('#commits-list .scroll').scrollLeft = 400")
    box = page.locator("#commits-list button.choice").first.bounding_box()
    assert 0 <= box["x"] < box["x"] + box["width"] < 195


def test_filters_narrow_the_list_and_survive_in_the_address(opened):
    page = opened("commits-series")
    page.select_option("#commits-show", "improved")
    expect(page.locator("#commits-list tbody tr")).to_have_count(1)
    page.select_option("#commits-show", "missing")
    expect(page.locator("#commits-list tbody tr")).to_have_count(2)
    page.select_option("#commits-show", "")
    page.select_option("#commits-framework", "jax")
    page.select_option("#commits-optimizer", "adamw")
    page.select_option("#commits-order", "name")
    expect(page.locator("#commits-list tbody tr")).to_have_count(1)
    assert state(page) == {"framework": "jax", "optimizer": "adamw", "order": "name"}
    page.reload()
    expect(page.locator("#commits-optimizer")).to_have_value("adamw")
    expect(page.locator("#commits-list tbody tr")).to_have_count(1)


def test_a_state_that_makes_no_sense_shows_everything(opened):
    page = opened("commits&show=x&framework=x&series=x&order=x&machine=x&a=zzz&least=x&b-framework=x")
    expect(page.locator("#commits-list tbody tr")).to_have_count(18)
    expect(page.locator("#commits-moved")).to_have_text("Name two commits that were measured.")
    expect(page.locator("#commits-a")).to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("pair", [(3, 25), (38, 39), (39, 38), (30, 5), (24, 25)])
def test_two_commits_give_what_the_terminal_gives(opened, pair):
    a, b = (commit_name(number)[:8] for number in pair)
    page = opened(f"commits-compare&a={a}&b={b}")
    expected = compare(HISTORY, *pair)
    found = rows(page)
    assert [(row[0].lstrip("▲▼✗ "), row[4].split(" (")[0]) for row in found] == [
        (WORDS[row.verdict], row.series.benchmark) for row in expected
    ]
    for row, other in zip(found, expected, strict=True):
        if other.change is None:
            assert row[1] == "missing: failed"
        else:
            assert float(row[1].split()[0].replace(",", "")) / 100 == pytest.approx(other.change, abs=0.006)


def test_frameworks_and_optimizers_stand_side_by_side(opened):
    page = opened(f"commits-compare&a={commit_name(30)[:8]}&b={commit_name(30)[:8]}")
    page.select_option("#commits-a-framework", "torch")
    page.select_option("#commits-b-framework", "jax")
    both = [row for row in rows(page) if "only in" not in row[0]]
    assert {tuple(row[4:7]) for row in both} == {
        ("m.Step.track_seconds (shapes nano)", "PyTorch → JAX", "AlphaAdam"),
        ("m.Step.track_seconds (shapes nano)", "PyTorch → JAX", "AdamW"),
    }
    page.select_option("#commits-b-framework", "")
    page.select_option("#commits-a-optimizer", "adamw")
    page.select_option("#commits-b-optimizer", "alphaadam")
    (row,) = [row for row in rows(page) if "only in" not in row[0]]
    assert row[0] == "▲ worse"
    assert row[5:7] == ["PyTorch", "AdamW → AlphaAdam"]
    page.reload()
    expect(page.locator("#commits-b-optimizer")).to_have_value("alphaadam")
    page.click("#commits-swap")
    assert rows(page)[0][0] == "▼ better"


def test_a_commit_is_named_by_its_beginning_or_a_part_of_its_subject(opened):
    page = opened("commits-compare")
    page.fill("#commits-a", "subject 12")
    page.press("#commits-a", "Enter")
    expect(page.locator("#commits-a-subject")).to_contain_text("subject 12 (2026-05-13")
    page.fill("#commits-a", "000")
    page.press("#commits-a", "Tab")
    expect(page.locator("#commits-a-subject")).to_have_text("16 commits are called that")
    assert state(page)["a"] == "000"


def test_the_asked_for_size_decides_what_moved(opened):
    page = opened(f"commits-compare&a={commit_name(3)[:8]}&b={commit_name(25)[:8]}&least=60")
    expect(page.locator("#commits-moved")).not_to_contain_text("worse")
    page.fill("#commits-least", "10")
    page.press("#commits-least", "Tab")
    expect(page.locator("#commits-moved")).to_contain_text("1 worse")
    assert state(page)["least"] == "10"


def test_a_size_that_is_none_is_refused(opened):
    page = opened("commits-compare")
    for text in ("-5", "2000"):
        page.fill("#commits-least", text)
        page.press("#commits-least", "Tab")
        expect(page.locator("#commits-least")).to_have_attribute("aria-invalid", "true")
        expect(page.locator("#commits-moved")).to_have_text('"at least" takes a number from 0 to 1000.')
        assert rows(page) == []
    page.fill("#commits-least", "0")
    page.press("#commits-least", "Tab")
    expect(page.locator("#commits-least")).to_have_attribute("aria-invalid", "false")
    expect(page.locator("#commits-moved")).not_to_contain_text("below the threshold")
    assert rows(page)


def test_what_is_saved_names_the_units(opened):
    page = opened("commits-compare")
    for part in ("list", "compared"):
        with page.expect_download() as download:
            page.locator(f"#commits-{part}").get_by_role("button", name="JSON").click()
        saved = json.loads(download.value.path().read_text())
        assert saved["columns"][-1]["name"] == "unit"
        assert {"seconds", "ratio"} <= {row[-1] for row in saved["rows"]}


def test_subjects_are_missed_only_where_some_are_known(open_report, tmp_path):
    for subjects, shown in ((dict.fromkeys(range(12), ""), False), (dict.fromkeys(range(11), ""), True)):
        path = tmp_path / "subjects.html"
        item = history(series([1.0] * 12), subjects=subjects)
        path.write_text(render(Results(histories=(item,)), "python -m reports"), encoding="utf-8")
        page = open_report(path, "commits-compare").page
        expect(page.locator("#commits-b-subject")).not_to_be_empty()
        assert ("not known" in page.locator("#commits-a-subject").inner_text()) == shown


def test_a_mark_leads_to_its_two_commits(opened):
    page = opened("commits-series")
    page.locator("#commits-trend-words button").first.click()
    expect(page.locator("#commits-a")).to_have_value(commit_name(19)[:8])
    expect(page.locator("#commits-b")).to_have_value(commit_name(20)[:8])
    assert state(page)["b"] == commit_name(20)[:8]
    assert rows(page)[0][0] == "▲ worse"


def test_every_value_is_a_table_with_commits_links_and_downloads(opened):
    page = opened("commits-series")
    page.locator("#commits-trend-values > summary").click()
    table = page.locator("#commits-trend-values table")
    expect(table.locator("tbody tr")).to_have_count(LENGTH)  # a browser tells of the opening a moment later
    assert table.locator("tbody a").first.get_attribute("href") == f"https://example.org/commit/{commit_name(39)}"
    with page.expect_download() as download:
        page.locator("#commits-trend-values").get_by_role("button", name="JSON").click()
    saved = json.loads(download.value.path().read_text())
    assert saved["rows"][-1][0] == commit_name(0)
    assert saved["rows"][-1][3] == pytest.approx(HISTORY.series[0].values[0], rel=1e-3)


def test_all_values_can_be_saved_with_the_reasons_of_the_missing(opened):
    page = opened("commits-series")
    with page.expect_download() as download:
        page.get_by_role("button", name="JSON: download every value of every series").click()
    saved = json.loads(download.value.path().read_text())
    assert len(saved["rows"]) == LENGTH
    assert len(saved["columns"]) == 3 + len(HISTORY.series)
    assert len(saved["missing"]) == LENGTH + 1
    assert saved["columns"][3] == {
        "name": "torch m.Step.track_seconds optimizer=alphaadam shapes=nano [seconds]",
        "title": "torch m.Step.track_seconds optimizer=alphaadam shapes=nano",
        "unit": "seconds",
    }
    assert {item["reason"] for item in saved["missing"]} == {"failed"}
    flat = [value for row in saved["rows"] for value in row[3:] if value is not None]
    given = [value for values in zip(*(item.values for item in HISTORY.series), strict=True) for value in values]
    assert flat == pytest.approx([value for value in given if value is not None], rel=1e-3)


def test_hostile_names_and_subjects_are_shown_and_not_run(opened):
    key = f"torch {HOSTILE} shapes={HOSTILE}"
    page = opened(f"commits-series&series={quote(key, safe='')}&a={quote('<b>', safe='')}")
    assert page.locator("main img, #commits-view b").count() == 0
    expect(page.locator("#commits-trend-title")).to_contain_text(HOSTILE)
    expect(page.locator("#commits-a-subject")).to_contain_text(HOSTILE)


def test_reasons_stand_where_values_are_missing(opened):
    page = opened(f"commits-series&series={quote('torch m.Gone.track_bytes', safe='')}")
    expect(page.locator("#commits-trend-words")).to_contain_text("Missing at 40 of 40 commits, failed")
    assert page.locator("#commits-trend-chart [role=graphics-document]").count() == 0


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, PHONE], ids=["light", "dark", "phone"])
def test_axe_finds_no_violation_and_nothing_is_wider_than_the_screen(opened, options):
    page = opened("commits-series", **{"color_scheme": "light", "reduced_motion": "reduce", **options})
    page.locator("#commits-trend-values > summary").click()
    expect(page.locator("#commits-trend-chart [role=graphics-document]")).to_have_count(1)
    found = Axe().run(page, context="#commits").response["violations"]
    assert [(rule["id"], node["html"]) for rule in found for node in rule["nodes"]] == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_browser_that_cannot_unpack_says_so(open_report, page, tmp_path):
    broken = tmp_path / "broken.html"
    broken.write_text(
        re.sub(r"(data-base64>)[^<]{9}", r"\1AAAAAAAAA", page.read_text(encoding="utf-8")), encoding="utf-8"
    )
    shown = open_report(broken).page
    expect(shown.locator("#commits-broken")).to_contain_text("could not be unpacked")
    expect(shown.locator("#marked-changes")).to_contain_text("+50 %")


def test_two_machines_have_a_choice(open_report, tmp_path):
    path = tmp_path / "two.html"
    other = history(series([1.0] * 12, "m.B"), name="box-b")
    path.write_text(render(Results(histories=(HISTORY, other)), "python -m reports"), encoding="utf-8")
    shown = open_report(path, "commits").page
    shown.select_option("#commits-machine", "box-b")
    expect(shown.locator("#commits-list tbody tr")).to_have_count(1)
    shown.reload()
    expect(shown.locator("#commits-list tbody tr")).to_have_count(1)
