"""Training in JAX: parts of a batch, bfloat16, observation, several devices."""

import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from bench.frameworks.jax import OPTIMIZERS, OptimizerStep, Training
from bench.frameworks.jax_gpt2 import mean_loss
from bench.frameworks.jax_optimizers import MASKED
from bench.tasks import Hyperparameters, parameter_shapes
from bench.tasks.execution import Execution
from tests.bench import xla_training as tiny

RATE = 1e-3
ROOT = Path(__file__).parents[2]


def make(optimizer="alphaadam", given=None, **execution):
    return Training(given or tiny.inputs(), optimizer, RATE, Execution(**execution))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_trains_and_can_be_observed(name):
    given = tiny.inputs()
    training = make(name, given)
    losses = tiny.train(training, given, 6, observe=True)
    assert np.isfinite(losses).all()
    assert len(set(losses)) == len(losses)
    observation = training.observation()
    assert list(observation["tensors"]) == list(parameter_shapes(tiny.MODEL)) == list(training.parameters())
    assert observation["gradientNorm"] > 0
    assert observation["updateNorm"] > 0
    for found in observation["tensors"].values():
        if name in MASKED:
            assert 0 < found["maskFraction"] <= 1
            assert found["alpha"] == 1 if name in ("adamw-sm", "adamw-am") else found["alpha"] >= 1
        else:
            assert found == {"maskFraction": None, "alpha": None}


def run_steps(optimizer, steps, hyperparameters):
    generator = np.random.default_rng(0)
    values = generator.standard_normal((5, 7)).astype(np.float32)
    gradients = [generator.standard_normal((5, 7)).astype(np.float32) for _ in range(steps)]
    step = OptimizerStep(optimizer, [values], RATE, hyperparameters)
    for gradient in gradients:
        step.take(OptimizerStep.gradients([gradient]))
        step.run()
    return values.astype(np.float64), gradients, next(step.values())


def test_sgd_has_momentum_and_decays_beside_it():
    values, gradients, found = run_steps("sgd", 3, Hyperparameters(weight_decay=0.5))
    momentum = 0
    for gradient in gradients:
        momentum = 0.9 * momentum + gradient
        values = values - RATE * (momentum + 0.5 * values)
    # Some roundings of numbers up to 4; decay inside the momentum would be 1e-3 off.
    np.testing.assert_allclose(found, values, rtol=0, atol=2e-6)


def test_lion_has_its_own_betas():
    values, gradients, found = run_steps("lion", 3, Hyperparameters(beta1=0.5, beta2=0.6, weight_decay=0.5))
    momentum = 0
    for gradient in gradients:
        values = values - RATE * (np.sign(0.9 * momentum + 0.1 * gradient) + 0.5 * values)
        momentum = 0.99 * momentum + 0.01 * gradient
    np.testing.assert_allclose(found, values, rtol=0, atol=2e-6)  # as above; another sign would be 2e-3 off


def test_parts_of_a_batch_are_one_batch():
    # SGD without clipping is linear in the gradient: a sum in the place of the mean would show.
    given = tiny.inputs(clip_norm=1e9)
    whole, cut = make("sgd", given), make("sgd", given, micro_batches=4)
    # Sums of a few thousand float32 terms in another order.
    np.testing.assert_allclose(tiny.train(cut, given), tiny.train(whole, given), rtol=1e-6)
    batch = given.validation_batches()[0]
    assert cut.loss(batch) == pytest.approx(whole.loss(batch), rel=1e-6)
    for name, values in whole.parameters().items():
        # Moves are up to 1e-2, their gradients rounded to about 1e-6 of that.
        np.testing.assert_allclose(cut.parameters()[name], values, rtol=0, atol=2e-7, err_msg=name)


def test_in_bfloat16_products_are_and_the_rest_is_not():
    given = tiny.inputs(precision="bfloat16")
    training = make(given=given, micro_batches=2)
    traced = training._step.trace(training._parameters, training._state, given.training_batch(0))
    tiny.assert_products_are_bfloat16_and_the_rest_is_not(traced.jaxpr)
    tiny.train(training, given, 1)
    arrays = jax.tree.leaves((training._parameters, training._state))
    assert {str(array.dtype) for array in arrays} == {"float32", "int32"}


def test_a_loss_curve_in_bfloat16_is_near_that_in_float32():
    exact, rounded = tiny.inputs(), tiny.inputs(precision="bfloat16")
    wanted = tiny.train(make(given=exact), exact)
    found = tiny.train(make(given=rounded), rounded)
    # A factor rounded to 8 bits is up to 2^-9 off, and the loss is a mean over 256 tokens, whose roundings are
    # independent; float32 alone would be 1e-7 off.
    difference = np.abs(np.array(found) / wanted - 1)
    assert 1e-6 < difference.max() < 2**-9


@pytest.mark.parametrize(("optimizer", "parts"), [("alphaadam", 1), ("adamw", 2)])
def test_observing_changes_nothing_and_the_step_stays_one_program(optimizer, parts):
    given = tiny.inputs()
    plain, observed = (make(optimizer, given, micro_batches=parts) for _ in range(2))
    losses = [observed.step(given.training_batch(step), observe=step % 2 == 1) for step in range(4)]
    assert losses == tiny.train(plain, given)
    tiny.assert_same_parameters(observed, plain)
    assert observed._step._cache_size() == plain._step._cache_size() == 1


def test_observed_figures_are_those_of_the_step():
    """Recomputed in float64 from the gradients at the parameters before each step."""
    given = tiny.inputs(clip_norm=0.5)
    training = make("alphaadam", given)
    rates, settings = given.learning_rates(RATE), tiny.TASK.hyperparameters
    first, second, decayed = {}, {}, 0
    for step in range(3):
        before = {name: np.float64(values) for name, values in training.parameters().items()}
        batch = given.training_batch(step)
        gradients = jax.grad(lambda p, batch=batch: mean_loss(tiny.MODEL, p, batch))(
            {name: np.float32(values) for name, values in before.items()}
        )
        norm = np.sqrt(sum(np.sum(np.float64(g) ** 2) for g in gradients.values()))
        training.step(batch, observe=True)
        found, after = training.observation(), training.parameters()
        # Sums of 3e4 squares in float32.
        assert found["gradientNorm"] == pytest.approx(norm, rel=1e-5)
        assert norm > 0.5  # the norm is the one before clipping
        moved = np.sqrt(sum(np.sum((after[name] - before[name]) ** 2) for name in before))
        # Parameters near 1 are rounded by 6e-8, where they move by 1e-3.
        assert found["updateNorm"] == pytest.approx(moved, rel=1e-4)
        for name, gradient in gradients.items():
            g = np.float64(gradient) * 0.5 / norm
            m = first.get(name, np.zeros_like(g))
            mask = (m == 0) | (np.sign(m) * np.sign(g) > 0)
            first[name] = settings.beta1 * m + (1 - settings.beta1) * g
            second[name] = settings.beta2 * second.get(name, 0) + (1 - settings.beta2) * g**2
            u = first[name] / (1 - settings.beta1 ** (step + 1))
            u /= np.sqrt(second[name] / (1 - settings.beta2 ** (step + 1))) + settings.epsilon
            if name.endswith("c_attn.bias"):
                continue  # the gradient of the keys' bias is rounding noise
            seen = found["tensors"][name]
            # A few gradients near zero may be rounded to the other sign.
            assert seen["maskFraction"] == pytest.approx(mask.mean(), abs=max(2e-3, 1.5 / mask.size)), name
            strength = min(np.linalg.norm(u) / np.linalg.norm(mask * u), 2)
            assert seen["alpha"] == pytest.approx(strength, rel=5e-3), name
            decayed += seen["maskFraction"] < 0.99
    assert decayed > 10  # the mask masked
    assert rates[0] < RATE


def test_nothing_observed_is_an_error():
    with pytest.raises(RuntimeError, match=r"no step was observed; call step\(tokens, observe=True\) first"):
        make().observation()


@pytest.mark.parametrize(
    ("execution", "error", "message"),
    [
        ({"micro_batches": 3}, ValueError, "a batch of 16 sequences cannot be cut into micro_batches=3 equal parts"),
        ({"micro_batches": 0}, ValueError, "micro_batches=0"),
        ({"parallel": "ddp"}, ValueError, "parallel='ddp' is not possible in JAX and Keras; choose 'sharded' or"),
        ({"device": "tpu"}, RuntimeError, "device 'tpu': JAX .* finds none here, only: "),
    ],
)
def test_what_cannot_be_done_is_refused(execution, error, message):
    with pytest.raises(error, match=message):
        make(**execution)


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="unknown precision 'float8'; choose one of: float32, bfloat16"):
        make(given=tiny.inputs(precision="float8"))


def test_a_step_tells_its_kernels_and_memory():
    def measured(optimizer, tensors):
        values = [np.ones((64, 32), np.float32)] * tensors
        return OptimizerStep(optimizer, values, RATE, Hyperparameters())

    one, two = measured("alphaadam", 1), measured("alphaadam", 2)
    assert 0 < one.kernels_per_step() < two.kernels_per_step()
    assert 0 < one.transient_bytes() < two.transient_bytes() < 2 * 64 * 32 * 4
    two.take(OptimizerStep.gradients([np.ones((64, 32), np.float32)] * 2))
    two.run()
    assert two.inspect()["xla"]["kernels"] == two.kernels_per_step()


SHARDED = """
import json
import jax
from bench.frameworks.jax import Training
from bench.tasks.execution import Execution
from tests.bench import xla_training as tiny

given = tiny.inputs()
found = {}
for name, execution in {
    "one": {}, "eight": {"parallel": "sharded"}, "eight, in parts": {"parallel": "sharded", "micro_batches": 2}
}.items():
    training = Training(given, "alphaadam", 1e-3, Execution(**execution))
    losses = tiny.train(training, given, 6, observe=True)
    found[name] = {
        "losses": losses,
        "loss": training.loss(given.validation_batches()[0]),
        "observation": training.observation(),
        "shards": {
            jax.tree_util.keystr(path): [list(leaf.shape), list(leaf.addressable_shards[0].data.shape)]
            for path, leaf in jax.tree_util.tree_leaves_with_path((training._parameters, training._state))
        },
        "programs": training._step._cache_size(),
        "norm": float(sum((values.astype("float64") ** 2).sum() for values in training.parameters().values())),
    }
try:
    Training(given, "alphaadam", 1e-3, Execution(parallel="sharded", micro_batches=4))
except ValueError as error:
    found["refused"] = str(error)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def sharded():
    """What one device and eight do, in a process that has eight."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8".strip()
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", SHARDED],
        cwd=ROOT,
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("how", ["eight", "eight, in parts"])
def test_a_sharded_run_is_the_unsharded_one(sharded, how):
    found, wanted = sharded[how], sharded["one"]
    # Gradients are sums in another order, 1e-6 off; where that turns the sign of a coordinate near zero, AlphaAdam
    # moves it by up to the learning rate more or less.
    np.testing.assert_allclose(found["losses"], wanted["losses"], rtol=1e-5)
    assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-5)
    assert found["norm"] == pytest.approx(wanted["norm"], rel=1e-5)
    assert found["programs"] == 1
    for name in ("gradientNorm", "updateNorm"):
        assert found["observation"][name] == pytest.approx(wanted["observation"][name], rel=1e-3)
    for name, seen in found["observation"]["tensors"].items():
        if name.endswith(".weight") and "c_" in name:
            expected = wanted["observation"]["tensors"][name]
            # Of the whole tensor: those of its eighths differ in the second digit.
            assert seen["alpha"] == pytest.approx(expected["alpha"], rel=2e-3)
            assert seen["maskFraction"] == pytest.approx(expected["maskFraction"], abs=5e-3)


def test_parameters_and_moments_lie_in_shards(sharded):
    cut = 0
    for name, (shape, shard) in sharded["eight"]["shards"].items():
        if not shape:
            assert shard == []
            continue
        longest = max((size, axis) for axis, size in enumerate(shape))[1]
        assert shard == [size // 8 if axis == longest else size for axis, size in enumerate(shape)], name
        cut += 1
    assert cut == 3 * len(parameter_shapes(tiny.MODEL))  # each parameter and its two moments


def test_a_batch_that_devices_cannot_share_is_refused(sharded):
    assert (
        "a batch of 16 sequences cannot be cut into micro_batches=4 equal parts for 8 device(s)" in sharded["refused"]
    )
