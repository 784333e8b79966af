"""The page itself: its numbers, its escaping, and that it needs nothing from outside."""

import base64
import datetime
import hashlib
import html.parser
import json
import re

import pytest

from reports.charts import CHARTS
from reports.page import render
from reports.sources import load_asv, load_conformance

HOSTILE = "</script></details><script>alert('x')</script><img src=x onerror=alert(1)>\ud800"
MADE = datetime.datetime(2026, 5, 2, 12, 30, tzinfo=datetime.UTC)


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
        if tag not in ("meta", "img", "input", "br"):
            self.open.append(element)

    def handle_endtag(self, tag):
        while self.open and self.open.pop()["tag"] != tag:
            pass

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag):
        return [element for element in self.elements if element["tag"] == tag]


@pytest.fixture
def make(full_folder, conformance_data, conformance_file):
    """Renders the page of the current files."""

    def render_page():
        results = load_asv(full_folder.root)
        return render(results, load_conformance(conformance_file(conformance_data)), ["python", "-m", "reports"], MADE)

    return render_page


def test_every_recorded_number_is_on_the_page(make, full_folder):
    shown = {float(element["value"]) for element in Page(make()).all("data")}
    results = load_asv(full_folder.root)
    for benchmark, table in results.tables.items():
        assert set(table["value"]) <= shown, benchmark


def test_the_specifications_hold_the_recorded_numbers(make, full_folder):
    page = Page(make())
    specs = [json.loads(element["text"]) for element in page.all("script") if "data-chart" in element]
    drawn = {row["value"] for spec in specs for data in spec["datasets"].values() for row in data}
    for table in load_asv(full_folder.root).tables.values():
        assert set(table["value"]) <= drawn


def test_a_failed_benchmark_is_shown_with_its_reason(make, full_folder):
    full_folder.measure("jax", lambda name, parameters, value: None if parameters[0] == "alphaadam" else value)
    page = Page(make())
    assert [element["text"] for element in page.all("td") if element.get("class") == "missing"].count(
        "missing: failed"
    ) > 10
    assert "raised an error or timed out (asv recorded null)" in page.all("main")[0]["text"]
    assert 0 not in {float(element["value"]) for element in page.all("data") if element["text"] != "0"}


def test_a_benchmark_that_asv_does_not_know_leaves_its_section_with_the_reason(make, full_folder):
    name = "memory.OptimizerState.track_state_bytes"
    full_folder.describe(without=name)
    section = next(element for element in Page(make()).all("section") if element.get("id") == "optimizer-state")
    assert f"Everything is missing: asv's benchmarks.json has no benchmark {name}." in section["text"]


def test_hostile_text_is_shown_and_not_run(make, conformance_data):
    conformance_data["results"][0].update(outcome="fail", message=HOSTILE, id=HOSTILE)
    conformance_data["adapters"][0]["versions"][HOSTILE] = HOSTILE
    conformance_data["machine"]["processor"] = HOSTILE
    conformance_data["created"] = HOSTILE
    conformance_data["suite"]["files"][0]["name"] = HOSTILE
    page = Page(make())
    assert page.all("img") == []
    assert len([element for element in page.all("script") if "data-chart" not in element]) == 1
    assert any(element["text"] == HOSTILE for element in page.all("pre"))


def test_hostile_names_in_asv_files_are_shown_and_not_run(make, full_folder):
    text = "</script><script>alert(1)</script>"
    for path in [full_folder.root / "benchmarks.json", *full_folder.root.glob("box/*-*.json")]:
        path.write_text(path.read_text().replace("gpt2-nano", text).replace("nats/byte", text).replace("Linux", text))
    page = Page(make())
    assert len([element for element in page.all("script") if "data-chart" not in element]) == 1
    assert any(text in element["text"] for element in page.all("th"))
    assert any(text in json.loads(e["text"])["description"] for e in page.all("script") if "data-chart" in e)


def test_nothing_is_loaded_from_outside(make):
    source = make()
    page = Page(source)
    loading = {"src", "srcset", "data", "action", "poster", "background", "xlink:href"}
    for element in page.elements:
        assert not loading & element.keys(), element["tag"]
        if "href" in element:
            assert element["tag"] == "a"
            assert element["href"].startswith("#") or element["href"] == "https://arxiv.org/abs/2501.18094"
    assert page.all("link") == page.all("iframe") == page.all("base") == []
    style = page.all("style")[0]["text"]
    assert "url(" not in style
    assert "@import" not in style
    assert not any("$schema" in json.loads(e["text"]) for e in page.all("script") if "data-chart" in e)


def test_the_policy_allows_the_one_script_and_no_request(make):
    page = Page(make())
    policy = next(e["content"] for e in page.all("meta") if e.get("http-equiv") == "Content-Security-Policy")
    script = page.all("script")[-1]["text"]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none';")
    assert f"script-src 'sha256-{digest}';" in policy
    assert "unsafe-eval" not in policy


def test_every_section_can_be_linked_to_and_holds_its_numbers(make):
    page = Page(make())
    sections = [element["id"] for element in page.all("section")]
    assert sections == ["answers", "conformance", *(chart.name for chart in CHARTS), "provenance"]
    targets = {element.get("id") for element in page.elements}
    assert {e["href"][1:] for e in page.all("a") if e["href"].startswith("#")} <= targets
    assert len(targets - {None}) == len([e for e in page.elements if e.get("id")]), "an id is used twice"
    charts = [element["data-chart"] for element in page.all("script") if "data-chart" in element]
    assert set(charts) <= targets


def test_tables_say_what_their_cells_are(make):
    page = Page(make())
    assert all("scope" in element for element in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(element["text"].strip() for element in page.all("caption"))


def test_outcomes_are_written_and_not_only_coloured(make, conformance_data):
    outcomes = ["pass", "fail", "error", "skipped", "expected-deviation"]
    for result, outcome in zip(conformance_data["results"], outcomes, strict=False):
        result["outcome"] = outcome
    page = Page(make())
    spans = [element for element in page.all("span") if element.get("class", "").startswith("outcome ")]
    for outcome in outcomes:
        texts = [span["text"] for span in spans if span["class"] == f"outcome {outcome}"]
        assert texts
        assert all(re.search(r"[a-z]{4}", text) for text in texts)


def test_provenance_has_machine_versions_commits_digests_and_commands(make, conformance_data):
    page = Page(make())
    text = next(element for element in page.all("section") if element.get("id") == "provenance")["text"]
    for expected in (
        "A <b>fast</b> one",
        conformance_data["commit"],
        "2026-05-01 00:00 UTC",
        "2026-05-02 12:30 UTC",
        "numpy 2.4.6",
        "some-library 9.8.7",
        "ab" * 32,
        "asv machine --yes && asv run",
        "python -m suite run --adapter=torch --adapter=keras-jax",
        "python -m reports",
    ):
        assert expected in text


def test_the_same_results_give_the_same_bytes(make):
    assert make() == make()


def test_the_page_stays_below_two_megabytes(make):
    assert len(make().encode(errors="replace")) < 2_000_000
