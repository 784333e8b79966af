"""Tests of bench.frameworks.jax_speed and jax_step, on tensors that take no time."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bench import machine, paired
from bench.frameworks import jax_speed, jax_step
from bench.frameworks.jax_speed import environment, measure, optax_step
from bench.frameworks.jax_step import JaxStep
from bench.speed.cells import Cell, NotMeasurableError
from bench.speed.plans import FRAMEWORKS

CPU = jax.devices("cpu")[0]
VALUES = [np.full((8, 8), 0.1, np.float32), np.full(5, 0.1, np.float32)]


def cell(variant="adamw-jit", dtype="float32", shapes="3x500", device="cpu"):
    return Cell(device, dtype, shapes, variant)


def steps_of(variant, number=3):
    step = optax_step(variant, VALUES, CPU)
    generator = np.random.default_rng(1)
    for _ in range(number):
        step.take([jnp.asarray(generator.standard_normal(values.shape), jnp.float32) for values in VALUES])
        step.run()
    return step


@pytest.mark.parametrize("variant", FRAMEWORKS["optax"].variants)
def test_every_variant_is_measured(variant):
    result = measure(cell(variant), seconds=0.0, transient=True)
    assert len(result["seconds"]) == len(result["baselineSeconds"]) == paired.MIN_ROUNDS
    assert min(result["seconds"]) > 0
    assert result["stateBytes"] == result["baselineStateBytes"] == 3 * 2 * 500 * 4 + 4
    assert ("xla" in result) == variant.endswith("-jit")
    assert "fastestSeconds" not in result
    json.dumps(result, allow_nan=False)


def test_of_a_compiled_step_xla_tells_memory_kernels_and_traffic():
    result = measure(cell(), seconds=0.0, transient=True)
    assert result["xla"]["kernels"] >= result["xla"]["fusions"] >= 3
    assert result["xla"]["copies"] == 0
    assert result["xla"]["bytesAccessed"] == pytest.approx(40 * 1500, rel=0.01)  # m 12, v 12, parameter 16
    assert result["transientBytes"] < 1000  # everything is written into donated buffers
    assert "transientBytes" not in measure(cell(), seconds=0.0, transient=False)


def test_a_copy_of_what_is_overwritten_too_early_counts():
    def step(parameters, state, gradients):
        moved = [jnp.roll(parameter, 1) + state[0] for parameter in parameters]
        return moved, [jnp.sum(moved[0][::-1] * parameters[0])]

    own = JaxStep(step, [jnp.ones(1000)], [jnp.ones(())], True, CPU)
    own.take([])
    found = own.inspect()
    assert found["xla"]["copies"] + found["transientBytes"] // 4000 > 0


def test_what_is_not_donated_is_memory_of_the_step():
    class Kept(JaxStep):
        def __init__(self, *args):
            super().__init__(*args)
            self._jitted = jax.jit(self._function)

    made = []
    for kind in (JaxStep, Kept):
        step = kind(lambda p, s, g: ([p[0] + 1], s), [jnp.ones(1000)], [jnp.ones(())], True, CPU)
        step.take([])
        made.append(step.inspect()["transientBytes"])
    assert made[0] < 100
    assert made[1] >= 4000


def test_bfloat16_is_measured_in_bfloat16():
    result = measure(cell("alphaadam-jit", "bfloat16"), seconds=0.0, transient=False)
    assert result["parameterBytes"] == 1500 * 2
    assert result["stateBytes"] == 3 * 2 * 500 * 2 + 4


@pytest.mark.parametrize("optimizer", ["alphaadam", "alphaadam-alpha1", "adamw"])
def test_a_compiled_step_and_one_by_operations_are_the_same(optimizer):
    compiled, eager = (list(steps_of(f"{optimizer}-{form}").values()) for form in ("jit", "eager"))
    for one, other in zip(compiled, eager, strict=True):
        # Both round, in another order: some ulp of parameters of size 0.1, after steps of 1e-3.
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_what_is_measured_masks_and_alpha_1_does_not_rescale():
    adamw, masked, rescaled = (
        np.concatenate([values.ravel() for values in steps_of(f"{optimizer}-jit").values()])
        for optimizer in ("adamw", "alphaadam-alpha1", "alphaadam")
    )
    assert not np.array_equal(adamw, masked)
    assert not np.array_equal(masked, rescaled)


def test_steps_work_on_copies():
    values = [values.copy() for values in VALUES]
    step = optax_step("adamw-jit", values, CPU)
    step.take([jnp.ones(array.shape) for array in values])
    step.run()
    assert all(np.array_equal(*pair) for pair in zip(values, VALUES, strict=True))
    assert not np.array_equal(next(step.values()), values[0])


@pytest.mark.skipif(machine.resident_growth(lambda: None) is None, reason="this system does not tell")
def test_eagerly_the_growth_of_the_process_is_told():
    result = measure(cell("adamw-eager", shapes="1x1000000"), seconds=0.0, transient=True)
    assert result["transientResidentBytes"] > 4e6
    assert "transientBytes" not in result


def test_a_step_that_does_nothing_gives_no_figure(monkeypatch):
    monkeypatch.setitem(jax_speed.OPTIMIZERS, "alphaadam", lambda *args, **kwargs: optax.set_to_zero())
    with pytest.raises(NotMeasurableError, match="does not do its work"):
        measure(cell("alphaadam-jit"), seconds=0.0, transient=False)


def test_what_does_not_fit_is_not_tried(monkeypatch):
    monkeypatch.setattr(jax_speed, "available_bytes", lambda device: 10 * 2**30)
    with pytest.raises(NotMeasurableError, match=r"GiB of memory; 10\.0 GiB are free, some to be left$"):
        measure(cell(shapes="gpt2-large"), seconds=0.0, transient=False)


def test_what_jax_has_not_is_said():
    with pytest.raises(NotMeasurableError, match="float64 only where JAX_ENABLE_X64=1"):
        measure(cell(dtype="float64"), seconds=0.0, transient=False)


@pytest.mark.skipif("cuda" in jax_step.devices(), reason="there is a CUDA device")
def test_without_cuda_the_reason_says_so():
    with pytest.raises(NotMeasurableError, match="finds no device 'cuda'"):
        measure(cell(device="cuda"), seconds=0.0, transient=False)


def test_the_environment_names_versions_code_hardware_and_threads():
    found = environment("cpu")
    assert {"alphaadam", "jax", "numpy", "optax", "python"} <= set(found["versions"])
    assert found["threads"] == found["cores"] >= 1
    assert found["device"]
    assert environment("cpu") == found


def test_optimizers_are_made_with_the_same_settings(monkeypatch):
    made = {}

    def note(name, make, *args, **kwargs):
        made[name] = (args, kwargs)
        return make(*args, **kwargs)

    for name, make in list(jax_speed.OPTIMIZERS.items()):
        monkeypatch.setitem(jax_speed.OPTIMIZERS, name, partial(note, name, make))
        optax_step(f"{name}-jit", VALUES, CPU)
    assert made["adamw"] == made["alphaadam"] == made["alphaadam-alpha1"]
