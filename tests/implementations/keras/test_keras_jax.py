"""`stateless_apply` in a jitted loop of one's own."""

import keras
import numpy as np
import pytest

from alphaadam.keras import AlphaAdam
from tests.implementations.keras.training import BACKEND, assert_identical, gradients, tensors, values

if BACKEND != "jax":
    pytest.skip(f"loops of JAX; this is {BACKEND}", allow_module_level=True)

import jax

START = [np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3), np.float32(0.5), np.zeros((0, 2), "float32")]


def make(**arguments):
    variables = [keras.Variable(x) for x in START]
    optimizer = AlphaAdam(0.1, **arguments)
    optimizer.build(variables)
    return variables, optimizer


@pytest.mark.parametrize(
    "arguments",
    [{}, {"record_diagnostics": True}, {"gradient_accumulation_steps": 2, "use_ema": True}],
    ids=lambda arguments: "+".join(arguments) or "plain",
)
def test_a_donated_loop_traces_once_and_gives_what_the_optimizer_gives(arguments):
    variables, optimizer = make(**arguments)
    traces = []

    def update(state, grads, trained):
        traces.append(1)
        return optimizer.stateless_apply(state, grads, trained)

    step = jax.jit(update, donate_argnums=(0, 2))
    state, trained = [v.value for v in optimizer.variables], [v.value for v in variables]
    state, trained = jax.tree.map(jax.numpy.copy, (state, trained))  # the variables keep theirs
    tracked = optimizer.variables + variables
    for seed in range(4):
        before = state + trained
        trained, state = step(state, tensors(gradients(START, seed)), trained)
        kept = [v.path for v, value in zip(tracked, before, strict=True) if not value.is_deleted()]
        assert all(path.endswith(("alpha", "mask")) for path in kept)  # every buffer that is read is used again
    assert len(traces) == 1

    for seed in range(4):
        optimizer.apply(tensors(gradients(START, seed)), variables)
    for a, b in zip(trained + state, values(variables + optimizer.variables), strict=True):
        # XLA fuses multiply-adds: a few ulp of numbers up to 1 in four steps. Counters and masks are equal.
        np.testing.assert_allclose(np.asarray(a), b, rtol=0, atol=0 if b.dtype.kind in "ib" else 8 * 6e-8)


def test_a_stateless_step_leaves_the_optimizer_and_its_arguments_as_they_were():
    variables, optimizer = make()
    before = values(variables + optimizer.variables)
    state, trained = [v.value for v in optimizer.variables], [v.value for v in variables]
    new, _ = optimizer.stateless_apply(state, tensors(gradients(START, 0)), trained)
    assert_identical(values(variables + optimizer.variables), before)
    assert_identical([np.asarray(x) for x in trained + state], before)
    assert (np.asarray(new[0]) != before[0]).all()


def test_a_loop_scans():
    variables, optimizer = make()
    grads = [
        jax.numpy.stack(same) for same in zip(*(tensors(gradients(START, seed)) for seed in range(3)), strict=True)
    ]

    def body(carry, g):
        trained, state = carry
        return optimizer.stateless_apply(state, g, trained), None

    first = ([v.value for v in variables], [v.value for v in optimizer.variables])
    (trained, _), _ = jax.jit(lambda c, g: jax.lax.scan(body, c, g))(first, grads)
    for seed in range(3):
        optimizer.apply(tensors(gradients(START, seed)), variables)
    for a, b in zip(trained, values(variables), strict=True):
        np.testing.assert_allclose(np.asarray(a), b, rtol=0, atol=4 * 6e-8)  # as above


def test_lists_that_do_not_fit_are_keras_errors():
    variables, optimizer = make()
    state, trained = [v.value for v in optimizer.variables], [v.value for v in variables]
    grads = tensors(gradients(START, 0))
    with pytest.raises(ValueError, match="expected 8 variables"):
        optimizer.stateless_apply(state[:-1], grads, trained)
    with pytest.raises(ValueError, match=r"2 gradients for 3 variables"):
        jax.jit(optimizer.stateless_apply)(state, grads[:2], trained)
    with pytest.raises(ValueError, match=r"a gradient of shape \(\) for"):
        jax.jit(optimizer.stateless_apply)(state, [grads[1], grads[0], grads[2]], trained)
