"""Reading conformance results: every result that can be used, and one sentence for each thing that cannot."""

import math

import pytest

from reports.sources.conformance import load_conformance
from reports.sources.conformance_results import First
from reports.sources.error import SourceError


@pytest.fixture
def load(conformance_data, conformance_file):
    """Loads the results and gives them with what was complained about."""

    def load():
        reasons = []
        conformance = load_conformance(conformance_file(conformance_data), lambda path, reason: reasons.append(reason))
        return conformance, reasons

    return load


def test_every_result_is_there(conformance_data, load):
    first = {"step": 2, "steps": 3, "quantity": "m", "tensor": 1, "element": [0, 2], "expected": 0.5, "actual": "NaN"}
    first |= {"ulp": "Infinity", "tolerance": 4.4}
    deviation = {"reason": "Epsilon hat.", "link": "https://keras.io"}
    conformance_data["results"][0] |= {"outcome": "fail", "message": "it differs", "firstDifference": first}
    conformance_data["results"][1] |= {"outcome": "expected-deviation", "deviation": deviation, "notReported": ["mask"]}
    conformance_data["results"][2]["largestUlp"] = {"params": "NaN", "m": "Infinity"}
    conformance, reasons = load()
    assert reasons == []
    assert len(conformance.results) == 18
    failed, deviated, strange = conformance.results[:3]
    assert failed.first == First("2 of 3", "m", "1", "[0, 2]", "0.5", "NaN", math.inf, 4.4)
    assert (deviated.reason, deviated.link, deviated.not_reported) == ("Epsilon hat.", "https://keras.io", ("mask",))
    assert math.isnan(strange.largest_ulp["params"])
    assert strange.largest_ulp["m"] == math.inf
    assert [adapter.name for adapter in conformance.adapters] == ["torch", "keras-jax"]
    assert conformance.commit == conformance_data["commit"]
    assert conformance.untested() == []


def old(data):
    """The same as files of the first version have it."""
    data["schema"] = "alphaadam-conformance-1"
    del data["selection"]
    for adapter in data["adapters"]:
        del adapter["optimizers"]
    for file in data["suite"]["files"]:
        del file["optimizer"]
    for result in data["results"]:
        del result["firstDifference"], result["deviation"]


def test_files_of_the_first_version_are_read_too(conformance_data, load):
    conformance_data["results"][0] |= {
        "outcome": "expected-deviation",
        "message": "Why. (https://x)\nstep 1 of 1: m[0]",
    }
    conformance_data["results"][3]["optimizer"] = "AlphaMaskSGD"
    old(conformance_data)
    conformance, reasons = load()
    assert reasons == []
    assert conformance.results[0].reason == "Why. (https://x)"
    assert conformance.adapters[0].optimizers == {"AlphaAdam"}
    assert conformance.adapters[1].optimizers == {"AlphaAdam", "AlphaMaskSGD"}


def test_what_was_not_asked_is_not_missing(conformance_data, load):
    conformance_data["adapters"][1]["optimizers"] = ["AlphaAdam", "AlphaMaskSGD"]
    conformance_data["results"][1]["optimizer"] = conformance_data["results"][0]["optimizer"] = "AlphaMaskSGD"
    del conformance_data["results"][0], conformance_data["results"][1]
    conformance, _ = load()
    torch = conformance.adapters[0]
    cases = {case.id: case for case in conformance.by_case if case.dtype == "float32"}
    assert conformance.missing(cases["case-0"], torch) == ""
    assert conformance.missing(cases["case-1"], torch) == "the file does not hold it"


@pytest.mark.parametrize(("results", "why"), [(0, "it did not start"), (1, "it crashed and did not start again")])
def test_what_an_adapter_lacks_because_it_broke_is_missing(conformance_data, load, results, why):
    conformance_data["adapters"][0] |= {"error": "no license", "optimizers": ["AlphaAdam"] if results else []}
    own = [result for result in conformance_data["results"] if result["adapter"] == "torch"]
    conformance_data["results"] = own[:results] + [one for one in conformance_data["results"] if one not in own]
    conformance, reasons = load()
    assert reasons == []
    absent = [case for case, found in conformance.by_case.items() if "torch" not in found]
    assert {conformance.missing(case, conformance.adapters[0]) for case in absent} == {why}


def test_what_was_not_tested_is_said(conformance_data, load):
    files = conformance_data["suite"]["files"]
    files.append({"name": "adamw.json", "sha256": "", "optimizer": "AdamW", "numberOfTests": 52})
    files[0]["numberOfTests"] = 10
    conformance_data["selection"] = {"only": "alphaadam/*", "flag": "Subnormal", "failFast": False}
    conformance, _ = load()
    assert conformance.untested() == [
        "tests whose id does not fit alphaadam/*",
        "tests without the flag Subnormal",
        "4 of the 10 tests of mask.json",
        "adamw.json (52 tests of AdamW, which no adapter here offers)",
    ]
    assert conformance.command() == (
        "python -m suite run --adapter torch --adapter keras-jax --only 'alphaadam/*' --flag Subnormal"
    )


def test_of_two_results_of_one_case_the_worse_one_stands_and_it_is_said(conformance_data, load):
    again = {**conformance_data["results"][0], "outcome": "fail", "message": "differs"}
    conformance_data["results"] += [again, dict(conformance_data["results"][1]), conformance_data["results"][0]]
    conformance, reasons = load()
    assert len(conformance.results) == 18
    assert conformance.results[0].outcome == "fail"
    assert reasons == [
        "results[18], results[20]: a second result of an adapter for one case, another outcome; the worse one stands.",
        "results[19]: a second result of an adapter for one case, the same once more.",
    ]


def change(**values):
    return lambda data: data["results"][0].update(values)


@pytest.mark.parametrize(
    ("spoil", "said", "left"),
    [
        (change(outcome="passed"), "results[0]: left out, its outcome 'passed' is none of pass, skipped,", 17),
        (change(outcome=["pass"]), "results[0]: left out, its outcome is none of", 17),
        (lambda data: data["results"][0].pop("id"), "results[0]: left out, it does not say its id.", 17),
        (lambda data: data["results"].insert(0, 7), "results[0]: left out, it is no object.", 18),
        (change(dtype=7), "results[0]: left out, its dtype is no name.", 17),
        (change(largestUlp={"params": "wide"}), "results[0]: one of its largest distances is left out", 18),
        (change(largestUlp={"params": -1}), "results[0]: one of its largest distances is left out", 18),
        (change(largestUlp=None), "results[0]: its largest distances are missing.", 18),
        (change(notReported=["colour"]), "results[0]: what it does not report is no list of known", 18),
        (change(firstDifference={"quantity": "x"}), "results[0]: its first difference is left out", 18),
        (change(adapter="numpy"), "adapters: adapter numpy has results and is not listed", 18),
        (
            lambda data: data["adapters"].append(data["adapters"][0]),
            "adapters[2]: left out, a second entry of torch.",
            18,
        ),
        (lambda data: data.pop("suite"), "suite: it is missing, or no object.", 18),
        (lambda data: data["suite"]["files"].append({}), "suite.files[2]: left out", 18),
        (lambda data: data["suite"].update(unusable=3), "suite.unusable: it is no list of sentences.", 18),
        (lambda data: data["machine"].update(cores=2), "cores: left out of machine, it is no text.", 18),
    ],
)
def test_what_is_broken_is_named_and_the_rest_is_kept(conformance_data, load, spoil, said, left):
    spoil(conformance_data)
    conformance, reasons = load()
    assert reasons
    assert reasons[0].startswith(said)
    assert len(conformance.results) == left


def test_a_hundred_broken_results_are_one_sentence(conformance_data, load):
    for result in conformance_data["results"]:
        del result["file"]
    _, reasons = load()
    assert reasons[0] == "results[0], results[1], results[2] and 15 more: left out, it does not say its file."


@pytest.mark.parametrize("key", ["results", "adapters"])
def test_a_file_without_results_or_adapters_is_of_no_use(conformance_data, load, key):
    conformance_data[key] = {"a": 1}
    with pytest.raises(SourceError, match=rf"It has no list of {key}\. Make it again with `python -m suite run`\."):
        load()
