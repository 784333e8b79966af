"""Training in JAX: parts of a batch, bfloat16, observation, several devices."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bench.frameworks.jax import MASKED, OptimizerStep, Training
from bench.frameworks.jax_optimizers import make_optimizer
from bench.settings import RELATIVE_RATES
from bench.tasks import Hyperparameters, parameter_shapes
from bench.tasks.execution import Execution
from tests.bench import xla_training as tiny

RATE = 1e-3


@pytest.fixture(scope="module", autouse=True)
def compiled_quickly():
    with tiny.compiling():
        yield


def make(optimizer="alphaadam", given=None, **execution):
    return Training(given or tiny.inputs(), optimizer, RATE, Execution(**execution))


@pytest.fixture(scope="module")
def runs():
    """AlphaAdam's plain steps, and from the same start observed ones, by one program."""
    given = tiny.inputs(clip_norm=0.5)
    training = make(given=given, micro_batches=2)
    begin = jax.tree.map(jnp.copy, (training._parameters, training._state))
    made = SimpleNamespace(given=given, plain=tiny.train(training, given))
    made.plain_end = jax.device_get((training._parameters, training._state))
    training._parameters, training._state = begin
    made.observed, made.steps = tiny.train_observed(training, given)
    made.observed_end = jax.device_get((training._parameters, training._state))
    made.loss = training.loss(given.validation_batches()[0])
    made.programs = training._step._cache_size()
    return made


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
    values = generator.standard_normal((5, 7)).astype(np.float32)
    gradients = [generator.standard_normal((5, 7)).astype(np.float32) for _ in range(3)]
    step = OptimizerStep(optimizer, [values], RATE, hyperparameters)
    for gradient in gradients:
        step.take(OptimizerStep.gradients([gradient]))
        step.run()
    return values.astype(np.float64), gradients, next(step.values())


def test_every_mask_can_be_read():
    generator = np.random.default_rng(0)
    parameters = {"w": jnp.ones(1000)}
    for name in MASKED:
        names, shapes = {"w": "w"}, {"w": (1000,)}
        optimizer = make_optimizer(name, RATE, Hyperparameters(), None, names, shapes, record_diagnostics=True)
        state, update = optimizer.init(parameters), jax.jit(optimizer.update)
        for _ in range(2):
            _, state = update({"w": jnp.array(generator.standard_normal(1000))}, state, parameters)
        kept, alpha = optax.tree.get(state, "mask")["w"].mean(), optax.tree.get(state, "alpha")["w"]
        assert 0.4 < kept < 0.9, name  # signs are random, and those of m follow those of g
        assert alpha == 1 if name in ("adamw-sm", "adamw-am") else alpha > 1, name


def test_sgd_has_momentum_and_decays_beside_it():
    values, gradients, found = run_steps("sgd", Hyperparameters(weight_decay=0.5 * RELATIVE_RATES["sgd"]))
    momentum = 0
    for gradient in gradients:
        momentum = 0.9 * momentum + gradient
        values = values - RATE * (momentum + 0.5 * values)
    # Some roundings of numbers up to 4; decay inside the momentum would be 1e-3 off.
    np.testing.assert_allclose(found, values, rtol=0, atol=2e-6)


def test_lion_has_its_own_betas():
    hyperparameters = Hyperparameters(beta1=0.5, beta2=0.6, weight_decay=0.5 * RELATIVE_RATES["lion"])
    values, gradients, found = run_steps("lion", hyperparameters)
    momentum = 0
    for gradient in gradients:
        values = values - RATE * (np.sign(0.9 * momentum + 0.1 * gradient) + 0.5 * values)
        momentum = 0.99 * momentum + 0.01 * gradient
    np.testing.assert_allclose(found, values, rtol=0, atol=2e-6)  # as above; another sign would be 2e-3 off


def test_parts_of_a_batch_are_one_batch(linear):
    # A sum in the place of the mean would show. Sums of a few thousand float32 terms in another order.
    np.testing.assert_allclose(linear.cut_losses, linear.whole_losses, rtol=1e-6)
    batch = linear.given.validation_batches()[0]
    assert linear.cut.loss(batch) == pytest.approx(linear.whole.loss(batch), rel=1e-6)
    found = linear.cut.parameters()
    for name, values in linear.whole.parameters().items():
        # Moves are up to 1e-2, their gradients rounded to about 1e-6 of that.
        np.testing.assert_allclose(found[name], values, rtol=0, atol=2e-7, err_msg=name)


def test_in_bfloat16_products_are_and_the_rest_is_not(linear):
    given = tiny.inputs(clip_norm=1e9, precision="bfloat16")
    training = make("sgd", given, micro_batches=4)
    traced = training._step.trace(training._parameters, training._state, given.training_batch(0))
    tiny.assert_products_are_bfloat16_and_the_rest_is_not(traced.jaxpr)
    losses = tiny.train(training, given)
    arrays = jax.tree.leaves((training._parameters, training._state))
    assert {str(array.dtype) for array in arrays} <= {"float32", "int32"}
    # A factor rounded to 8 bits is up to 2^-9 off, and the loss is a mean over 256 tokens, whose roundings are
    # independent; float32 alone would be 1e-7 off.
    difference = np.abs(np.array(losses) / linear.whole_losses - 1)
    assert 1e-6 < difference.max() < 2**-9


def test_observing_changes_nothing_and_the_step_stays_one_program(runs):
    assert runs.observed == runs.plain
    jax.tree.map(np.testing.assert_array_equal, runs.observed_end, runs.plain_end)
    assert runs.programs == 1


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

    with tiny.compiling(quickly=False):
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

given = tiny.inputs(clip_norm=0.5)
with tiny.compiling():
    training = Training(given, "alphaadam", 1e-3, Execution(parallel="sharded", micro_batches=2))
    losses, steps = tiny.train_observed(training, given)
    loss = training.loss(given.validation_batches()[0])
found = {
    "losses": losses,
    "loss": loss,
    "observation": steps[-1][-1],
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
    """What eight devices do."""
    return tiny.run_on_eight_devices(SHARDED)


def test_a_sharded_run_is_the_unsharded_one(sharded, runs):
    # Gradients are sums in another order, 1e-6 off; where that turns the sign of a coordinate near zero, AlphaAdam
    # moves it by up to the learning rate more or less.
    np.testing.assert_allclose(sharded["losses"], runs.observed, rtol=1e-5)
    assert sharded["loss"] == pytest.approx(runs.loss, rel=1e-5)
    norm = sum((values.astype(np.float64) ** 2).sum() for values in runs.observed_end[0].values())
    assert sharded["norm"] == pytest.approx(norm, rel=1e-5)
    assert sharded["programs"] == 1
    _, _, wanted = runs.steps[-1]
    for name in ("gradientNorm", "updateNorm"):
        assert sharded["observation"][name] == pytest.approx(wanted[name], rel=1e-3)
    for name, seen in sharded["observation"]["tensors"].items():
        if name.endswith(".weight") and "c_" in name:
            expected = wanted["tensors"][name]
            # Of the whole tensor: those of its eighths differ in the second digit.
            assert seen["alpha"] == pytest.approx(expected["alpha"], rel=2e-3)
            assert seen["maskFraction"] == pytest.approx(expected["maskFraction"], abs=5e-3)


def test_parameters_and_moments_lie_in_shards(sharded):
    cut = 0
    for name, (shape, shard) in sharded["shards"].items():
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
