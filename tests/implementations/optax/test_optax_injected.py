"""Every baseline within ``optax.inject_hyperparams``, which makes 0-d arrays of its numbers."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from alphaadam.optax import baselines
from suite.adapters.optax_baselines import arguments
from suite.reference.baselines import BASELINES
from tests.implementations.baselines import invalid, of, settings
from tests.implementations.optax.training import assert_identical, gradients_like

#: Numbers that are no arrays: sizes, counts of steps, and the parts of elements that are counted.
SIZES = {"min_8bit_size", "block_size", "rank", "update_proj_gap", "freeze_step", "window"}
PARTS = {"density", "tau", "quantile"}

every = pytest.mark.parametrize("name", of("optax"))


def given(name):
    """The settings of the row under Optax' names."""
    named = arguments(settings(name))
    return {"learning_rate": named.pop("lr"), **named}


def static(name):
    return tuple(key for key in given(name) if key in SIZES | PARTS)


def make(name, **changes):
    return getattr(baselines, BASELINES[name])(**{**given(name), **changes})


def inject(name, **options):
    return optax.inject_hyperparams(getattr(baselines, BASELINES[name]), static_args=static(name), **options)


def make_params(dtype=jnp.float32):
    rng = np.random.default_rng(0)
    return {"a": jnp.asarray(rng.normal(size=(4, 6)), dtype), "b": jnp.asarray(rng.normal(size=5), dtype)}


def step_of(optimizer):
    """A compiled step; the estimates are Sophia's, all others ignore them."""

    @jax.jit
    def step(gradients, state, params):
        updates, state = optimizer.update(gradients, state, params, hessian=gradients)
        return optax.apply_updates(params, updates), state

    return step


def dtypes(tree):
    return jax.tree.map(lambda leaf: leaf.dtype, tree)


def run(step, state, params, first, last):
    for number in range(first, last):
        params, state = step(gradients_like(params, number), state, params)
    return params, state


def assert_near(actual, expected):
    """Betas are the same float64 numbers; what is left is the logarithm, which XLA and Python round differently."""
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11), actual, expected)


def elsewhere(value):
    """Another number in the range of a rate, a beta, an epsilon or a factor, far enough to be seen in any of them."""
    return (value + 0.375) / 2


@every
def test_an_injected_run_is_the_plain_one_and_a_changed_number_acts_as_if_it_had_been_given(name):
    with jax.enable_x64(True):
        params = make_params(jnp.float64)
        injected = inject(name)(**given(name))
        state, step = injected.init(params), step_of(injected)
        numbers = {key: float(value) for key, value in state.hyperparams.items()}
        plain = make(name)
        expected, inner = run(step_of(plain), plain.init(params), params, 0, 2)
        moved, state = run(step, state, params, 0, 2)
        assert_near((moved, state.inner_state), (expected, inner))

        changed = {key: elsewhere(value) for key, value in numbers.items()}
        state.hyperparams.update({key: jnp.float64(value) for key, value in changed.items()})
        expected, inner = run(step_of(make(name, **changed)), state.inner_state, moved, 2, 4)
        moved, state = run(step, state, moved, 2, 4)
        assert_near((moved, state.inner_state), (expected, inner))
        assert step._cache_size() == 1
    assert set(numbers) == {key for key, value in given(name).items() if type(value) is float} - set(static(name))


@every
def test_rate_and_weight_decay_may_follow_schedules(name):
    """In float32, with the betas as they are."""
    params = make_params()
    gradients = gradients_like(params, 0)
    rates, decays = jnp.array([0.0, 2.0**-6]), jnp.array([0.5, 0.25])
    betas = [key for key in given(name) if re.fullmatch("(adamw_)?b[123]|momentum|rho", key)]
    optimizer = optax.inject_hyperparams(getattr(baselines, BASELINES[name]), static_args=(*static(name), *betas))(
        **{**given(name), "learning_rate": lambda count: rates[count], "weight_decay": lambda count: decays[count]}
    )
    step = step_of(optimizer)
    rested, state = step(gradients, optimizer.init(params), params)
    assert_identical(rested, params)
    moved, _ = step(gradients, state, params)
    plain = make(name, learning_rate=2.0**-6, weight_decay=0.25)
    expected, _ = step_of(plain)(gradients, state.inner_state, params)
    # Another program for one step of numbers below 4.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=5e-7), moved, expected)


@every
def test_numbers_of_any_dtype_leave_the_dtypes_of_state_and_updates_alone(name):
    with jax.enable_x64(True):
        params = {"a": make_params()["a"], "b": make_params(jnp.float64)["b"], "c": make_params(jnp.bfloat16)["a"]}

        def step_dtypes(optimizer):
            step = functools.partial(optimizer.update, hessian=params)
            return dtypes(jax.eval_shape(step, params, optimizer.init(params), params))

        expected = step_dtypes(make(name))
        for dtype in (None, jnp.float32, jnp.float64):  # None is the widest of the parameters
            updates, state = step_dtypes(inject(name, hyperparam_dtype=dtype)(**given(name)))
            assert (updates, state.inner_state) == expected


@pytest.mark.parametrize("name", [name for name in of("optax") if static(name)])
def test_an_array_for_what_the_program_depends_on_is_an_error_that_names_all_such_arguments(name):
    owner = BASELINES[name]
    with pytest.raises(TypeError, match=rf"^{owner}: .*Pass .*static_args={re.escape(repr(static(name)))}"):
        optax.inject_hyperparams(getattr(baselines, owner))(**given(name)).init(make_params())
    for key in static(name):
        for call in (lambda make: make, jax.jit):
            with pytest.raises(TypeError, match=rf"^{owner}: {key}=.*Pass a Python number.*static_args"):
                call(lambda value, key=key: make(name, **{key: value}).init({}))(jnp.asarray(given(name)[key]))


@every
def test_arrays_out_of_range_are_refused_as_their_numbers_are(name):
    owner = BASELINES[name]
    for wrong, hyperparameters in invalid(name):
        wrong = {"learning_rate" if key == "lr" else key: value for key, value in arguments(wrong).items()}
        arrays = {key: jnp.asarray(value) for key, value in wrong.items() if type(value) in (int, float)}
        named = arguments(hyperparameters)
        named = {"learning_rate": named.pop("lr"), **named, **arrays}
        with pytest.raises((TypeError, ValueError), match=rf"^{owner}: ({'|'.join(wrong)})=.*\bPass "):
            getattr(baselines, owner)(**named)


def test_a_number_that_is_set_out_of_range_is_an_error_at_an_eager_step():
    params, optimizer = make_params(), inject("Adan")(**given("Adan"))
    state = optimizer.init(params)
    state.hyperparams["b3"] = jnp.float32(1.5)
    with pytest.raises(ValueError, match=r"^adan: b3=1\.5 is not valid\. Pass a number in \[0, 1\)"):
        optimizer.update(params, state, params)
