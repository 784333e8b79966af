import fnmatch
import itertools
import json
import re
from pathlib import Path

import pytest

from suite import deviations
from suite.adapters import ADAPTERS
from suite.check import Outcome
from suite.load import load_all

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "baselines").glob("*.md"))
#: What a deviation amounts to, as its reason puts it.
SIZE = re.compile(r"([\d.e-]+(?: to [\d.]+)?) of the way that parameters go")


def outcome(kind, test_id="eps-after/large-eps", dtype="float32"):
    return Outcome("adamw.json", "AdamW", test_id, "SingleStep", dtype, kind, "differs by 1310 ulp")


@pytest.fixture
def known(tmp_path):
    path = tmp_path / "deviations.json"
    entry = {
        "adapter": "keras-adamw",
        "file": "adamw.json",
        "tests": ["eps-after/*-eps"],
        "dtypes": ["float32"],
        "reason": "Epsilon hat.",
        "link": "https://keras.io",
    }
    path.write_text(json.dumps([entry]))
    return deviations.load(path)


def test_an_expected_failure_is_an_expected_deviation_with_its_reason_and_its_size(known):
    result = deviations.apply(known, "keras-adamw", outcome("fail"))
    assert result.outcome == "expected-deviation"
    assert result.message == "Epsilon hat. (https://keras.io)\ndiffers by 1310 ulp"
    assert result.deviation == {"reason": "Epsilon hat.", "link": "https://keras.io"}


def test_an_expected_deviation_that_passes_is_a_failure(known):
    result = deviations.apply(known, "keras-adamw", outcome("pass"))
    assert result.outcome == "fail"
    assert "Remove it from deviations.json" in result.message


@pytest.mark.parametrize(
    ("adapter", "given"),
    [
        ("torch-adamw", outcome("fail")),
        ("keras-adamw", outcome("fail", dtype="float64")),
        ("keras-adamw", outcome("fail", test_id="eps-after/fifth-step")),
        ("keras-adamw", outcome("error")),
    ],
)
def test_nothing_else_is_excused(known, adapter, given):
    kind = given.outcome
    assert deviations.apply(known, adapter, given).outcome == kind


def test_the_list_names_adapters_and_tests_that_exist():
    tests = {
        (file.name, test["id"], group["dtype"])
        for file in load_all()
        for group in file.document["groups"]
        if "dtype" in group
        for test in group["tests"]
    }
    for entry in deviations.load():
        assert entry.adapter in ADAPTERS
        for pattern, dtype in itertools.product(entry.tests, entry.dtypes):
            known = [test for file, test, of in tests if (file, of) == (entry.file, dtype)]
            assert fnmatch.filter(known, pattern), f"{entry.adapter}: {entry.file} has no {pattern} in {dtype}"


def test_a_list_of_another_form_is_refused(tmp_path):
    path = tmp_path / "deviations.json"
    path.write_text('[{"adapter": "torch"}]')
    with pytest.raises(ValueError, match=r"deviations.json: no list of deviations"):
        deviations.load(path)


def of_page(page):
    """The deviations from the vectors of a page's optimizers."""
    return [entry for entry in deviations.load() if entry.file.removesuffix(".json") in page.stem.split("-and-")]


def sizes(page):
    return {size for entry in of_page(page) for size in SIZE.findall(entry.reason)}


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_page_of_a_baseline_says_how_large_each_deviation_is(page):
    text = page.read_text(encoding="utf-8")
    for entry in of_page(page):
        assert SIZE.search(entry.reason), entry.reason
    for size in sizes(page):
        assert re.search(rf"(?<![\d.]){re.escape(size)}(?![\de]|\.\d)", text), f"{page.name} lacks {size}"


def test_the_page_of_all_baselines_says_no_other_sizes():
    paragraphs = (DOCS / "baselines.md").read_text(encoding="utf-8").split("\n\n")
    (text,) = (paragraph for paragraph in paragraphs if "deviations.json" in paragraph)
    found = re.findall(r"\((\d[\d.e-]*(?: to [\d.]+)?)(?=\)| of the)", text)
    assert found
    assert set(found) <= set().union(*map(sizes, PAGES))
