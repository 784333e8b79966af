"""Sophia in Optax: what the estimators estimate, and how the optimizer is given it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from alphaadam.optax.baselines import gauss_newton_bartlett, hutchinson, sophia
from tests.implementations import curvature

PARAMS = {"weight": jnp.asarray(curvature.WEIGHT), "bias": jnp.asarray(curvature.BIAS)}


def logits(params):
    return curvature.X @ params["weight"] ** 2 + params["bias"]


def loss(params):
    return optax.softmax_cross_entropy_with_integer_labels(logits(params), curvature.LABELS).mean()


ESTIMATORS = {
    "hutchinson": (hutchinson, loss, curvature.hessian_diagonal),
    "gauss_newton_bartlett": (gauss_newton_bartlett, logits, curvature.gauss_newton_diagonal),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_mean_of_estimates_is_the_diagonal(name):
    estimator, function, exact = ESTIMATORS[name]
    keys = jax.random.split(jax.random.key(1), 4000)
    found = jax.jit(jax.vmap(lambda key: estimator(function, PARAMS, key)))(keys)
    curvature.check_mean([found["weight"], found["bias"]], exact())


def test_half_precision_is_squared_in_float32():
    """The square of 2**-15 is 0 in float16."""
    x = jnp.zeros(2, jnp.float16)
    estimate = gauss_newton_bartlett(lambda x: x * jnp.float16(2.0**-14), x, jax.random.key(0))
    assert estimate.dtype == jnp.float32
    np.testing.assert_allclose(estimate, 2.0**-30)


def test_an_estimate_counts_in_the_step_that_it_is_given_to():
    optimizer = sophia(1.0, b1=0.0, b2=0.5, gamma=2.0)
    gradients = {"weight": jnp.full((3, 4), 2.0), "bias": jnp.full(4, 1e-3)}
    estimates = {"weight": jnp.full((3, 4), 8.0), "bias": None}
    updates, state = optimizer.update(gradients, optimizer.init(PARAMS), PARAMS, hessian=estimates)
    np.testing.assert_allclose(updates["weight"], -2 / (2 * 4))
    np.testing.assert_allclose(updates["bias"], -1)
    np.testing.assert_allclose(state.slots["bias"]["hessian"], 0)


def test_one_compiled_step_estimates_when_it_is_due():
    """In a chain, under one jit: every third step has an estimate, as two kinds of steps taken by hand have."""
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), sophia(0.05, gamma=1.0))

    def estimate(params, count):
        return gauss_newton_bartlett(logits, params, jax.random.fold_in(jax.random.key(0), count))

    def step(params, state, count):
        gradients = jax.grad(loss)(params)
        updates, state = jax.lax.cond(
            count % 3 == 0,
            lambda: optimizer.update(gradients, state, params, hessian=estimate(params, count)),
            lambda: optimizer.update(gradients, state, params),
        )
        return optax.apply_updates(params, updates), state

    compiled, state, byhand, other = jax.jit(step), optimizer.init(PARAMS), PARAMS, optimizer.init(PARAMS)
    params = PARAMS
    for count in range(7):
        params, state = compiled(params, state, count)
        given = {} if count % 3 else {"hessian": estimate(byhand, count)}
        updates, other = optimizer.update(jax.grad(loss)(byhand), other, byhand, **given)
        byhand = optax.apply_updates(byhand, updates)
    assert loss(params) < loss(PARAMS)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), params, byhand)


def test_estimates_that_do_not_belong_are_refused():
    optimizer, state = sophia(), sophia().init(PARAMS)
    with pytest.raises(ValueError, match=r"sophia: hessian has the structure .* Pass what hutchinson or"):
        optimizer.update(PARAMS, state, PARAMS, hessian={"weight": PARAMS["weight"]})
    with pytest.raises(ValueError, match=r"sophia: leaf 0 of hessian has shape \(\), its parameter \(4,\)"):
        optimizer.update(PARAMS, state, PARAMS, hessian={**PARAMS, "bias": jnp.ones([])})


def test_a_nan_estimate_shows():
    optimizer, x = sophia(), jnp.ones(3)
    updates, _ = optimizer.update(x, optimizer.init(x), x, hessian=jnp.array([1.0, jnp.nan, 1.0]))
    assert jnp.isnan(updates).tolist() == [False, True, False]
