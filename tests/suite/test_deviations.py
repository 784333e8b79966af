import json

import pytest

from suite import deviations
from suite.adapters import ADAPTERS
from suite.check import Outcome
from suite.load import load_all


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
        assert {(entry.file, test, dtype) for test in entry.tests for dtype in entry.dtypes} <= tests


def test_a_list_of_another_form_is_refused(tmp_path):
    path = tmp_path / "deviations.json"
    path.write_text('[{"adapter": "torch"}]')
    with pytest.raises(ValueError, match=r"deviations.json: no list of deviations"):
        deviations.load(path)
