"""What is special in ldadam: decompositions where they are due, and what it keeps."""

import jax
import jax.numpy as jnp
import numpy as np

from alphaadam.optax.baselines import ldadam


def test_it_keeps_thin_matrices_beside_the_error():
    state = ldadam(rank=4).init({"wide": jnp.zeros((8, 32)), "tall": jnp.zeros((32, 3))})
    shapes = jax.tree.map(jnp.shape, state.slots, is_leaf=lambda leaf: isinstance(leaf, jax.Array))
    assert shapes["wide"] == {"projector": (8, 4), "mu": (4, 32), "nu": (4, 32), "error": (8, 32)}
    assert shapes["tall"] == {"projector": (3, 3), "mu": (3, 32), "nu": (3, 32), "error": (32, 3)}


def test_each_step_carries_out_one_decomposition():
    """Both stand in branches of a condition; outside of them neither is computed."""
    optimizer, params = ldadam(rank=2), jnp.ones((4, 6))
    program = jax.make_jaxpr(optimizer.update)(params, optimizer.init(params), params).jaxpr
    (condition,) = (equation for equation in program.eqns if equation.primitive.name == "cond")
    outside = str([equation for equation in program.eqns if equation is not condition])
    assert not any(name in outside for name in (" svd[", " qr["))
    branches = [str(branch) for branch in condition.params["branches"]]
    assert sorted((" svd[" in branch, " qr[" in branch) for branch in branches) == [(False, True), (True, False)]


def test_a_leaf_that_comes_later_begins_as_one_that_was_there_from_the_start():
    optimizer, params = ldadam(1.0, rank=1, b1=0.0, b2=0.0, eps=1e-30), [jnp.ones((2, 3))]
    gradient = [jnp.array([[3.0, 1.0, 2.0], [1.0, -1.0, 0.5]])]
    first, _ = optimizer.update(gradient, optimizer.init(params), params)
    _, state = optimizer.update([None], optimizer.init(params), params)
    later, _ = optimizer.update(gradient, state, params)
    np.testing.assert_allclose(later[0], first[0], rtol=1e-6)
