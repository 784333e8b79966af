"""Variables on several devices: alpha is that of the whole variable.

Where every device has whole variables and the same gradients, it does what one device does alone, and the results are
equal bit for bit. Where a variable is split, or a batch is and its gradients are added up, sums have another order.
"""

import contextlib

import keras
import numpy as np
import pytest
from keras import ops

from alphaadam.keras import AlphaAdam
from tests.implementations.keras.training import (
    BACKEND,
    fit,
    gradients,
    make_model,
    mirrored,
    only_on,
    tensors,
    values,
)

jax_only = only_on("jax", reason="keras.distribution is for JAX")
tensorflow_only = only_on("tensorflow", reason="tf.distribute is TensorFlow's")
START = [np.linspace(-1, 1, 64, dtype="float32").reshape(8, 8), np.linspace(-1, 1, 8, dtype="float32")]
ULP = 2.0**-23


@contextlib.contextmanager
def distributed(distribution):
    keras.distribution.set_distribution(distribution)
    try:
        yield
    finally:
        keras.distribution.set_distribution(None)


def data_parallel():
    return keras.distribution.DataParallel(devices=keras.distribution.list_devices("cpu"))


def model_parallel():
    """Kernels, and the first variable of START, in four parts along their last axis; a batch in two."""
    devices = keras.distribution.list_devices("cpu")
    layouts = keras.distribution.LayoutMap(keras.distribution.DeviceMesh((2, 4), ["batch", "model"], devices))
    layouts[".*(hidden.kernel|matrix)"] = (None, "model")
    return keras.distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch")


def steps_by_hand(count=4, **arguments):
    """Some steps of a jitted loop, all on the same gradients wherever they are; alpha and mask of the last one too."""
    import jax

    variables = [keras.Variable(x, name=name) for x, name in zip(START, ("matrix", "vector"), strict=True)]
    optimizer = AlphaAdam(0.1, record_diagnostics=True, **arguments)
    optimizer.build(variables)
    update = jax.jit(optimizer.stateless_apply)
    state, trained = [v.value for v in optimizer.variables], [v.value for v in variables]
    for seed in range(count):
        trained, state = update(state, tensors(gradients(START, seed)), trained)
    for variable, value in zip(variables + optimizer.variables, trained + state, strict=True):
        variable.assign(value)
    return variables, optimizer


def test_there_are_eight_devices():
    if BACKEND == "jax":
        assert len(keras.distribution.list_devices("cpu")) == 8, "run these tests by themselves: see conftest.py"


def compare(one, other, exact):
    """Moments, masks and counts bit for bit, alpha too where that is said; parameters to an ulp for each step."""
    pairs = [(*one[0], *one[1].variables), (*other[0], *other[1].variables)]
    for ours, theirs, a, b in zip(*pairs, *map(values, pairs), strict=True):
        assert ours.name == theirs.name
        if ours.name in ("matrix", "vector"):
            # XLA makes one operation of the last product and difference in one program and not in the other: half an
            # ulp of parameters below 2, in each of four steps. Those steps are at most 0.1 * alpha * u, about 0.3.
            np.testing.assert_allclose(a, b, rtol=0, atol=4 * ULP + (0 if exact else 4 * 0.3 * 2 * ULP))
        elif ours.name == "alpha" and not exact:
            # Each of two sums of float32 squares has another order: an ulp each, halved by the root of their quotient.
            np.testing.assert_allclose(a, b, rtol=2 * ULP)
        else:
            np.testing.assert_array_equal(a, b, err_msg=ours.path)


@jax_only
def test_with_data_parallel_each_device_does_what_one_does_alone():
    alone = steps_by_hand()
    with distributed(data_parallel()):
        together = steps_by_hand()
    assert len(together[0][0].value.sharding.device_set) == 8
    compare(together, alone, exact=True)


@jax_only
@pytest.mark.parametrize("alpha", ["norm", "count"])
def test_with_model_parallel_alpha_is_that_of_the_whole_variable(alpha):
    alone = steps_by_hand(alpha=alpha)
    with distributed(model_parallel()):
        together = steps_by_hand(alpha=alpha)
    sharded = [v for v in (together[0][0], *together[1].variables) if v.shape == (8, 8)]
    assert len(sharded) == 4  # with both moments and the mask
    assert all(v.value.addressable_shards[0].data.shape == (8, 2) for v in sharded)
    compare(together, alone, exact=alpha == "count")  # which sums integers
    # Were alpha that of a shard, it would be another: a quarter of the matrix has another mask.
    alphas, masks = (values(v for v in alone[1].variables if v.name == name) for name in ("alpha", "mask"))
    counts = [int(part.sum()) for part in np.split(masks[0], 4, axis=1)]
    assert len(set(counts)) > 1
    assert 1 < alphas[0] < 2 or alpha == "count"


@jax_only
@pytest.mark.parametrize("make", [data_parallel, model_parallel])
def test_fit_on_eight_devices_learns_what_one_learns(make):
    alone = make_model()
    alone.compile(AlphaAdam(0.05), "mse", jit_compile=True)
    losses = fit(alone, epochs=2)
    with distributed(make()):
        model = make_model()
        model.compile(AlphaAdam(0.05), "mse", jit_compile=True)
        assert len(model.layers[0].kernel.value.sharding.device_set) == 8
        # The gradient of a batch is a sum of parts: a few ulp in each, which eight steps carry on.
        np.testing.assert_allclose(fit(model, epochs=2), losses, rtol=1e-5)


def mirrored_steps(strategy, count=3, **arguments):
    """Some steps with half of each gradient on each replica, which add up to it exactly."""
    import tensorflow

    with strategy.scope():
        variables = [keras.Variable(x) for x in START]
        optimizer = AlphaAdam(0.1, **arguments)
        optimizer.build(variables)
    replicas = strategy.num_replicas_in_sync

    def on_a_replica(*arrays):
        optimizer.apply([g / replicas for g in arrays], variables)

    @tensorflow.function
    def step(*arrays):
        strategy.run(on_a_replica, args=arrays)

    for seed in range(count):
        step(*tensors(gradients(START, seed)))
    return variables, optimizer


@tensorflow_only
@pytest.mark.parametrize(
    "arguments", [{}, {"alpha": "count", "record_diagnostics": True}, {"global_clipnorm": 1e6, "use_ema": True}]
)
def test_mirrored_variables_are_stepped_by_the_sum_of_the_replicas_gradients(arguments):
    """Every replica steps its whole copy by the same sum: bit for bit what one device does."""
    import tensorflow

    variables, optimizer = mirrored_steps(tensorflow.distribute.get_strategy(), **arguments)
    others, other = mirrored_steps(mirrored(), **arguments)
    assert all(len(variable.value.values) == 2 for variable in others)
    for variable, expected in zip(others + other.variables, values(variables + optimizer.variables), strict=True):
        for copy in getattr(variable.value, "values", [variable.value]):
            np.testing.assert_array_equal(copy.numpy(), expected)


@tensorflow_only
def test_fit_on_two_replicas_learns_what_one_learns():
    """Without XLA, which on CPUs cannot compile a step that has variables on two devices."""
    alone = make_model()
    alone.compile(AlphaAdam(0.05), "mse", jit_compile=False)
    losses = fit(alone, epochs=2)
    with mirrored().scope():
        model = make_model()
        model.compile(AlphaAdam(0.05), "mse", jit_compile=False)
    # The gradient of a batch is a sum of two halves: a few ulp in each, which eight steps carry on.
    np.testing.assert_allclose(fit(model, epochs=2), losses, rtol=1e-5)
    assert int(ops.convert_to_numpy(model.optimizer.iterations.value)) == 8
