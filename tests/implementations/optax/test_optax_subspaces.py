"""The rules that project on singular vectors: when these are computed, and what is kept."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from alphaadam.optax.baselines import conda, galore

SHAPES = {"wide": (3, 5), "tall": (5, 3), "square": (4, 4)}
both = pytest.mark.parametrize("make", [conda, galore])


def gradients(step):
    rng = np.random.default_rng(step)
    return {name: jnp.asarray(rng.normal(size=shape), jnp.float32) for name, shape in SHAPES.items()}


def bases(state):
    return {name: np.asarray(slots["basis"]) for name, slots in state.slots.items()}


@both
def test_bases_are_new_in_the_steps_that_refresh_alone(make):
    optimizer, params = make(0.1, update_proj_gap=3), gradients(0)
    state, new, update = optimizer.init(params), [], jax.jit(optimizer.update)
    for step in range(1, 9):
        before = bases(state)
        updates, state = update(gradients(step), state, params)
        params = optax.apply_updates(params, updates)
        after = bases(state)
        changed = {name for name in SHAPES if not np.array_equal(before[name], after[name])}
        assert changed in (set(), set(SHAPES))
        new += [step] * bool(changed)
    assert new == [1, 4, 7]
    for basis in after.values():
        np.testing.assert_allclose(basis.T @ basis, np.eye(len(basis)), rtol=0, atol=1e-6)


@both
def test_a_step_decomposes_under_its_condition_alone(make):
    optimizer, params = make(0.1), gradients(0)
    jaxpr = jax.make_jaxpr(optimizer.update)(params, optimizer.init(params), params)
    named = [equation.primitive.name for equation in jaxpr.eqns]
    conditions = [equation for equation in jaxpr.eqns if equation.primitive.name == "cond"]
    assert "svd" not in named
    assert len(conditions) == len(SHAPES)
    for equation in conditions:
        assert sum("svd" in str(branch) for branch in equation.params["branches"]) == 1


def test_state_is_as_small_as_the_rank():
    params = jnp.ones((32, 64))
    assert sum(leaf.nbytes for leaf in jax.tree.leaves(galore(rank=4).init(params).slots)) == 4 * 4 * (32 + 2 * 64)


@both
@pytest.mark.parametrize("bad", [jnp.nan, jnp.inf])
def test_a_gradient_that_is_not_finite_shows(make, bad):
    params = jnp.ones((3, 5))
    optimizer = make(0.1)
    updates, _ = optimizer.update(params.at[1, 2].set(bad), optimizer.init(params), params)
    assert jnp.isnan(updates[:, 2]).all()


@both
@pytest.mark.parametrize("first", [None, 0.0])
def test_a_first_gradient_may_come_late(make, first):
    """Where there is none at the first step, or zeros: the basis comes with the first gradient that has one."""
    optimizer, params = make(0.1), {"a": jnp.ones((2, 3)), "b": jnp.ones((2, 3))}
    given = {name: jnp.asarray(np.random.default_rng(0).normal(size=(2, 3)), jnp.float32) for name in params}
    late = None if first is None else jnp.zeros((2, 3))
    _, state = optimizer.update({**given, "b": late}, optimizer.init(params), params)
    assert not state.slots["b"]["basis"].any()
    updates, state = jax.jit(optimizer.update)(given, state, params)
    assert (updates["b"] != 0).all()
