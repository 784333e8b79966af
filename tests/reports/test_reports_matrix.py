"""The chapter on conformance: the worst is shown, a gap is no pass, and what was not asked is no gap."""

import copy
import json
import math

import pytest

from reports.charts.conformance.answers import answers
from reports.charts.conformance.cases import Cases
from reports.charts.conformance.distances import Distances
from reports.charts.conformance.matrix import groups, matrices
from reports.charts.conformance.outcomes import tally
from reports.charts.conformance.reasons import reasons
from reports.charts.conformance.sheets import sheets
from reports.page import render
from reports.sources.read import read

FIRST = {"step": 1, "steps": 2, "quantity": "m", "tensor": 0, "element": [3], "expected": 1.0, "actual": 1.5}
FIRST |= {"ulp": 15.0, "tolerance": 4.4}


@pytest.fixture
def load(conformance_data, conformance_file):
    """Reads the results as they are now."""
    return lambda: read([conformance_file(conformance_data)])


def test_cases_are_grouped_by_file_type_and_dtype(load):
    found = groups(load().conformance[0])
    assert [(group.file, group.kind) for group in found] == [
        ("mask.json", "SingleStep float32"),
        ("mask.json", "SingleStep float64"),
        ("names.json", "Invalid"),
    ]
    assert [one.words for one in found[0].tallies] == ["3 of 3 pass", "3 of 3 pass"]
    assert found[0].tallies[0].quantities == ["m 0.25", "params 1"]


def test_the_worst_outcome_stands_for_a_group(conformance_data, load):
    conformance_data["results"][4].update(outcome="fail", message="step 1, tensor w")
    conformance_data["results"][2].update(outcome="skipped", message="no reason")
    first, second = groups(load().conformance[0])[0].tallies
    assert (first.outcome, first.words) == ("fail", "1 of 3 pass, 1 fail, 1 skipped")
    assert second.outcome == "pass"


def test_a_gap_is_missing_and_what_was_not_asked_is_not(conformance_data, load):
    conformance_data["adapters"][1]["optimizers"] = ["AlphaMaskSGD"]
    conformance_data["results"] = [one for one in conformance_data["results"] if one["adapter"] == "torch"][1:]
    conformance_data["adapters"].append({"name": "late", "versions": {}, "optimizers": ["AlphaAdam"]})
    found = groups(load().conformance[0])[0].tallies
    assert [(one.outcome, one.words) for one in found] == [
        ("pass", "2 of 2 pass"),
        ("not-asked", "not asked"),
        ("missing", "0 of 2 pass, 2 missing"),
    ]
    assert tally(load().conformance[0], "late") == {"missing": 8}


def test_a_distance_that_is_not_a_number_is_the_largest(conformance_data, load):
    conformance_data["results"][0]["largestUlp"] = {"params": "NaN"}
    conformance_data["results"][1]["largestUlp"] = {"params": "Infinity"}
    first, second = groups(load().conformance[0])[0].tallies
    assert (first.quantities[-1], second.quantities[-1]) == ("params NaN", "params ∞")
    [figure] = Distances().draw(load())
    cells = {name: cells for (name,), cells in figure.tables[0].rows}
    assert [cell.text for cell in cells["parameters θ"]] == ["NaN", "∞"]


def test_what_an_adapter_cannot_observe_is_said(conformance_data, load):
    for result in conformance_data["results"][::2]:
        result.update(notReported=["mask", "alpha"])
    conformance = load()
    assert groups(conformance.conformance[0])[0].tallies[0].quantities[-2:] == [
        "alpha not reported",
        "mask not reported",
    ]
    [figure] = Distances().draw(conformance)
    cells = {name: cells for (name,), cells in figure.tables[0].rows}
    assert [cell.missing for cell in cells["strength α"]] == ["not reported", "no distance in the results"]


def test_cases_of_one_cause_stand_together_the_worst_first(conformance_data, load):
    results = conformance_data["results"]
    for result in results[:4]:
        result.update(outcome="skipped", message="no complex numbers")
    results[4].update(outcome="fail", firstDifference=FIRST, message="step 1 of 2: m[0] differs by 15 ulp")
    results[6].update(outcome="fail", firstDifference=None, message="step 2 of 2: m[1] differs by 9 ulp")
    results[5].update(outcome="error", message="Traceback\n  File\nValueError: no")
    results[7].update(outcome="expected-deviation", deviation={"reason": "Why.", "link": "javascript:alert(1)"})
    found = reasons(load().conformance[0])
    assert [(one.outcome, one.text, one.adapters) for one in found] == [
        ("fail", "m differs first", {"torch": 2}),
        ("error", "ValueError: no", {"keras-jax": 1}),
        ("expected-deviation", "Why.", {"keras-jax": 1}),
        ("skipped", "no complex numbers", {"torch": 2, "keras-jax": 2}),
    ]
    assert found[0].difference == [
        ("step", "1 of 2"),
        ("tensor", "m[0]"),
        ("element", "[3]"),
        ("expected", "1.0"),
        ("got", "1.5"),
        ("distance", "15 ulp"),
        ("tolerance", "4.4 ulp"),
    ]
    assert found[0].worst == "15"
    assert found[0].example == "torch, mask.json, SingleStep, float32, case-2"
    assert found[2].link == ""


def test_every_case_is_in_the_data(conformance_data, load):
    conformance_data["results"][0].update(outcome="fail", firstDifference=FIRST, largestUlp={"m": 15.0})
    del conformance_data["results"][1]
    [figure] = Cases().draw(load())
    troubles, every = figure.data
    assert len(every.rows) == 9
    assert every.rows[0] == ("mask.json", "SingleStep", "float32", "case-0", "fail", "missing", 15.0, None)
    assert [row[:6] for row in troubles.rows] == [
        ("torch", "fail", "mask.json", "SingleStep", "float32", "case-0"),
        ("keras-jax", "missing", "mask.json", "SingleStep", "float32", "case-0"),
    ]
    assert troubles.rows[0][6:] == ("1 of 2", "m", "0", "[3]", "1.0", "1.5", 15.0, 4.4, "m differs first")
    assert troubles.rows[1][-1] == "the file does not hold it"
    json.dumps([every.rows, troubles.rows], allow_nan=False)
    assert all(len(row) == len(data.fields) for data in figure.data for row in data.rows)


def sentence(results):
    return answers(results)[0].sentence


def test_the_answer_when_all_is_well(load):
    assert sentence(load()) == (
        "Both implementations tested conform at commit 12345678. 9 cases, 18 answers: 18 pass; none fails."
    )


def test_the_answer_names_who_does_not_conform_and_what_was_not_tested(conformance_data, load):
    results = conformance_data["results"]
    results[0].update(outcome="fail")
    results[2].update(outcome="error")
    results[3].update(outcome="expected-deviation")
    results[5].update(outcome="skipped")
    conformance_data["suite"]["unusable"] = ["broken.json: cut off"]
    conformance_data["suite"]["files"][1]["numberOfTests"] = 5
    conformance_data["adapters"].append({"name": "gone", "versions": {}, "optimizers": [], "error": "no license"})
    assert sentence(load()) == (
        "0 of 3 implementations conform; 1 deviate only in cases where that is expected: keras-jax (1); 2 do not, or "
        "were not wholly tested: torch (1 fail and 1 error) and gone (did not start) at commit 12345678. 9 cases, 27 "
        "answers: 14 pass, 1 expected deviation and 1 skipped. What is skipped is what an implementation does not "
        "offer. Not tested: 2 of the 5 tests of names.json; 1 vector file that could not be used."
    )


def test_results_of_nothing_are_no_conformance(conformance_data, load):
    conformance_data["results"] = []
    conformance_data["adapters"][0]["error"] = "no license"
    assert sentence(load()) == (
        "Whether the implementations conform at commit 12345678 is unknown: torch did not start."
    )
    assert Cases().draw(load()) == []
    html = render(load(), "x")
    assert "torch did not start" in html
    assert "no license" in html
    assert "the file holds no results" in html


@pytest.fixture
def two(conformance_data, tmp_path):
    """Two files of which the newer one, first by name, lacks keras-jax."""
    newer = copy.deepcopy(conformance_data)
    newer["created"] = "2026-05-02T00:00:00+02:00"
    newer["adapters"] = newer["adapters"][:1]
    newer["results"] = newer["results"][::2]
    for name, data in (("a.json", newer), ("b.json", conformance_data)):
        (tmp_path / "r" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "r" / name).write_text(json.dumps(data))
    return read([tmp_path / "r"])


def test_of_several_files_each_is_shown_and_the_newest_is_named(two):
    first, second = sheets(two)
    assert (first.title, first.suffix, first.replaced) == (": r/a.json", "-r-a", {})
    assert second.replaced == {"torch": "r/a.json"}
    html = render(two, "x")
    assert "torch was run again later: r/a.json." in html
    assert "The newest results of the others." in html
    assert 'id="conformance-matrix-r-a"' in html
    assert "(r/a.json)" in answers(two)[0].sentence
    assert len(answers(two)) == 2


def test_names_that_give_one_anchor_are_told_apart(conformance_data, tmp_path):
    for name in ("x-2.json", "x.json", "X.json", "x_2.json"):
        (tmp_path / name).write_text(json.dumps(conformance_data))
    results = read([tmp_path])
    suffixes = [sheet.suffix for sheet in sheets(results)]
    assert len(set(suffixes)) == 4
    assert len(matrices(results)) == 4
    render(results, "x")


def test_the_counts_lead_to_the_cases(conformance_data, load):
    conformance_data["results"][0].update(outcome="skipped", message="a & b=c")
    html = render(load(), "x")
    assert 'href="#conformance-not-passed&amp;find-conformance-not-passed=torch%20skipped%20a%20%26%20b%3Dc"' in html


def test_nan_and_infinity_are_text_in_the_data(conformance_data, load):
    conformance_data["results"][0]["largestUlp"] = {"params": math.nan, "m": math.inf}
    conformance_data["results"][1]["largestUlp"] = {"params": 1.0, "m": math.inf}
    [figure] = Cases().draw(load())
    assert figure.data[1].rows[0][-2:] == ("NaN", "∞")
