"""Tests of bench.frameworks.torch_speed, on tensors that take no time."""

import importlib.util
import json

import pytest
import torch

from bench import paired
from bench.frameworks import torch_speed
from bench.frameworks.torch_speed import VariantStep, environment, measure
from bench.speed.cells import Cell, NotMeasurableError
from bench.speed.plans import FRAMEWORKS


def test_every_variant_that_can_be_asked_for_can_be_built_and_back():
    assert set(torch_speed.VARIANTS) == set(FRAMEWORKS["torch"].variants)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize(
    "variant", ["adamw-fused", "adamw-foreach", "adamw-loop", "alphaadam-foreach", "alphaadam-loop"]
)
def test_a_cell_is_measured(variant, dtype):
    result = measure(Cell("cpu", dtype, "3x500", variant), seconds=0.0, transient=True)
    assert len(result["seconds"]) == len(result["baselineSeconds"]) == paired.MIN_ROUNDS
    assert min(result["seconds"]) > 0
    itemsize = getattr(torch, dtype).itemsize
    assert (result["parameters"], result["tensors"], result["parameterBytes"]) == (1500, 3, 1500 * itemsize)
    assert result["stateBytes"] == result["baselineStateBytes"] == 3 * (2 * 500 * itemsize + 4)
    assert (variant == "adamw-fused") == (result["transientBytes"] < 100)
    json.dumps(result, allow_nan=False)


FUSED = Cell("cpu", "float32", "3x50000", "alphaadam-fused")
NUMBA = importlib.util.find_spec("numba") is not None


@pytest.mark.skipif(not NUMBA, reason="Numba is not installed")
def test_the_fused_step_is_measured_and_allocates_a_bit_per_element():
    result = measure(FUSED, seconds=0.0, transient=True)
    assert result["transientBytes"] <= 0.04 * result["parameterBytes"]


@pytest.mark.skipif(NUMBA, reason="Numba is installed")
def test_without_numba_the_fused_steps_own_message_is_the_reason():
    with pytest.raises(RuntimeError, match="fused"):
        measure(FUSED, seconds=0.0, transient=True)


def test_memory_is_left_out_where_it_is_not_asked_for():
    result = measure(Cell("cpu", "float32", "1x10", "adamw-loop"), seconds=0.0, transient=False)
    assert "transientBytes" not in result


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda_the_reason_says_so():
    with pytest.raises(NotMeasurableError, match="no CUDA device"):
        measure(Cell("cuda", "float32", "1x10", "adamw-loop"), seconds=0.0, transient=False)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_cell_is_measured_on_cuda():
    result = measure(Cell("cuda", "bfloat16", "3x500", "adamw-foreach"), seconds=0.0, transient=True)
    assert min(result["seconds"]) > 0
    assert result["transientBytes"] >= 1500 * 2


def test_what_does_not_fit_is_not_tried(monkeypatch):
    monkeypatch.setattr(torch_speed, "available_bytes", lambda device: 21 * 2**30)
    with pytest.raises(
        NotMeasurableError, match=r"^needs about 20\.3 GiB of memory; 21\.0 GiB are free, some to be left$"
    ):
        measure(Cell("cpu", "float32", "gpt2-large", "adamw-fused"), seconds=0.0, transient=False)


class Idle(torch.optim.AdamW):
    """A step that does nothing is fast."""

    def step(self, closure=None):
        pass


class Exploding(torch.optim.AdamW):
    """A step that makes values that are no numbers."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            group["params"][-1].fill_(torch.nan)


@pytest.mark.parametrize("optimizer", [Idle, Exploding])
def test_a_step_that_does_not_do_its_work_gives_no_figure(optimizer, monkeypatch):
    monkeypatch.setitem(torch_speed.OPTIMIZERS, "alphaadam", optimizer)
    with pytest.raises(NotMeasurableError, match="does not do its work: a parameter of shape"):
        measure(Cell("cpu", "float32", "2x10", "alphaadam-loop"), seconds=0.0, transient=False)


class Uncompiled(torch.optim.AdamW):
    """A step that torch.compile leaves alone."""

    @torch.compiler.disable
    def step(self, closure=None):
        return super().step(closure)


def test_a_step_that_is_not_compiled_is_not_measured_as_compiled(monkeypatch):
    monkeypatch.setitem(torch_speed.OPTIMIZERS, "alphaadam", Uncompiled)
    with pytest.raises(NotMeasurableError, match=r"torch\.compile found nothing"):
        measure(Cell("cpu", "float32", "2x10", "alphaadam-compile"), seconds=0.0, transient=False)


def test_both_get_the_same_values_and_gradients_and_copies_of_parameters():
    values = [torch.ones(3), torch.zeros(2)]
    one, other = (VariantStep("adamw-loop", values) for _ in range(2))
    for step in (one, other):
        step.take([torch.ones(3), torch.ones(2)])
    one.run()
    assert all(torch.equal(parameter, value) for parameter, value in zip(other.parameters, values, strict=True))
    other.run()
    assert all(torch.equal(*both) for both in zip(one.parameters, other.parameters, strict=True))


def test_the_environment_names_versions_code_hardware_and_threads():
    found = environment("cpu")
    assert {"alphaadam", "numpy", "python", "torch"} <= set(found["versions"])
    assert found["threads"] == torch.get_num_threads()
    assert found["cores"] >= 1
    assert len(found["alphaadamSource"]) == 12
    assert found["device"]
    assert environment("cpu") == found
