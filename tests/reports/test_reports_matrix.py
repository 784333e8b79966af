"""The conformance matrix: the worst is shown, and a gap is not a pass."""

from reports.matrix import matrix
from reports.sources import load_conformance


def groups(conformance_data, conformance_file):
    return matrix(load_conformance(conformance_file(conformance_data)))


def test_cases_are_grouped_by_file_type_and_dtype(conformance_data, conformance_file):
    result = groups(conformance_data, conformance_file)
    assert [(group.file, group.kind) for group in result] == [
        ("mask.json", "SingleStep float32"),
        ("mask.json", "SingleStep float64"),
        ("names.json", "Invalid"),
    ]
    assert [tally.words for tally in result[0].tallies] == ["3 of 3 pass", "3 of 3 pass"]
    assert result[0].tallies[0].quantities == ["params 1", "m 0.25"]
    assert not any(group.troubled for group in result)


def test_a_skipped_case_with_its_reason_is_no_trouble(conformance_data, conformance_file):
    conformance_data["results"][2].update(outcome="skipped", message="no complex numbers")
    group = groups(conformance_data, conformance_file)[0]
    assert not group.troubled
    assert group.tallies[0].words == "2 of 3 pass, 1 skipped"


def test_one_failure_marks_its_group_and_comes_first(conformance_data, conformance_file):
    conformance_data["results"][4].update(outcome="fail", message="step 1, tensor w")
    conformance_data["results"][2].update(outcome="skipped", message="no reason")
    group = groups(conformance_data, conformance_file)[0]
    assert group.troubled
    assert (group.tallies[0].outcome, group.tallies[0].words) == ("fail", "1 of 3 pass, 1 fail, 1 skipped")
    assert group.tallies[1].outcome == "pass"
    assert [case for case, _ in group.cases] == ["case-1", "case-2", "case-0"]
    assert group.cases[1][1][0].message == "step 1, tensor w"


def test_a_case_that_an_adapter_did_not_report_is_missing(conformance_data, conformance_file):
    del conformance_data["results"][0]
    group = groups(conformance_data, conformance_file)[0]
    assert (group.tallies[0].outcome, group.tallies[0].words) == ("missing", "2 of 3 pass, 1 missing")
    assert group.cases[0][0] == "case-0"
    assert group.cases[0][1][0].outcome == "missing"


def test_a_distance_that_is_not_a_number_is_the_largest(conformance_data, conformance_file):
    conformance_data["results"][0]["largestUlp"] = {"params": "NaN"}
    assert groups(conformance_data, conformance_file)[0].tallies[0].quantities[0] == "params nan"


def test_what_an_adapter_cannot_observe_is_said(conformance_data, conformance_file):
    conformance_data["results"][2]["notReported"] = ["mask"]
    group = groups(conformance_data, conformance_file)[0]
    assert group.tallies[0].quantities[-1] == "mask not reported"
    assert group.tallies[1].quantities[-1] != "mask not reported"
