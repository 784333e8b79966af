"""The page itself: what it holds, its escaping, and that it needs nothing from outside."""

import base64
import gzip
import hashlib
import html.parser
import json

import pytest

from reports import page as page_module
from reports.figures import Answer, Data, Field, Figure
from reports.page import render
from reports.results import Results, Unread
from reports.tables import Cell, Table
from tests.reports.small_page import FIGURES, HOSTILE, ROWS, small_page

TEXT = "</script></details><script>alert('x')</script><img src=x onerror=alert(1)>"
EMPTY_ELEMENTS = ("meta", "img", "input", "br", "path", "line")


class Page(html.parser.HTMLParser):
    """The elements of a page with their attributes and text, in order."""

    def __init__(self, source):
        super().__init__()
        self.elements = []
        self.open = []
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        element = {"tag": tag, "text": "", **dict(attributes)}
        self.elements.append(element)
        if tag not in EMPTY_ELEMENTS:
            self.open.append(element)

    def handle_endtag(self, tag):
        while self.open and self.open.pop()["tag"] != tag:
            pass

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag):
        return [element for element in self.elements if element["tag"] == tag]

    def by_id(self, name):
        return next(element for element in self.elements if element.get("id") == name)


def unpacked(page):
    """What the page's scripts draw and show on demand."""
    return json.loads(gzip.decompress(base64.b64decode(page.by_id("packed")["text"])))


@pytest.fixture(scope="module")
def source():
    return small_page()


@pytest.fixture(scope="module")
def page(source):
    return Page(source)


def test_every_number_of_a_table_is_exact_and_what_is_missing_has_its_reason(page):
    shown = [float(element["value"]) for element in page.all("data")]
    assert shown[:5] == [2.5000000001, 1000.0, 90.0, -1e-05, 200.0]
    assert [element["text"] for element in page.all("td") if element.get("class") == "missing"] == ["missing: diverged"]


def test_data_holds_every_row(page):
    data = unpacked(page)["data"]["rows"]
    assert [tuple(row) for row in data["rows"]] == ROWS
    assert data["fields"] == [["name", "name"], ["value", "loss (nats)"], ["number", "n"]]


def test_answers_stand_first_and_lead_to_their_figures(page):
    ids = [element["id"] for element in page.all("section")]
    figures = [figure.anchor for figure in FIGURES]
    first = ["answers", "numbers", *figures, "empty", "provenance"]
    assert ids[: len(first)] == first
    answers = page.by_id("answers")["text"]
    assert "AlphaAdam needed 39 [31, 46] steps fewer than AdamW, over 5 seeds. Losses of all" in answers


def test_a_chapter_without_results_says_what_to_run(page):
    assert "No results were found. Make them with `python -m suite run`." in page.by_id("empty")["text"]
    assert "Nothing." not in page.by_id("numbers")["text"]


def test_every_link_within_the_page_has_its_target_and_no_name_is_used_twice(page):
    names = [element["id"] for element in page.elements if "id" in element]
    assert len(names) == len(set(names))
    links = {element["href"][1:] for element in page.all("a") if element["href"].startswith("#")}
    assert links <= set(names)
    assert {"losses", "numbers", "provenance", "unread", "answers"} <= links
    assert unpacked(page)["charts"].keys() <= set(names)


def test_two_figures_of_one_anchor_are_a_mistake():
    with pytest.raises(ValueError, match="anchors are not unique: losses"):
        small_page(figures=[*FIGURES, Figure("losses", "Again")])


def test_hostile_text_is_shown_and_not_run(monkeypatch):
    table = Table(TEXT, [TEXT, "value"], [((TEXT,), [Cell("", None, TEXT)])])
    data = Data("hostile", TEXT, [Field(TEXT, TEXT)], [(TEXT,)])
    figure = Figure("figure", TEXT, TEXT, [], [table], [data], [], [TEXT])
    chapter = page_module.CHAPTERS[0]._replace(
        title=TEXT, charts=(type("Drawn", (), {"draw": lambda self, results: [figure]})(),), template=""
    )
    chapter = chapter._replace(answers=lambda results: [Answer(TEXT, "figure")], context=lambda results: None)
    monkeypatch.setattr(page_module, "CHAPTERS", (chapter,))
    page = Page(render(Results(unread=(Unread(TEXT, TEXT + "\ud800"),)), TEXT))
    assert page.all("img") == []
    types = ("application/json", "application/gzip")
    data = [element for element in page.all("script") if element.get("type") in types]
    assert [element for element in page.all("script") if element not in data] == page.all("script")[-1:]
    assert not any(attribute.startswith("on") for element in page.elements for attribute in element)
    for tag in ("h2", "h3", "caption", "th", "td", "p", "li", "summary", "dd", "pre"):
        assert any(TEXT in element["text"] for element in page.all(tag)), tag


def test_what_could_not_be_read_is_said_at_the_top_and_listed(monkeypatch):
    monkeypatch.setattr(page_module, "CHAPTERS", ())
    page = Page(render(Results(unread=(Unread("results/broken.json", "It is not JSON."),)), "python -m reports"))
    assert "1 result could not be read" in page.by_id("answers")["text"]
    assert "results/broken.json" in page.by_id("unread")["text"]
    assert "It is not JSON." in page.by_id("unread")["text"]


def test_nothing_is_loaded_from_outside(page):
    loading = {"src", "srcset", "data", "action", "poster", "background", "xlink:href"}
    for element in page.elements:
        assert not loading & element.keys(), element["tag"]
        if "href" in element:
            assert element["tag"] == "a"
            assert element["href"].startswith(("#", "https://arxiv.org/abs/2501.18094"))
    assert page.all("link") == page.all("iframe") == page.all("base") == []
    style = page.all("style")[0]["text"]
    assert "url(" not in style
    assert "@import" not in style
    assert not any("$schema" in spec for spec in unpacked(page)["charts"].values())


@pytest.mark.parametrize("live", ["", "updates?since=1"])
def test_the_policy_allows_the_one_script_and_no_request(live):
    page = Page(small_page(live))
    policy = next(e["content"] for e in page.all("meta") if e.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.all("script")[-1]["text"].encode()).digest()).decode()
    allowed = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    expected = {"default-src": "'none'", "script-src": f"'sha256-{digest}'"}
    expected |= {"style-src": "'unsafe-inline'", "img-src": "data:"}
    assert allowed == expected | ({"connect-src": "'self'"} if live else {})


def test_tables_say_what_their_cells_are(page):
    assert all("scope" in element for element in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(element["text"].strip() for element in page.all("caption"))
    assert HOSTILE in [element["text"] for element in page.all("th")]


def test_the_same_results_give_the_same_bytes(source):
    assert small_page() == source


def test_what_every_page_carries_stays_below_1300_kilobytes(source):
    assert len(source.encode()) < 1_300_000
