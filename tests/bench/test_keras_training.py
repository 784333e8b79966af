"""Training in Keras on JAX: parts of a batch, bfloat16, observation, several devices."""

import logging
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from bench.frameworks import keras as training  # chooses JAX where nothing else is chosen
from bench.frameworks.keras_on_jax import loss_and_gradients
from bench.frameworks.keras_optimizers import make_optimizer
from bench.settings import RELATIVE_RATES
from bench.tasks import Hyperparameters, parameter_shapes
from bench.tasks.execution import Execution
from tests.bench import xla_training as tiny

keras = training.keras
if keras.backend.backend() != "jax":
    pytest.skip("another backend was chosen", allow_module_level=True)

RATE = 1e-3


@pytest.fixture(scope="module", autouse=True)
def compiled_quickly():
    with tiny.compiling():
        yield


def make(optimizer="alphaadam", given=None, **execution):
    return training.Training(given or tiny.inputs(), optimizer, RATE, Execution(**execution))


def values(variables):
    return [variable.value for variable in variables]


@pytest.fixture(scope="module")
def runs():
    """AlphaAdam's plain steps, and from the same start observed ones, by one program."""
    given = tiny.inputs(clip_norm=0.5)
    made = make(given=given, micro_batches=2)
    variables = [*made.model.trainable_variables, *made.model.optimizer.variables]
    begin = [np.array(variable) for variable in variables]
    found = SimpleNamespace(given=given, plain=tiny.train(made, given))
    found.plain_end = [np.array(variable) for variable in variables]
    for variable, value in zip(variables, begin, strict=True):
        variable.assign(value)
    found.observed, found.steps = tiny.train_observed(made, given)
    found.observed_end = [np.array(variable) for variable in variables]
    found.loss = made.loss(given.validation_batches()[0])
    return found


@pytest.fixture(scope="module")
def linear():
    """SGD without clipping, which is linear in the gradient, on whole batches and on batches in parts."""
    given = tiny.inputs(clip_norm=1e9)
    whole, cut = make("sgd", given), make("sgd", given, micro_batches=4)
    return SimpleNamespace(
        given=given, whole=whole, cut=cut, whole_losses=tiny.train(whole, given), cut_losses=tiny.train(cut, given)
    )


def run_steps(optimizer, hyperparameters):
    generator = np.random.default_rng(0)
    begin = generator.standard_normal((5, 7)).astype(np.float32)
    gradients = [generator.standard_normal((5, 7)).astype(np.float32) for _ in range(3)]
    step = training.OptimizerStep(optimizer, [begin], RATE, hyperparameters)
    for gradient in gradients:
        step.take(step.gradients([gradient]))
        step.run()
    return begin.astype(np.float64), gradients, next(step.values())


def test_gradients_are_clipped_before_every_rule():
    for name in ("adamw", "exadam", "alphamask-sgd"):
        assert make(name).model.optimizer.global_clipnorm == tiny.TASK.clip_norm


def test_every_mask_can_be_read():
    generator = np.random.default_rng(0)
    for name in training.MASKED:
        variable = keras.Variable(np.ones(1000))
        paths, shapes = {"w": variable.path}, {"w": (1000,)}
        optimizer = make_optimizer(name, RATE, Hyperparameters(), paths, shapes, record_diagnostics=True)
        for _ in range(2):
            optimizer.apply([keras.ops.convert_to_tensor(generator.standard_normal(1000), "float32")], [variable])
        alpha, mask = optimizer.diagnostics(variable)
        assert 0.4 < np.mean(mask) < 0.9, name  # signs are random, and those of m follow those of g
        assert float(alpha) == 1 if name in ("adamw-sm", "adamw-am") else float(alpha) > 1, name


def test_sgd_has_momentum_and_decays_beside_it():
    expected, gradients, found = run_steps("sgd", Hyperparameters(weight_decay=0.5 * RELATIVE_RATES["sgd"]))
    momentum = 0
    for gradient in gradients:
        momentum = 0.9 * momentum + gradient  # at one rate Keras' velocity is this times the rate
        expected = expected - RATE * (momentum + 0.5 * expected)
    # Some roundings of numbers up to 4; decay inside the momentum would be 1e-3 off.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_lion_has_its_own_betas():
    hyperparameters = Hyperparameters(beta1=0.5, beta2=0.6, weight_decay=0.5 * RELATIVE_RATES["lion"])
    expected, gradients, found = run_steps("lion", hyperparameters)
    momentum = 0
    for gradient in gradients:
        expected = expected - RATE * (np.sign(0.9 * momentum + 0.1 * gradient) + 0.5 * expected)
        momentum = 0.99 * momentum + 0.01 * gradient
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)  # as above; another sign would be 2e-3 off


def test_parts_of_a_batch_are_one_batch(linear):
    # A sum in the place of the mean would show, and so would a schedule that counts parts. Sums of a few thousand
    # float32 terms in another order.
    np.testing.assert_allclose(linear.cut_losses, linear.whole_losses, rtol=1e-6)
    assert int(linear.cut.model.optimizer.iterations) == 4
    batch = linear.given.validation_batches()[0]
    assert linear.cut.loss(batch) == pytest.approx(linear.whole.loss(batch), rel=1e-6)
    found = linear.cut.parameters()
    for name, expected in linear.whole.parameters().items():
        # Moves are up to 1e-2, their gradients rounded to about 1e-6 of that.
        np.testing.assert_allclose(found[name], expected, rtol=0, atol=2e-7, err_msg=name)


def test_in_bfloat16_products_are_and_the_rest_is_not(linear, caplog):
    given = tiny.inputs(clip_norm=1e9, precision="bfloat16")
    made = make("sgd", given, micro_batches=4)
    model = made.model
    traced = jax.make_jaxpr(lambda *arguments: loss_and_gradients(model, 4, *arguments))(
        values(model.trainable_variables), values(model.non_trainable_variables), given.training_batch(0)
    )
    tiny.assert_products_are_bfloat16_and_the_rest_is_not(traced.jaxpr)
    assert {str(array.dtype) for array in traced.out_avals} == {"float32"}  # loss and gradients
    with jax.log_compiles(), caplog.at_level(logging.WARNING, "jax"):
        losses = tiny.train(made, given)
    # Once for all steps, though Keras has made the first step's variables and that step the second's.
    assert sum("Compiling jit(train_step)" in message for message in caplog.messages) == 1
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    # A factor rounded to 8 bits is up to 2^-9 off, and the loss is a mean over 256 tokens, whose roundings are
    # independent; float32 alone would be 1e-7 off.
    difference = np.abs(np.array(losses) / linear.whole_losses - 1)
    assert 1e-6 < difference.max() < 2**-9


def test_observing_changes_nothing(runs):
    assert runs.observed == runs.plain
    for one, other in zip(runs.observed_end, runs.plain_end, strict=True):
        np.testing.assert_array_equal(one, other)


def test_observed_figures_are_those_of_the_step(runs):
    tiny.assert_figures_of_alphaadam(runs.given, runs.steps)


def test_without_a_mask_the_norms_alone_are_observed(linear):
    linear.whole.step(linear.given.training_batch(4), observe=True)
    observation = linear.whole.observation()
    assert observation["gradientNorm"] > 0
    assert observation["updateNorm"] > 0
    nothing = {"maskFraction": None, "alpha": None}
    assert observation["tensors"] == dict.fromkeys(parameter_shapes(tiny.MODEL), nothing)


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

    with tiny.compiling(quickly=False):
        one, two = measured(1), measured(2)
        assert 0 < one.kernels_per_step() < two.kernels_per_step()
        assert 0 < one.transient_bytes() < two.transient_bytes() < 2 * 64 * 32 * 4


DISTRIBUTED = """
import json
from bench.frameworks.keras import Training
from bench.tasks.execution import Execution
from tests.bench import xla_training as tiny

given = tiny.inputs(clip_norm=0.5)
with tiny.compiling():
    made = Training(given, "alphaadam", 1e-3, Execution(parallel="sharded", micro_batches=2))
    losses, steps = tiny.train_observed(made, given)
    loss = made.loss(given.validation_batches()[0])
variables = [*made.model.trainable_variables, *made.model.optimizer.variables]
print(json.dumps({
    "losses": losses,
    "loss": loss,
    "observation": steps[-1][-1],
    "devices": sorted({len(variable.value.devices()) for variable in variables}),
}))
"""


def test_devices_that_share_batches_train_as_one(runs):
    eight = tiny.run_on_eight_devices(DISTRIBUTED)
    assert eight["devices"] == [8]
    # Gradients are sums in another order, 1e-6 off; where that turns the sign of a coordinate near zero, AlphaAdam
    # moves it by up to the learning rate more or less.
    np.testing.assert_allclose(eight["losses"], runs.observed, rtol=1e-5)
    assert eight["loss"] == pytest.approx(runs.loss, rel=1e-5)
    found, expected = (seen["tensors"]["h.0.mlp.c_fc.weight"] for seen in (eight["observation"], runs.steps[-1][-1]))
    assert found["alpha"] == pytest.approx(expected["alpha"], rel=2e-3)


def test_other_backends_say_what_they_cannot_do(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    with pytest.raises(RuntimeError, match="is possible on Keras' JAX backend alone; set KERAS_BACKEND=jax"):
        make(micro_batches=2)
