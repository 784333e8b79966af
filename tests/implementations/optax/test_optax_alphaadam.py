"""What Optax users rely on beyond the rule itself, which the vectors check."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from alphaadam.optax import alphaadam, scale_by_alphaadam
from tests.implementations import readme
from tests.implementations.optax.training import assert_identical, gradients_like, make_params, train

AS_ADAMW = {"masking": "none", "alpha": 1.0}


def test_without_masking_it_is_adamw():
    with jax.enable_x64(True):
        params = make_params(jnp.float64)
        ours, _ = train(alphaadam(0.01, weight_decay=0.1, **AS_ADAMW), params, alphaadam().init(params), 0, 10)
        theirs, _ = train(optax.adamw(0.01, weight_decay=0.1), params, optax.adamw(0.01).init(params), 0, 10)
    # Optax takes 1 - b2**t by a power, which at t=1 costs it 1000 roundings of 1e-16, and half of that in the root; a
    # step is 0.01 long. In float32 the same difference is 3.5e-6 of the first step.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=10 * 0.01 * 500 * 1.2e-16), ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(alphaadam, optax.adamw), (scale_by_alphaadam, optax.scale_by_adam)], ids=["adamw", "adam"]
)
def test_the_arguments_are_adamws_in_their_order(ours, theirs):
    ours, theirs = (inspect.signature(function).parameters for function in (ours, theirs))
    shared = [name for name in theirs if name not in ("eps_root", "nesterov")]
    assert list(ours)[: len(shared)] == shared
    own = ["masking", "alpha", "alpha_max", "record_diagnostics"]
    assert list(ours)[len(shared) :] == own
    assert all(ours[name].kind is inspect.Parameter.KEYWORD_ONLY for name in own)
    for name in set(shared) - {"learning_rate", "weight_decay"}:
        assert ours[name].default == theirs[name].default


def test_the_state_is_adamws():
    params = make_params()
    assert_identical(alphaadam(0.1).init(params), optax.adamw(0.1).init(params))
    assert isinstance(scale_by_alphaadam().init(params), optax.ScaleByAdamState)


def test_an_adamw_state_continues_and_goes_back():
    params = make_params()
    params, state = train(optax.adamw(0.01), params, optax.adamw(0.01).init(params), 0, 3)
    params, state = train(alphaadam(0.01), params, state, 3, 6)
    _, state = train(optax.adamw(0.01), params, state, 6, 8)
    assert optax.tree.get(state, "count") == 8


@pytest.mark.parametrize(
    ("dtype", "mu_dtype"), [(jnp.bfloat16, None), (jnp.float16, None), (jnp.bfloat16, jnp.float32)]
)
def test_dtypes_are_kept(dtype, mu_dtype):
    params = make_params(dtype)
    optimizer = scale_by_alphaadam(mu_dtype=mu_dtype)
    updates, state = optimizer.update(gradients_like(params, 0), optimizer.init(params))
    assert {leaf.dtype for leaf in jax.tree.leaves(updates)} == {jnp.dtype(dtype)}
    assert {leaf.dtype for leaf in jax.tree.leaves(state.mu)} == {jnp.dtype(mu_dtype or dtype)}
    assert {leaf.dtype for leaf in jax.tree.leaves(state.nu)} == {jnp.dtype(dtype)}


def test_half_precision_computes_in_float32():
    """The update of a bfloat16 tensor is the float32 one rounded once, given the same stored moments."""
    params = make_params(jnp.bfloat16)
    optimizer = scale_by_alphaadam()
    state = optimizer.init(params)
    for number in range(4):
        gradients = gradients_like(params, number)
        updates, new = optimizer.update(gradients, state)

        def widen(tree):
            return jax.tree.map(lambda x: x.astype(jnp.float32), tree)

        wide = optax.ScaleByAdamState(state.count, widen(state.mu), widen(state.nu))
        _, wide_new = optimizer.update(widen(gradients), wide)
        rounded = jax.tree.map(lambda x, like: x.astype(like.dtype), (wide_new.mu, wide_new.nu), (new.mu, new.nu))
        assert_identical((new.mu, new.nu), rounded)
        assert {u.dtype for u in jax.tree.leaves(updates)} == {jnp.dtype(jnp.bfloat16)}
        state = new


def test_bfloat16_parameters_may_have_float32_moments():
    """A state keeps its dtypes. With float32 gradients only the sum with the parameter is rounded."""
    params = make_params(jnp.bfloat16)
    wide = optax.tree.cast(params, jnp.float32)
    optimizer = alphaadam(0.01, weight_decay=0.0)
    state = expected = optimizer.init(wide)
    for number in range(3):
        gradients = gradients_like(wide, number)
        updates, state = optimizer.update(gradients, state, params)
        wanted, expected = optimizer.update(gradients, expected, wide)
        params = optax.apply_updates(params, updates)
        assert_identical((updates, state), (wanted, expected))
        wide = optax.tree.cast(jax.tree.map(lambda p, u: (p + u).astype(jnp.bfloat16), wide, wanted), jnp.float32)
        assert_identical(optax.tree.cast(params, jnp.float32), wide)
    updates, state = optimizer.update(optax.tree.cast(gradients, jnp.bfloat16), state, params)
    assert {leaf.dtype for leaf in jax.tree.leaves((state[0].mu, state[0].nu))} == {jnp.dtype(jnp.float32)}
    assert {leaf.dtype for leaf in jax.tree.leaves((updates, params))} == {jnp.dtype(jnp.bfloat16)}


def test_weight_decay_has_its_own_mask():
    params = {"w": jnp.ones(2), "b": jnp.ones(2)}
    optimizer = alphaadam(0.1, weight_decay=0.5, mask={"w": True, "b": False})
    updates, _ = optimizer.update(jax.tree.map(jnp.zeros_like, params), optimizer.init(params), params)
    np.testing.assert_allclose(updates["w"], -0.05, rtol=1e-6)  # two float32 products
    np.testing.assert_array_equal(updates["b"], 0.0)


@pytest.mark.parametrize("arguments", [{}, {"record_diagnostics": True}], ids=["plain", "recorded"])
def test_absent_empty_and_scalar_leaves_are_at_home(arguments):
    params = {"w": jnp.ones(2), "frozen": None, "empty": jnp.ones((0, 3)), "scalar": jnp.ones(()), "nothing": {}}
    optimizer = alphaadam(0.1, weight_decay=0.0, **arguments)
    params, state = train(optimizer, params, optimizer.init(params), 0, 3)
    assert (params["frozen"], params["nothing"]) == (None, {})
    assert params["empty"].shape == (0, 3)
    assert 0.5 < params["scalar"] < 1.5
    assert params["scalar"] != 1
    if arguments:
        assert state[0].alpha["empty"] == 1
        assert state[0].mask["empty"].shape == (0, 3)


@pytest.mark.parametrize(("alpha", "spreads"), [("norm", True), ("count", False), (1.0, False)])
@pytest.mark.parametrize("compiling", [False, True])
def test_a_nan_gradient_is_loud(alpha, spreads, compiling):
    """Also compiled: XLA makes a selection, which hides it, of a product with the mask."""
    optimizer = scale_by_alphaadam(alpha=alpha)
    update = jax.jit(optimizer.update) if compiling else optimizer.update
    _, state = update(jnp.ones(3), optimizer.init(jnp.ones(3)))
    updates, _ = update(jnp.array([1.0, jnp.nan, -1.0]), state)
    assert np.isnan(updates[1])
    assert np.isnan(updates[jnp.array([0, 2])]).all() == spreads


def test_diagnostics_are_those_of_the_last_step():
    optimizer = alphaadam(0.1, record_diagnostics=True)
    params = {"w": jnp.ones(2)}
    state = optimizer.init(params)
    for gradient in ([1.0, 1.0], [1.0, -1.0]):
        _, state = optimizer.update({"w": jnp.array(gradient)}, state, params)
    assert optax.tree.get(state, "mask")["w"].tolist() == [True, False]
    assert optax.tree.get(state, "alpha")["w"] > 1.0


def test_the_readme_example_runs():
    names = readme.run_example("alphaadam.optax")
    np.testing.assert_allclose(names["params"], 1 - 1e-3 - 1e-5, rtol=1e-6)  # one float32 rounding per operation


@pytest.mark.parametrize("block", readme.blocks("docs/optax.md"))
def test_the_documentations_examples_run(block):
    readme.run(block, "docs/optax.md")
