"""Training in Keras on JAX: parts of a batch, bfloat16, observation, several devices."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.frameworks import keras as training  # chooses JAX where nothing else is chosen
from bench.tasks import Hyperparameters, parameter_shapes
from bench.tasks.execution import Execution
from tests.bench import xla_training as tiny

keras = training.keras
if keras.backend.backend() != "jax":
    pytest.skip("another backend was chosen", allow_module_level=True)

RATE = 1e-3
ROOT = Path(__file__).parents[2]


def make(optimizer="alphaadam", given=None, **execution):
    return training.Training(given or tiny.inputs(), optimizer, RATE, Execution(**execution))


def values(variables):
    return [variable.value for variable in variables]


@pytest.mark.parametrize("name", training.OPTIMIZERS)
def test_every_optimizer_trains_and_can_be_observed(name):
    given = tiny.inputs()
    made = make(name, given)
    losses = tiny.train(made, given, 3, observe=True)
    assert np.isfinite(losses).all()
    assert len(set(losses)) == len(losses)
    observation = made.observation()
    assert list(observation["tensors"]) == list(made.parameters())
    assert {*observation["tensors"]} == {*parameter_shapes(tiny.MODEL)}
    assert observation["updateNorm"] > 0
    for found in observation["tensors"].values():
        if name in training.MASKED:
            assert 0 < found["maskFraction"] <= 1
            assert found["alpha"] == 1 if name in ("adamw-sm", "adamw-am") else found["alpha"] >= 1
        else:
            assert found == {"maskFraction": None, "alpha": None}


def run_steps(optimizer, hyperparameters):
    generator = np.random.default_rng(0)
    begin = generator.standard_normal((5, 7)).astype(np.float32)
    gradients = [generator.standard_normal((5, 7)).astype(np.float32) for _ in range(3)]
    step = training.OptimizerStep(optimizer, [begin], RATE, hyperparameters)
    for gradient in gradients:
        step.take(step.gradients([gradient]))
        step.run()
    return begin.astype(np.float64), gradients, next(step.values())


def test_sgd_has_momentum_and_decays_beside_it():
    expected, gradients, found = run_steps("sgd", Hyperparameters(weight_decay=0.5))
    momentum = 0
    for gradient in gradients:
        momentum = 0.9 * momentum + gradient  # at one rate Keras' velocity is this times the rate
        expected = expected - RATE * (momentum + 0.5 * expected)
    # Some roundings of numbers up to 4; decay inside the momentum would be 1e-3 off.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_lion_has_its_own_betas():
    expected, gradients, found = run_steps("lion", Hyperparameters(beta1=0.5, beta2=0.6, weight_decay=0.5))
    momentum = 0
    for gradient in gradients:
        expected = expected - RATE * (np.sign(0.9 * momentum + 0.1 * gradient) + 0.5 * expected)
        momentum = 0.99 * momentum + 0.01 * gradient
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)  # as above; another sign would be 2e-3 off


def test_parts_of_a_batch_are_one_batch():
    # SGD without clipping is linear in the gradient: a sum in the place of the mean would show. So would a schedule
    # that counts parts.
    given = tiny.inputs(clip_norm=1e9)
    whole, cut = make("sgd", given), make("sgd", given, micro_batches=4)
    # Sums of a few thousand float32 terms in another order.
    np.testing.assert_allclose(tiny.train(cut, given), tiny.train(whole, given), rtol=1e-6)
    assert int(cut.model.optimizer.iterations) == 4
    batch = given.validation_batches()[0]
    assert cut.loss(batch) == pytest.approx(whole.loss(batch), rel=1e-6)
    for name, expected in whole.parameters().items():
        # Moves are up to 1e-2, their gradients rounded to about 1e-6 of that.
        np.testing.assert_allclose(cut.parameters()[name], expected, rtol=0, atol=2e-7, err_msg=name)


def test_in_bfloat16_products_are_and_the_rest_is_not():
    import jax

    from bench.frameworks.keras_on_jax import loss_and_gradients

    model = make("sgd", tiny.inputs(precision="bfloat16")).model
    tokens = tiny.inputs().training_batch(0)
    traced = jax.make_jaxpr(lambda *arguments: loss_and_gradients(model, 2, *arguments))(
        values(model.trainable_variables), values(model.non_trainable_variables), tokens
    )
    tiny.assert_products_are_bfloat16_and_the_rest_is_not(traced.jaxpr)
    assert {str(array.dtype) for array in traced.out_avals} == {"float32"}  # loss and gradients
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}


def test_a_loss_curve_in_bfloat16_is_near_that_in_float32():
    exact, rounded = tiny.inputs(), tiny.inputs(precision="bfloat16")
    wanted = tiny.train(make("adamw", exact), exact)
    found = tiny.train(make("adamw", rounded), rounded)
    # A factor rounded to 8 bits is up to 2^-9 off, and the loss is a mean over 256 tokens, whose roundings are
    # independent; float32 alone would be 1e-7 off.
    difference = np.abs(np.array(found) / wanted - 1)
    assert 1e-6 < difference.max() < 2**-9


@pytest.mark.parametrize(("optimizer", "parts"), [("alphaadam", 1), ("adamw", 2)])
def test_observing_changes_nothing(optimizer, parts):
    given = tiny.inputs()
    plain, observed = (make(optimizer, given, micro_batches=parts) for _ in range(2))
    losses = [observed.step(given.training_batch(step), observe=step % 2 == 1) for step in range(4)]
    assert losses == tiny.train(plain, given)
    tiny.assert_same_parameters(observed, plain)
    for one, other in zip(observed.model.optimizer.variables, plain.model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)


def test_observed_figures_are_those_of_jax_and_optax():
    from bench.frameworks.jax import Training

    given = tiny.inputs(clip_norm=0.5)
    made, reference = make("alphaadam", given), Training(given, "alphaadam", RATE)
    tiny.train(made, given, 3, observe=True)
    tiny.train(reference, given, 3, observe=True)
    found, wanted = made.observation(), reference.observation()
    # Sums of 3e4 squares in float32, after two steps whose masks differ in a few coordinates.
    for name in ("gradientNorm", "updateNorm"):
        assert found[name] == pytest.approx(wanted[name], rel=1e-3)
    for name, expected in wanted["tensors"].items():
        if name.endswith(".weight") and "ln" not in name:  # a tenth of a vector is three coordinates
            seen = found["tensors"][name]
            assert seen["maskFraction"] == pytest.approx(expected["maskFraction"], abs=5e-3), name
            assert seen["alpha"] == pytest.approx(expected["alpha"], rel=5e-3), name
    assert found["tensors"]["wte.weight"]["maskFraction"] < 0.99


def test_nothing_observed_is_an_error():
    with pytest.raises(RuntimeError, match=r"no step was observed; call step\(tokens, observe=True\) first"):
        make().observation()


@pytest.mark.parametrize(
    ("execution", "error", "message"),
    [
        ({"micro_batches": 3}, ValueError, "a batch of 16 sequences cannot be cut into micro_batches=3 equal parts"),
        ({"parallel": "fsdp"}, ValueError, "parallel='fsdp' is not possible in JAX and Keras; choose 'sharded' or"),
        ({"device": "tpu"}, RuntimeError, "device 'tpu': JAX .* finds none here, only: "),
    ],
)
def test_what_cannot_be_done_is_refused(execution, error, message):
    with pytest.raises(error, match=message):
        make(**execution)


def test_a_step_tells_its_kernels_and_memory():
    def measured(tensors):
        return training.OptimizerStep("alphaadam", [np.ones((64, 32), np.float32)] * tensors, RATE, Hyperparameters())

    one, two = measured(1), measured(2)
    assert 0 < one.kernels_per_step() < two.kernels_per_step()
    assert 0 < one.transient_bytes() < two.transient_bytes() < 2 * 64 * 32 * 4


DISTRIBUTED = """
import json
from bench.frameworks.keras import Training
from bench.tasks.execution import Execution
from tests.bench import xla_training as tiny

given = tiny.inputs()
found = {}
for name, execution in {
    "one": {}, "eight": {"parallel": "sharded"}, "eight, in parts": {"parallel": "sharded", "micro_batches": 2}
}.items():
    made = Training(given, "alphaadam", 1e-3, Execution(**execution))
    losses = tiny.train(made, given, 3, observe=True)
    variables = [*made.model.trainable_variables, *made.model.optimizer.variables]
    found[name] = {
        "losses": losses,
        "loss": made.loss(given.validation_batches()[0]),
        "alpha": made.observation()["tensors"]["h.0.mlp.c_fc.weight"]["alpha"],
        "devices": sorted({len(variable.value.devices()) for variable in variables}),
    }
print(json.dumps(found))
"""


def test_devices_that_share_batches_train_as_one():
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8".strip()
    result = subprocess.run(
        [sys.executable, "-c", DISTRIBUTED],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    one = found.pop("one")
    assert one["devices"] == [1]
    for eight in found.values():
        assert eight["devices"] == [8]
        # Gradients are sums in another order, 1e-6 off; where that turns the sign of a coordinate near zero, AlphaAdam
        # moves it by up to the learning rate more or less.
        np.testing.assert_allclose(eight["losses"], one["losses"], rtol=1e-5)
        assert eight["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert eight["alpha"] == pytest.approx(one["alpha"], rel=2e-3)


def test_other_backends_say_what_they_cannot_do(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    with pytest.raises(RuntimeError, match="is possible on Keras' JAX backend alone; set KERAS_BACKEND=jax"):
        make(micro_batches=2)
