"""``python -m suite`` as a user meets it."""

import json

import jsonschema
import pytest

from suite.__main__ import main
from suite.load import SCHEMA, VECTORS

EXAMPLE = "suite/examples/numpy_alphaadam.py:NumpyAlphaAdam"
RESULTS_SCHEMA = json.loads((SCHEMA.parent / "results.schema.json").read_text())


@pytest.fixture
def folder(tmp_path):
    """A folder with one vector file."""
    folder = tmp_path / "vectors"
    folder.mkdir()
    (folder / "mask.json").write_text((VECTORS / "mask.json").read_text())
    return folder


@pytest.fixture
def run(folder, tmp_path, capsys):
    """Run adapters on the folder; return the exit status, what was printed and the results, valid by their schema."""

    def run(*arguments):
        output = tmp_path / "new" / "conformance.json"
        status = main(["run", "--vectors", str(folder), "--output", str(output), *arguments])
        document = json.loads(output.read_text())
        jsonschema.validate(document, RESULTS_SCHEMA)
        return status, capsys.readouterr().out, document

    return run


def test_run_prints_a_matrix_and_writes_every_result(run):
    status, printed, document = run("--adapter", "torch", "--adapter", EXAMPLE)
    assert status == 0
    assert "mask.json SingleStep float32" in printed
    assert "60/60 pass" in printed
    assert document["adapters"][0]["versions"].keys() == {"alphaadam", "torch", "lion-pytorch"}
    assert len(document["results"]) == 2 * document["suite"]["files"][0]["numberOfTests"]
    assert {r["outcome"] for r in document["results"]} == {"pass"}


def test_an_adapter_runs_the_files_of_every_optimizer_that_it_offers(run, folder):
    for name in ("alpha-mask-sgd.json", "alpha-mask-lion.json", "adamw.json"):
        (folder / name).write_text((VECTORS / name).read_text())
    status, _, document = run("--adapter", "torch", "--adapter", EXAMPLE, "--only", "*/*-agree*")
    assert status == 0
    files = {(r["adapter"], r["file"]) for r in document["results"]}
    masks = {("torch", f"alpha-mask-{inner}.json") for inner in ("sgd", "lion")}
    assert files == {("torch", "mask.json"), (EXAMPLE, "mask.json"), *masks}
    assert all("v" not in r["notReported"] for r in document["results"])
    offered = {adapter["name"]: adapter["optimizers"] for adapter in document["adapters"]}
    assert offered == {"torch": ["AlphaAdam", "AlphaMaskLion", "AlphaMaskSGD"], EXAMPLE: ["AlphaAdam"]}
    assert [file["optimizer"] for file in document["suite"]["files"] if file["name"] == "adamw.json"] == ["AdamW"]


def test_the_largest_errors_are_not_those_of_known_deviations(run, folder):
    (folder / "adamw.json").write_text((VECTORS / "adamw.json").read_text())
    status, printed, document = run("--adapter", "optax-adamw", "--only", "*/large-eps")
    assert status == 0
    deviating = [r for r in document["results"] if r["outcome"] == "expected-deviation"]
    assert max(float(r["largestUlp"]["params"]) for r in deviating) > 1000
    [largest] = [line.split()[-1] for line in printed.splitlines() if line.startswith("largest error in params")]
    assert float(largest) < 100


def test_tests_are_chosen_by_id_and_by_flag(run):
    _, _, document = run("--adapter", EXAMPLE, "--only", "alphaadam/*", "--flag", "Subnormal")
    assert document["selection"] == {"only": "alphaadam/*", "flag": "Subnormal", "failFast": False}
    assert {r["id"] for r in document["results"]} == {"alphaadam/subnormal"}


def test_choosing_no_test_at_all_is_no_success(run):
    status, printed, _ = run("--adapter", EXAMPLE, "--only", "alphaadma/*")
    assert status == 1
    assert "no test was run" in printed


def spoil(folder):
    path = folder / "mask.json"
    document = json.loads(path.read_text())
    document["groups"][0]["tests"][0]["steps"][0]["expected"]["mask"][0]["data"] = [1, 0, 1, 1]
    document["groups"][0]["tests"][1]["steps"][0]["expected"]["alpha"] = [1.5]
    path.write_text(json.dumps(document))


def test_a_failing_test_is_printed_and_fails_the_run(folder, run):
    spoil(folder)
    status, printed, document = run("--adapter", EXAMPLE)
    assert status == 1
    assert f"FAIL {EXAMPLE} mask.json adamw/all-agree float32" in printed
    assert "mask[0] differs in 1 of 4 elements, first at element [1]: expected 0, got 1" in printed
    assert "alpha[0] differs by" in printed
    assert "expected 1.5, got 1.0" in printed
    mask, alpha = (r["firstDifference"] for r in document["results"] if r["outcome"] == "fail")
    place = {"step": 1, "steps": 1, "tensor": 0}
    assert mask == {
        **place,
        "quantity": "mask",
        "element": [1],
        "expected": 0,
        "actual": 1,
        "ulp": None,
        "tolerance": None,
    }
    assert alpha.items() >= {**place, "quantity": "alpha", "element": [], "expected": 1.5, "actual": 1.0}.items()
    assert alpha["ulp"] > alpha["tolerance"]
    assert len(document["results"]) == document["suite"]["files"][0]["numberOfTests"]


def test_fail_fast_ends_each_adapter_with_its_first_failure(folder, run):
    spoil(folder)
    status, _, document = run("--adapter", EXAMPLE, "--adapter", "torch", "--fail-fast", "--jobs", "2")
    assert status == 1
    assert [r["adapter"] for r in document["results"]] == [EXAMPLE, "torch"]


def test_a_file_that_cannot_be_used_fails_the_run_and_the_others_go_on(folder, run):
    text = (VECTORS / "hyperparameters.json").read_text()
    (folder / "hyperparameters.json").write_text(text[:1000])
    status, printed, document = run("--adapter", EXAMPLE)
    assert status == 1
    assert "hyperparameters.json: not JSON, it may be cut off" in printed
    assert {r["outcome"] for r in document["results"]} == {"pass"}
    assert len(document["suite"]["unusable"]) == 1
    assert "hyperparameters.json: not JSON" in document["suite"]["unusable"][0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tourch", "--adapter tourch: unknown. Choose from: torch, torch-loop"),
        ("nowhere.py:Mine", "--adapter nowhere.py:Mine: there is no file nowhere.py"),
        ("suite/load.py:", "'' is no name of a class. Write path/to/file.py:ClassName"),
    ],
)
def test_an_adapter_that_cannot_be_meant_is_refused(name, message, capsys):
    assert main(["run", "--adapter", name]) == 2
    assert message in capsys.readouterr().err


BAD_ADAPTERS = {
    "raise RuntimeError('no license')": "cannot be made.*no license",
    "import a_library_that_is_not_there": "No module named 'a_library_that_is_not_there'. Install what it needs",
}


@pytest.mark.parametrize("first_line", BAD_ADAPTERS)
def test_an_adapter_that_cannot_start_is_an_error_and_the_others_go_on(run, tmp_path, first_line):
    path = tmp_path / "mine.py"
    path.write_text(first_line)
    status, printed, document = run("--adapter", f"{path}:Mine", "--adapter", EXAMPLE, "--only", "adamw/all-agree")
    assert status == 1
    error = document["adapters"][0]["error"]
    assert all(part in error for part in BAD_ADAPTERS[first_line].split(".*"))
    assert document["adapters"][0]["optimizers"] == []
    assert error.strip() in printed
    assert {r["adapter"] for r in document["results"]} == {EXAMPLE}


STUBBORN = """
import os, time
from suite.examples.numpy_alphaadam import NumpyAlphaAdam

class Stubborn(NumpyAlphaAdam):
    def load(self, dtype, params, m, v, step):
        super().load(dtype, params, m, v, step)
        if m is not None and m[0].flat[0] == 0.03125:  # new-moment-turns
            os._exit(3)
        if gradient_free(m):
            time.sleep(60)

def gradient_free(m):
    return m is None
"""


def test_a_test_that_crashes_or_hangs_is_an_error_and_the_next_one_runs(run, tmp_path):
    path = tmp_path / "stubborn.py"
    path.write_text(STUBBORN)
    chosen = ["--only", "adamw/*", "--time-limit", "2"]
    status, _, document = run("--adapter", f"{path}:Stubborn", *chosen)
    assert status == 1
    outcomes = {(r["id"], r["dtype"]): r for r in document["results"]}
    crashed = outcomes["adamw/new-moment-turns", "float32"]
    assert (crashed["outcome"], "died with exit code 3" in crashed["message"]) == ("error", True)
    hung = outcomes["adamw/all-gradients-zero-without-history", "float32"]
    assert (hung["outcome"], "no answer within 2 seconds" in hung["message"]) == ("error", True)
    assert outcomes["adamw/all-agree", "float16"]["outcome"] == "pass"


def test_the_wanted_results_file_is_complete_or_the_old_one(run, folder, tmp_path):
    run("--adapter", EXAMPLE)
    output = tmp_path / "new" / "conformance.json"
    before = output.read_text()
    (folder / "mask.json").unlink()
    assert main(["run", "--vectors", str(folder), "--output", str(output), "--adapter", EXAMPLE]) == 2
    assert output.read_text() == before
