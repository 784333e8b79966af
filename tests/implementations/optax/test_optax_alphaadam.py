"""What Optax users rely on beyond the rule itself, which the vectors check."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from alphaadam.optax import alphaadam, scale_by_alphaadam
from tests.implementations.readme import run_example

AS_ADAMW = {"masking": "none", "alpha": 1.0}


def make_params(dtype=jnp.float32):
    rng = np.random.default_rng(0)
    return {"w": jnp.asarray(rng.normal(size=(3, 4)), dtype), "b": {"x": jnp.asarray(rng.normal(size=5), dtype)}}


def gradients_like(params, step):
    rng = np.random.default_rng(100 + step)
    return jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape), p.dtype), params)


def train(optimizer, params, state, first, last):
    @jax.jit
    def step(gradients, state, params):
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    for number in range(first, last):
        params, state = step(gradients_like(params, number), state, params)
    return params, state


def assert_identical(actual, expected):
    assert jax.tree.structure(actual) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_masking_it_is_adamw():
    with jax.enable_x64(True):
        params = make_params(jnp.float64)
        ours, _ = train(alphaadam(0.01, weight_decay=0.1, **AS_ADAMW), params, alphaadam().init(params), 0, 10)
        theirs, _ = train(optax.adamw(0.01, weight_decay=0.1), params, optax.adamw(0.01).init(params), 0, 10)
    # Optax takes 1 - b2**t by a power, which at t=1 costs it 1000 roundings of 1e-16, and half of that in the root; a
    # step is 0.01 long. In float32 the same difference is 3.5e-6 of the first step.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=10 * 0.01 * 500 * 1.2e-16), ours, theirs)


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


def test_a_run_in_two_parts_is_the_run_in_one():
    params = make_params()
    optimizer = alphaadam(optax.cosine_decay_schedule(0.01, 10))
    whole, _ = train(optimizer, params, optimizer.init(params), 0, 8)
    half, state = train(optimizer, params, optimizer.init(params), 0, 4)
    saved = jax.tree.map(np.asarray, (half, state))
    resumed, _ = train(optimizer, *jax.tree.map(jnp.asarray, saved), 4, 8)
    assert_identical(resumed, whole)


def test_the_second_step_does_not_compile_again():
    params = make_params(jnp.bfloat16)
    optimizer = alphaadam(0.01, mu_dtype=jnp.float32)
    step = jax.jit(optimizer.update)
    _, state = step(gradients_like(params, 0), optimizer.init(params), params)
    step(gradients_like(params, 1), state, params)
    assert step._cache_size() == 1


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


def test_weight_decay_has_its_own_mask():
    params = {"w": jnp.ones(2), "b": jnp.ones(2)}
    optimizer = alphaadam(0.1, weight_decay=0.5, mask={"w": True, "b": False})
    updates, _ = optimizer.update(jax.tree.map(jnp.zeros_like, params), optimizer.init(params), params)
    np.testing.assert_allclose(updates["w"], -0.05, rtol=1e-6)  # two float32 products
    np.testing.assert_array_equal(updates["b"], 0.0)


def test_hyperparameters_can_be_injected():
    params = make_params()
    optimizer = optax.inject_hyperparams(alphaadam)(learning_rate=0.01, alpha=0.5)
    injected, state = train(optimizer, params, optimizer.init(params), 0, 3)
    assert set(state.hyperparams) >= {"learning_rate", "b1", "b2", "alpha", "weight_decay"}
    plain, _ = train(alphaadam(0.01, alpha=0.5), params, alphaadam().init(params), 0, 3)
    # Injected betas are float32 numbers: 1 - b2 is then 1.3e-5 off relatively, and half of that in the root.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=3 * 0.01 * 1.5e-5), injected, plain)


def test_absent_leaves_are_left_alone():
    params = {"w": jnp.ones(2), "frozen": None, "empty": jnp.ones((0, 3)), "scalar": jnp.ones(())}
    optimizer = alphaadam(0.1)
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    assert updates["frozen"] is None
    assert updates["empty"].shape == (0, 3)
    assert updates["scalar"].shape == ()


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


def test_complex_parameters_are_refused_with_a_remedy():
    with pytest.raises(TypeError, match=r"complex64.*split_real_and_imaginary"):
        alphaadam().init(jnp.ones(2, jnp.complex64))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"learning_rate": -1.0}, ValueError, "learning_rate=-1.0"),
        ({"learning_rate": jnp.array(jnp.nan)}, ValueError, "learning_rate=nan"),
        ({"b1": 1.0}, ValueError, "b1=1.0"),
        ({"weight_decay": "a"}, TypeError, "weight_decay='a'"),
        ({"masking": "asyncc"}, ValueError, "did you mean 'async'"),
        ({"alpha": 1.0, "alpha_max": 2.0}, ValueError, "alpha_max=2.0"),
        ({"record_diagnostics": 1}, TypeError, "record_diagnostics=1"),
    ],
)
def test_bad_hyperparameters_name_themselves(arguments, error, message):
    with pytest.raises(error, match=message):
        alphaadam(**arguments)


def test_diagnostics_are_those_of_the_last_step():
    optimizer = alphaadam(0.1, record_diagnostics=True)
    params = {"w": jnp.ones(2)}
    state = optimizer.init(params)
    for gradient in ([1.0, 1.0], [1.0, -1.0]):
        _, state = optimizer.update({"w": jnp.array(gradient)}, state, params)
    assert optax.tree.get(state, "mask")["w"].tolist() == [True, False]
    assert optax.tree.get(state, "alpha")["w"] > 1.0


def test_the_readme_example_runs():
    names = run_example("alphaadam.optax")
    np.testing.assert_allclose(names["params"], 1 - 1e-3 - 1e-5, rtol=1e-6)  # one float32 rounding per operation
