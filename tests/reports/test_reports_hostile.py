"""Whatever result files hold, the report is made, nothing in it comes alive, and what could not be read is listed."""

import json
import random
from html.parser import HTMLParser

import pytest
from altair.utils.schemapi import debug_mode

from reports.charts import CHAPTERS
from reports.page import render
from reports.sources.read import read
from tests.reports import hostile

KINDS = ("conformance", "agreement", "speed", "power", "costs", "summary", "records", "gpu", "asv")


@pytest.fixture
def make(asv_folder, conformance_data):
    """Makes results of one kind in a folder, and gives the files to be spoiled."""

    def make(kind, folder):
        if kind == "conformance":
            return hostile.conformance(folder, conformance_data)
        if kind == "asv":
            asv_folder.root = folder / "asv"
            asv_folder.describe()
            path = asv_folder.measure("torch")
            problem = {"commit": "1" * 40, "environment": "e", "benchmark": "b", "parameters": [["x"]]}
            problem |= {"kind": "failed", "reason": "no", "when": "2026-05-01"}
            (path.parent / "problems.jsonl").write_text(json.dumps(problem) + "\n")
            return [
                path,
                path.parent / "machine.json",
                folder / "asv" / "benchmarks.json",
                path.parent / "problems.jsonl",
            ]
        return getattr(hostile, kind)(folder)

    return make


def documents(path):
    """Whether a file holds lines, and what it holds."""
    text = path.read_text(encoding="utf-8")
    lines = path.suffix == ".jsonl"
    return lines, [json.loads(line) for line in text.splitlines()] if lines else json.loads(text)


def checked(folder):
    """What the folder gives; a mistake of a reader, which `read` survives, fails the test."""
    results = read([folder])
    failed = [item for item in results.unread if "The reader failed" in item.reason]
    assert not failed, failed
    return results


class Inspector(HTMLParser):
    """Collects what in a page could run."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        live = [name for name, value in attrs if name.startswith("on") or (value or "").startswith("javascript:")]
        if tag in ("img", "iframe", "object", "embed", "base") or live or (tag == "form" and "action" in dict(attrs)):
            self.found.append((tag, attrs))
        if tag == "script" and not dict(attrs).get("type"):
            self.found.append("script")


def assert_nothing_is_alive(html):
    inspector = Inspector()
    inspector.feed(html)
    assert inspector.found == ["script"]
    assert "<img src=x" not in html
    assert "<script>alert" not in html


@pytest.mark.parametrize("kind", KINDS)
def test_no_value_at_any_place_stops_a_reader(make, tmp_path, kind):
    folder = tmp_path / "results"
    most = 40 if kind in ("asv", "records") else 120  # of the places that take longest not all
    for path in make(kind, folder):
        whole = path.read_bytes()
        lines, content = documents(path)
        every = list(hostile.spoiled(content, 1))
        for spoiled in random.Random(path.name).sample(every, min(len(every), most)):
            path.write_bytes(hostile.dump(spoiled, lines))
            results = checked(folder)
            for chapter in CHAPTERS:
                chapter.answers(results)
        path.write_bytes(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_no_result_is_listed(make, tmp_path, kind):
    folder = tmp_path / "results"
    for path in make(kind, folder):
        whole = path.read_bytes()
        cut = [whole[:end] for end in (1, len(whole) // 3, len(whole) // 2, len(whole) - 2)]
        for trash in (*hostile.TRASH, *cut, whole[: len(whole) // 2] + b"\xff" + whole[len(whole) // 2 :]):
            path.write_bytes(trash)
            results = checked(folder)
            if path.name != "problems.jsonl" or trash.strip():
                assert any(item.reason for item in results.unread), trash[:50]
        path.unlink()
        path.mkdir()
        checked(folder)
        path.rmdir()
        path.write_bytes(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_of_spoiled_results_is_made_and_nothing_in_it_is_alive(make, tmp_path, kind):
    folder = tmp_path / "results"
    paths = make(kind, folder)
    choose = random.Random(kind)
    spoiled = [(path, *documents(path)) for path in paths]
    spoiled = [(path, lines, one) for path, lines, content in spoiled for one in hostile.spoiled(content, 2)]
    for path, lines, content in choose.sample(spoiled, 3):
        whole = path.read_bytes()
        path.write_bytes(hostile.dump(content, lines))
        with debug_mode(False):
            assert_nothing_is_alive(render(checked(folder), "python -m reports"))
        path.write_bytes(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_every_text_may_be_hostile_at_once(make, tmp_path, kind):
    def hostile_texts(content, key=""):
        if isinstance(content, dict):
            return {name: hostile_texts(value, name) for name, value in content.items()}
        if isinstance(content, list):
            return [hostile_texts(value, key) for value in content]
        keep = ("schema", "kind", "outcome", "quantity", "type", "commit", "commit_hash", "machine", "BENCH_FRAMEWORK")
        return hostile.SCRIPT if isinstance(content, str) and key not in keep else content

    folder = tmp_path / "results"
    for path in make(kind, folder):
        lines, content = documents(path)
        path.write_bytes(hostile.dump(hostile_texts(content), lines))
    with debug_mode(False):
        assert_nothing_is_alive(render(checked(folder), hostile.SCRIPT))


def test_a_hostile_file_name_is_text(make, tmp_path):
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    [path] = make("conformance", folder)
    path.rename(folder / "<script>alert(1)<\\script>.json")
    (folder / "also <script>alert(2).json").write_text("{")
    html = render(checked(folder), "python -m reports")
    assert_nothing_is_alive(html)
    assert "also &lt;script&gt;alert(2).json" in html
