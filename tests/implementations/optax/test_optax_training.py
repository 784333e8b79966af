"""In the training loops of Flax NNX and Equinox."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from alphaadam.optax import alphaadam
from tests.implementations.optax.training import assert_identical, assert_same_run, draw_batch

RECORDED = {"record_diagnostics": True}


# Flax NNX


class Network(nnx.Module):
    def __init__(self):
        rngs = nnx.Rngs(0)
        self.hidden = nnx.Linear(4, 8, rngs=rngs)
        self.norm = nnx.LayerNorm(8, rngs=rngs)
        self.out = nnx.Linear(8, 1, use_bias=False, rngs=rngs)

    def __call__(self, inputs):
        return self.out(nnx.tanh(self.norm(self.hidden(inputs))))


def nnx_loss(model, inputs, targets):
    return jnp.mean((model(inputs) - targets) ** 2)


@nnx.jit
def nnx_step(model, optimizer, inputs, targets):
    loss, gradients = nnx.value_and_grad(nnx_loss)(model, inputs, targets)
    optimizer.update(model, gradients)
    return loss


@pytest.mark.parametrize("arguments", [{}, RECORDED])
def test_nnx_trains_as_a_plain_loop_does(arguments):
    model = Network()
    transformation = alphaadam(0.02, **arguments)
    optimizer = nnx.Optimizer(model, transformation, wrt=nnx.Param)
    graph, params = nnx.split(nnx.clone(model))
    state = transformation.init(params)

    @jax.jit
    def plain_step(params, state, inputs, targets):
        loss, gradients = jax.value_and_grad(lambda p: nnx_loss(nnx.merge(graph, p), inputs, targets))(params)
        updates, state = transformation.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, loss

    for number in range(5):
        loss = nnx_step(model, optimizer, *draw_batch(number))
        params, state, expected = plain_step(params, state, *draw_batch(number))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)  # a mean of float32 squares
    assert_same_run(nnx.to_pure_dict(nnx.state(model, nnx.Param)), nnx.to_pure_dict(params))
    assert optimizer.step[...] == 5
    if arguments:
        recorded = nnx.as_pure(optimizer.opt_state[0].alpha)
        assert_same_run(jax.tree.leaves(recorded), jax.tree.leaves(state[0].alpha))


def test_nnx_learns():
    model = Network()
    optimizer = nnx.Optimizer(model, alphaadam(0.05), wrt=nnx.Param)
    losses = [float(nnx_step(model, optimizer, *draw_batch(number, 64))) for number in range(40)]
    assert losses[-1] < losses[0] / 4


# Equinox


class Perceptron(eqx.Module):
    """With what makes Equinox models special: functions and numbers among the leaves, and an integer array."""

    layers: list
    activation: object
    scale: jax.Array
    seen: jax.Array
    depth: int = eqx.field(static=True)

    def __init__(self):
        first, second = jax.random.split(jax.random.key(0))
        self.layers = [eqx.nn.Linear(4, 8, key=first), eqx.nn.Linear(8, 1, use_bias=False, key=second)]
        self.activation = jax.nn.tanh
        self.scale = jnp.ones(())
        self.seen = jnp.zeros(3, jnp.int32)
        self.depth = 2

    def __call__(self, inputs):
        return self.layers[1](self.activation(self.layers[0](inputs))) * self.scale


def eqx_loss(model, inputs, targets):
    return jnp.mean((jax.vmap(model)(inputs) - targets) ** 2)


def make_eqx_step(optimizer, whole_model):
    @eqx.filter_jit(donate="all-except-first")
    def step(batch, model, state):
        gradients = eqx.filter_grad(eqx_loss)(model, *batch)
        params = model if whole_model else eqx.filter(model, eqx.is_inexact_array)
        updates, state = optimizer.update(gradients, state, params)
        return eqx.apply_updates(model, updates), state

    return step


@pytest.mark.parametrize("arguments", [{}, RECORDED])
@pytest.mark.parametrize("chosen", [eqx.is_inexact_array, eqx.is_array], ids=["inexact", "array"])
@pytest.mark.parametrize("whole_model", [False, True])
def test_equinox_trains_as_a_plain_loop_does(arguments, chosen, whole_model):
    """Also where the state has moments for an integer array, which gets no gradient, and where params is the model."""
    optimizer = alphaadam(0.02, **arguments)
    model = Perceptron()
    state = optimizer.init(eqx.filter(model, chosen))
    step = make_eqx_step(optimizer, whole_model)
    structure = jax.tree.structure(state)
    for number in range(3):
        model, state = step(draw_batch(number), model, state)
    assert jax.tree.structure(state) == structure
    assert_identical(model.seen, jnp.zeros(3, jnp.int32))

    arrays, static = eqx.partition(Perceptron(), eqx.is_inexact_array)
    leaves, treedef = jax.tree.flatten(arrays)
    plain = optimizer.init(leaves)

    @jax.jit
    def plain_step(batch, leaves, state):
        def loss(leaves):
            return eqx_loss(eqx.combine(jax.tree.unflatten(treedef, leaves), static), *batch)

        updates, state = optimizer.update(jax.grad(loss)(leaves), state, leaves)
        return optax.apply_updates(leaves, updates), state

    for number in range(3):
        leaves, plain = plain_step(draw_batch(number), leaves, plain)
    assert_same_run(jax.tree.leaves(eqx.filter(model, eqx.is_inexact_array)), leaves)


def test_equinox_saves_and_loads_bit_for_bit(tmp_path):
    optimizer = alphaadam(0.02, **RECORDED)
    step = make_eqx_step(optimizer, False)
    model = Perceptron()
    state = optimizer.init(eqx.filter(model, eqx.is_inexact_array))
    model, state = step(draw_batch(0), model, state)
    eqx.tree_serialise_leaves(tmp_path / "run.eqx", (model, state))
    like = (Perceptron(), optimizer.init(eqx.filter(Perceptron(), eqx.is_inexact_array)))
    loaded = eqx.tree_deserialise_leaves(tmp_path / "run.eqx", like)
    whole = step(draw_batch(1), model, state)
    resumed = step(draw_batch(1), *loaded)
    assert_identical(eqx.filter(resumed, eqx.is_array), eqx.filter(whole, eqx.is_array))
