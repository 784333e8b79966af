"""``python -m suite agree``: what two implementations make of the same inputs, beside one another."""

import json
from pathlib import Path

import jsonschema
import pytest

from suite import agree
from suite.__main__ import main
from suite.adapters import home
from suite.deviations import Deviation
from suite.load import SCHEMA, VECTORS

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "bench/results/agreement.json"
EXAMPLE = "suite/examples/numpy_alphaadam.py:NumpyAlphaAdam"
RESULTS_SCHEMA = json.loads((SCHEMA.parent / "agreement.schema.json").read_text())
OTHERS = """
import numpy as np
from suite.adapters import Observation, UnsupportedError
from suite.examples.numpy_alphaadam import NumpyAlphaAdam


class Same(NumpyAlphaAdam):
    pass


class InPlace(NumpyAlphaAdam):
    "Hands out arrays that its next step changes."

    def load(self, dtype, params, *state):
        super().load(dtype, params, *state)
        self.kept = [np.array(tensor) for tensor in params]

    def add(self, params):
        super().add(params)
        self.kept += [np.array(tensor) for tensor in params]

    def step(self, gradients, lr):
        for kept, new in zip(self.kept, super().step(gradients, lr).params, strict=True):
            kept[...] = new
        return Observation(self.kept)


class TwiceTheRate(NumpyAlphaAdam):
    def step(self, gradients, lr):
        return super().step(gradients, 2 * lr)


class ThreeUlpFromTheSecondStep(NumpyAlphaAdam):
    def load(self, dtype, params, *state):
        super().load(dtype, params, *state)
        self.taken = 0

    def step(self, gradients, lr):
        self.taken += 1
        params = [np.array(tensor) for tensor in super().step(gradients, lr).params]
        if self.taken > 1:
            params[0].flat[0] += 3 * np.spacing(params[0].flat[0])
        return Observation(params)


class Wide(NumpyAlphaAdam):
    def step(self, gradients, lr):
        return Observation([tensor.astype("float64") for tensor in super().step(gradients, lr).params])


class Broken(NumpyAlphaAdam):
    def step(self, gradients, lr):
        raise RuntimeError("no such kernel")


class Crashing(NumpyAlphaAdam):
    def step(self, gradients, lr):
        import os
        os._exit(3)


class WithoutDecay(NumpyAlphaAdam):
    def construct(self, hyperparameters):
        if hyperparameters["weight_decay"]:
            raise UnsupportedError("no weight decay")
        super().construct(hyperparameters)
"""


@pytest.fixture
def other(tmp_path):
    """The name of another implementation."""
    path = tmp_path / "others.py"
    path.write_text(OTHERS)
    return lambda name: f"{path}:{name}"


@pytest.fixture
def folder(tmp_path):
    """A folder with vectors of one step and of several."""
    folder = tmp_path / "vectors"
    folder.mkdir()
    for name in ("single-step.json", "trajectory.json", "hyperparameters.json"):
        (folder / name).write_text((VECTORS / name).read_text())
    return folder


@pytest.fixture
def run(folder, tmp_path, capsys):
    """Compare adapters; return the exit status, what was printed, and the results, valid by their schema."""

    def run(*names, only="adamw/*"):
        output = tmp_path / "new" / "agreement.json"
        adapters = [argument for name in names for argument in ("--adapter", name)]
        status = main(["agree", "--vectors", str(folder), "--output", str(output), "--only", only, *adapters])
        document = json.loads(output.read_text())
        jsonschema.validate(document, RESULTS_SCHEMA)
        return status, capsys.readouterr().out, document

    return run


def cases(document):
    [pair] = document["pairs"]
    return {(case["id"], case["dtype"]): case for case in pair["cases"]}


@pytest.mark.parametrize("name", ["Same", "InPlace"])
def test_two_that_do_the_same_are_bitwise_equal(run, other, name):
    status, printed, document = run(EXAMPLE, other(name))
    assert status == 0
    [pair] = document["pairs"]
    assert (pair["optimizer"], pair["framework"], pair["adapters"]) == ("AlphaAdam", None, [EXAMPLE, other(name)])
    compared = [case for case in pair["cases"] if case["outcome"] != "skipped"]
    assert {case["dtype"] for case in compared} == {"float32", "float64", "bfloat16", "float16"}
    assert {case["type"] for case in compared} == {"SingleStep", "Trajectory"}  # and no invalid hyperparameters
    assert {case["outcome"] for case in compared} == {"equal"}
    assert {(case["largestUlp"], case["firstApart"]) for case in compared} == {(0.0, None)}
    assert {case["largestRelative"] for case in compared} <= {0.0, None}
    assert f"| {len(compared)} | 0 | 0 |" in printed


def test_another_rate_is_half_of_the_further_way_apart(run, other):
    status, printed, document = run(EXAMPLE, other("TwiceTheRate"), only="adamw/no-weight-decay")
    assert status == 0  # a distance is a finding
    for dtype, precision in (("float32", 1e-3), ("float64", 1e-9)):
        case = cases(document)["adamw/no-weight-decay", dtype]
        assert (case["outcome"], case["firstApart"]) == ("apart", 1)
        assert case["largestRelative"] == pytest.approx(0.5, rel=precision)
        assert case["largestUlp"] > 1000
    assert "| 0.5 |" in printed
    # The other way round it is the same.
    _, _, turned = run(other("TwiceTheRate"), EXAMPLE, only="adamw/no-weight-decay")
    assert cases(turned) == cases(document)


def test_a_distance_has_its_size_and_its_first_step(run, other):
    _, _, document = run(EXAMPLE, other("ThreeUlpFromTheSecondStep"), only="adamw/decay")
    found = [cases(document)["adamw/decay", dtype] for dtype in ("float32", "float64")]
    assert [(case["largestUlp"], case["firstApart"]) for case in found] == [(3.0, 2)] * 2


def test_what_one_does_not_offer_is_skipped_and_counted(run, other):
    status, printed, document = run(EXAMPLE, other("WithoutDecay"), only="adamw/*")
    assert status == 0
    found = cases(document)
    decaying = found["adamw/large-weight-decay", "float32"]
    assert (decaying["outcome"], decaying["message"]) == ("skipped", f"{other('WithoutDecay')}: no weight decay")
    assert (decaying["largestUlp"], decaying["largestRelative"], decaying["firstApart"]) == (None, None, None)
    assert found["adamw/no-weight-decay", "float32"]["outcome"] == "equal"
    outcomes = [case["outcome"] for case in found.values()]
    assert f"| {outcomes.count('equal')}, {outcomes.count('skipped')} skipped | {outcomes.count('equal')} |" in printed


def test_where_nothing_can_be_compared_that_is_no_success(run, other):
    status, printed, _ = run(EXAMPLE, other("WithoutDecay"), only="adamw/large-weight-decay")
    assert status == 1
    assert "0 cases compared" in printed


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Broken", "RuntimeError: no such kernel"),
        ("Crashing", "died with exit code 3"),
        ("Wide", "after step 1 one has [('float32', "),
    ],
)
def test_what_cannot_be_compared_is_an_error_and_fails(run, other, name, message):
    status, printed, document = run(EXAMPLE, other(name), only="adamw/no-weight-decay")
    case = cases(document)["adamw/no-weight-decay", "float32"]
    assert (status, case["outcome"], case["largestUlp"]) == (1, "error", None)
    assert message in case["message"]
    assert message in printed


@pytest.mark.parametrize(
    ("dtypes", "others"), [(["float32", "float64"], "– | – | 2 cases"), (["float64"], "0.5 | 1 case")]
)
def test_a_known_deviation_stands_with_its_case_and_apart_from_the_others(run, other, monkeypatch, dtypes, others):
    name = other("TwiceTheRate")
    listed = Deviation(name, "single-step.json", ["adamw/no-*"], dtypes, "Twice | the rate.", "https://x")
    monkeypatch.setattr(agree.deviations, "load", lambda: [listed])
    _, printed, document = run(EXAMPLE, name, only="adamw/no-weight-decay")
    known = [{"adapter": name, "reason": "Twice | the rate.", "link": "https://x"}]
    for (_, dtype), case in cases(document).items():
        assert case["deviations"] == (known if dtype in dtypes else [])
    assert f"{others}, up to 0.5. {name}: Twice \\| the rate. |" in printed


def test_an_adapter_that_cannot_start_is_an_error_and_the_others_go_on(run, other, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("import a_library_that_is_not_there")
    status, printed, document = run(EXAMPLE, other("Same"), f"{path}:Mine", only="adamw/no-weight-decay")
    assert status == 1
    [error] = [adapter["error"] for adapter in document["adapters"] if "error" in adapter]
    assert "No module named 'a_library_that_is_not_there'" in error
    assert error in printed
    assert [pair["adapters"] for pair in document["pairs"]] == [[EXAMPLE, other("Same")]]


def test_the_frameworks_adamw_and_alphaadam_as_adamw(tmp_path, capsys):
    output = tmp_path / "agreement.json"
    names = ["--adapter", "torch-adamw", "--adapter", "torch-as-adamw"]
    assert main(["agree", *names, "--only", "eps-after/*", "--output", str(output)]) == 0
    document = json.loads(output.read_text())
    [pair] = document["pairs"]
    assert (pair["optimizer"], pair["framework"]) == ("AdamW", "torch")
    assert [file["name"] for file in document["suite"]["files"]] == ["adamw.json"]
    assert [case["outcome"] for case in pair["cases"]].count("equal") >= len(pair["cases"]) / 3
    assert max(case["largestUlp"] for case in pair["cases"]) < 20
    assert "| AdamW | torch | torch-adamw and torch-as-adamw | 26 |" in capsys.readouterr().out


def offered(**names):
    return {name.replace("_", "-"): {"optimizers": optimizers} for name, optimizers in names.items()}


def test_two_are_compared_where_framework_backend_and_optimizer_are_the_same():
    entries = offered(
        torch_baselines=["Adan", "GaLore"],
        pytorch_optimizer=["Adan", "GaLore"],
        galore_torch=["GaLore"],
        optax_contrib=["GaLore"],
        keras_jax_baselines=["Adan"],
        keras_torch_baselines=["Adan"],
    )
    assert [(pair.optimizer, *pair.names) for pair in agree._pairs(entries)] == [
        ("Adan", "torch-baselines", "pytorch-optimizer"),
        ("GaLore", "torch-baselines", "pytorch-optimizer"),
        ("GaLore", "torch-baselines", "galore-torch"),
        ("GaLore", "pytorch-optimizer", "galore-torch"),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("torch-fused", ("torch", None)),
        ("pytorch-optimizer", ("torch", None)),
        ("optax-contrib", ("optax", None)),
        ("keras-optimizers", ("keras", "jax")),
        ("keras-torch-baselines", ("keras", "torch")),
        (EXAMPLE, None),
    ],
)
def test_an_adapter_is_of_one_framework(name, expected):
    assert home(name) == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["tourch"], "--adapter tourch: unknown. Choose from: torch, torch-loop"),
        (
            [EXAMPLE],
            f"offer one optimizer in one framework, on one backend of Keras: {EXAMPLE} has AlphaAdam (any framework). ",
        ),
        ([EXAMPLE, "torch-adamw"], "torch-adamw has AdamW (torch). Name two with --adapter that do"),
    ],
)
def test_adapters_that_cannot_be_compared_are_refused_and_the_old_file_stays(tmp_path, capsys, names, message):
    output = tmp_path / "agreement.json"
    output.write_text("old")
    arguments = [argument for name in names for argument in ("--adapter", name)]
    assert main(["agree", *arguments, "--output", str(output)]) == 2
    assert message in capsys.readouterr().err
    assert output.read_text() == "old"


def test_a_file_that_cannot_be_used_fails_and_the_others_are_compared(run, folder, other):
    (folder / "mask.json").write_text("{")
    status, printed, document = run(EXAMPLE, other("Same"), only="adamw/no-weight-decay")
    assert status == 1
    assert "mask.json: not JSON" in printed
    assert {case["outcome"] for case in document["pairs"][0]["cases"]} == {"equal"}


def test_help_says_what_is_measured(capsys):
    with pytest.raises(SystemExit):
        main(["agree", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "What the vectors expect plays no part." in printed
    assert "example: python -m suite agree --adapter torch-baselines" in printed


def test_the_kept_results_are_whole_and_the_documentation_has_their_figures():
    document = json.loads(KEPT.read_text())
    jsonschema.validate(document, RESULTS_SCHEMA)
    assert agree.problems(document) == []
    compared = [case for pair in document["pairs"] for case in pair["cases"] if case["outcome"] != "skipped"]
    plain = [case for case in compared if not case["deviations"]]
    equal = sum(case["outcome"] == "equal" for case in plain)
    largest = max(case["largestUlp"] for case in plain)
    page = " ".join((ROOT / "docs/baselines.md").read_text().split())
    assert f"{len(compared)} cases were compared. In {len(plain)} neither is known to deviate: {equal} of" in page
    assert f"the others at most {largest:g} ulp apart. The other {len(compared) - len(plain)} are apart" in page
