"""What every baseline keeps to as a gradient transformation, whatever its rule."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest

from alphaadam.optax import baselines
from suite.adapters.optax_baselines import arguments
from suite.reference.baselines import BASELINES
from tests.implementations import readme
from tests.implementations.baselines import decays_last, invalid, matrix_rules, of, settings
from tests.implementations.optax.training import ROUNDING, assert_identical, gradients_like

every = pytest.mark.parametrize("name", of("optax"))


def make(name, learning_rate=None, **changes):
    """A baseline with the settings of its row; ``changes`` have Optax' names."""
    given = {**arguments(settings(name)), **changes}
    rate = given.pop("lr")
    return getattr(baselines, BASELINES[name])(rate if learning_rate is None else learning_rate, **given)


def make_params(dtype=jnp.float32):
    """A wide and a tall matrix, and leaves that a rule for matrices leaves to AdamW, in containers of several kinds."""
    rng = np.random.default_rng(0)
    w, tall, x, scalar = (jnp.asarray(rng.normal(size=shape), dtype) for shape in ((4, 6), (7, 3), 5, ()))
    return {"w": w, "b": [tall, ({"x": x}, scalar)]}


def make_few(dtype=jnp.float32):
    """For what needs a program of its own."""
    params = make_params(dtype)
    return {"a": params["w"], "b": params["b"][1][0]["x"]}


def compile_step(optimizer):
    @jax.jit
    def step(gradients, state, params):
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    return step


@functools.cache
def plain(name):
    """The optimizer of the row and its update, compiled once for all tests."""
    optimizer = make(name)
    return optimizer, jax.jit(optimizer.update)


def run(step, params, state, first, last):
    for number in range(first, last):
        params, state = step(gradients_like(params, number), state, params)
    return params, state


def run_plain(name, params, state, first, last):
    def step(gradients, state, params):
        updates, state = plain(name)[1](gradients, state, params)
        return optax.apply_updates(params, updates), state

    return run(step, params, state, first, last)


def run_new(name, last, params):
    return run_plain(name, params, plain(name)[0].init(params), 0, last)


def assert_near(actual, expected):
    """The same steps by another program."""
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=5 * ROUNDING), actual, expected)


# Arguments


@every
def test_what_is_out_of_range_is_refused_by_name_and_value_with_a_remedy(name):
    owner = BASELINES[name]
    for wrong, given in invalid(name):
        given = arguments(given)
        rate = given.pop("lr")
        names = {"lr": "learning_rate"}
        named = [re.escape(f"{names.get(key, key)}={value!r}") for key, value in arguments(wrong).items()]
        with pytest.raises((TypeError, ValueError), match=rf"^{owner}: ({'|'.join(named)}) .*\bPass "):
            getattr(baselines, owner)(rate, **given)


@every
def test_a_mask_by_name_is_refused(name):
    with pytest.raises(TypeError, match=rf"^{BASELINES[name]}: mask='async' is not valid"):
        make(name, mask="async")


@every
def test_what_does_not_match_is_an_error_that_says_where(name):
    owner, optimizer, params = BASELINES[name], make(name), {"a": jnp.ones(3), "b": jnp.ones((2, 3))}
    state = optimizer.init(params)
    with pytest.raises(ValueError, match=rf"^{owner}: update needs the parameters"):
        optimizer.update(params, state)
    with pytest.raises(ValueError, match=rf"^{owner}: .*\['b'\] has a parameter and no gradient"):
        optimizer.update({"a": jnp.ones(3)}, state, params)
    with pytest.raises(ValueError, match=rf"^{owner}: .*\['a'\] has shape \(1,\), its parameter \(3,\)"):
        optimizer.update({**params, "a": jnp.ones(1)}, state, params)
    with pytest.raises(TypeError, match=rf"^{owner}: the state is dict"):
        optimizer.update(params, {}, params)


@every
@pytest.mark.parametrize("dtype", [jnp.int32, jnp.complex64])
def test_a_dtype_without_a_rule_is_an_error(name, dtype):
    with pytest.raises(TypeError, match=rf"^{BASELINES[name]}: the parameter \['a'\] is {jnp.dtype(dtype)}"):
        make(name).init({"a": jnp.ones(3, dtype)})


# Programs


@every
def test_steps_compile_once_and_may_have_their_arguments_donated(name):
    """Of 12 steps each reads what the one before has written, into the same memory."""
    optimizer, traces = make(name), []

    @functools.partial(jax.jit, donate_argnums=(1, 2))
    def step(gradients, state, params):
        traces.append(1)
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    params = jax.tree.map(jnp.copy, make_few())
    expected, _ = run_new(name, 12, params)
    moved, _ = run(step, params, optimizer.init(params), 0, 12)
    assert len(traces) == 1
    assert_near(moved, expected)


@every
def test_a_scan_over_steps_is_the_loop(name):
    optimizer, _ = plain(name)
    params = make_few()
    gradients = [gradients_like(params, number) for number in range(4)]

    def body(carried, gradient):
        params, state = carried
        updates, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), None

    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *gradients)
    (moved, _), _ = jax.lax.scan(body, (params, optimizer.init(params)), stacked)
    assert_near(moved, run_new(name, 4, params)[0])


@every
def test_a_schedule_gives_each_step_its_rate(name):
    params, rates = make_few(), [2.0**-6, 2.0**-7, 0.0, 2.0**-5]

    def schedule(count):
        return jnp.asarray(rates)[count]

    scheduled = make(name, schedule)

    @jax.jit
    def step(gradients, state, params, rate):
        updates, state = make(name, rate).update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    expected, state = params, scheduled.init(params)
    for number, rate in enumerate(rates):
        before = expected
        expected, state = step(gradients_like(params, number), state, expected, rate)
        if rate == 0:
            assert_identical(expected, before)
    assert_near(run(compile_step(scheduled), params, scheduled.init(params), 0, 4)[0], expected)


@every
def test_masked_partitioned_and_chained_leaves_move_as_if_alone(name):
    params = make_few()
    optimizer, _ = plain(name)
    expected, _ = run_new(name, 3, {"a": params["a"]})
    labels = {"a": "ours", "b": "theirs"}
    for other in (
        optax.partition({"ours": optimizer, "theirs": optax.set_to_zero()}, labels),
        optax.chain(
            optax.clip_by_global_norm(1e6),
            optax.masked(optimizer, {"a": True, "b": False}),
            optax.masked(optax.set_to_zero(), {"a": False, "b": True}),
        ),
    ):
        moved, _ = run(compile_step(other), params, other.init(params), 0, 3)
        assert_near(moved["a"], expected["a"])
        assert_identical(moved["b"], params["b"])


# Leaves


@every
def test_a_leaf_without_gradient_has_no_update_and_keeps_its_state(name):
    optimizer, update = plain(name)
    params = make_few()
    state = optimizer.init(params)
    updates, after = update({**gradients_like(params, 0), "b": None}, state, params)
    assert updates["b"] is None
    assert (updates["a"] != 0).all()
    assert_identical(after.slots["b"], state.slots["b"])


@every
def test_a_mask_says_which_leaves_decay(name):
    params = make_few()
    gradients = gradients_like(params, 0)

    def updates(weight_decay, mask=None):
        optimizer = make(name, 0.125, weight_decay=weight_decay, mask=mask)
        return jax.jit(lambda: optimizer.update(gradients, optimizer.init(params), params)[0])()

    without, mask = updates(0.0), {"a": True, "b": False}
    decaying = params["a"] + without["a"] if decays_last(name) else params["a"]
    expected = {**without, "a": without["a"] - 0.125 * 0.5 * decaying}
    for given in (mask, lambda _: mask):
        assert_near(updates(0.5, given), expected)


@pytest.mark.parametrize("name", matrix_rules("optax"))
def test_what_a_rule_for_matrices_leaves_over_gets_adamw(name):
    """Leaves that are no matrices, and those that ``matrices`` leaves out."""
    params, given = {**make_few(), "c": make_params()["b"][0]}, arguments(settings(name))
    others = optax.adamw(
        given["lr"], given["adamw_b1"], given["adamw_b2"], given["adamw_eps"], weight_decay=given["weight_decay"]
    )
    expected, _ = run(compile_step(others), params, others.init(params), 0, 3)
    chosen = {"a": False, "b": False, "c": True}
    for matrices in (chosen, lambda _: chosen):
        optimizer = make(name, matrices=matrices)
        moved, _ = run(compile_step(optimizer), params, optimizer.init(params), 0, 3)
        assert_near({key: moved[key] for key in "ab"}, {key: expected[key] for key in "ab"})
        assert not np.allclose(moved["c"], expected["c"], rtol=1e-3)


@every
@pytest.mark.parametrize("step", [0, 2])
def test_a_gradient_that_is_not_a_number_shows(name, step):
    params, state = run_new(name, step, make_params())
    gradients = jax.tree.map(lambda leaf: leaf.at[(0,) * leaf.ndim].set(jnp.nan), gradients_like(params, step))
    updates, _ = plain(name)[1](gradients, state, params)
    assert all(jnp.isnan(leaf).any() for leaf in jax.tree.leaves(updates))


# Checkpoints and precision


@every
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_run_from_a_checkpoint_is_the_uninterrupted_one(name, dtype, tmp_path):
    start = make_params(dtype)
    halfway = run_new(name, 3, start)
    target = jax.eval_shape(lambda: (start, plain(name)[0].init(start)))
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "run", halfway)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "run", target)
    assert_identical(restored, halfway)
    assert_identical(run_plain(name, *restored, 3, 6), run_new(name, 6, start))


@every
def test_half_precision_is_a_float32_update_rounded_once(name):
    """From the same state each time, so that a last digit of one step is not carried into the next."""
    optimizer, update = plain(name)
    params = make_params(jnp.bfloat16)
    state = optimizer.init(params)
    for number in range(4):
        gradients = gradients_like(params, number)
        wide = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), (gradients, params))
        expected, after = update(wide[0], state, wide[1])
        updates, state = update(gradients, state, params)
        for ours, exact in zip(jax.tree.leaves(updates), jax.tree.leaves(expected), strict=True):
            assert ours.dtype == jnp.bfloat16
            # Half the distance of two bfloat16 numbers, and what two programs differ by.
            np.testing.assert_allclose(ours.astype(jnp.float32), exact, rtol=2.0**-8 + 1e-4, atol=1e-7)
        assert jax.tree.map(lambda leaf: leaf.dtype, state) == jax.tree.map(lambda leaf: leaf.dtype, after)
        assert_near(state, after)
        params = optax.apply_updates(params, updates)


@every
def test_float64_parameters_have_float64_updates(name):
    with jax.enable_x64(True):
        moved, _ = run_new(name, 2, make_few(jnp.float64))
    assert {leaf.dtype for leaf in jax.tree.leaves(moved)} == {jnp.dtype("float64")}


# Training


@every
def test_a_small_model_learns(name):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(32, 4)), jnp.float32)
    y = jnp.asarray(np.asarray(x) @ rng.normal(size=(4, 3)), jnp.float32)

    def loss(params):
        return jnp.mean((jnp.tanh(x @ params["hidden"]) @ params["head"] - y) ** 2)

    params = {"hidden": jnp.asarray(rng.normal(size=(4, 8)), jnp.float32), "head": jnp.full((8, 3), 0.1)}
    optimizer = make(name)

    @jax.jit
    def step(params, state):
        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, updates), state

    first, state = loss(params), optimizer.init(params)
    for _ in range(40):
        params, state = step(params, state)
    assert loss(params) < first


@pytest.mark.parametrize(("page", "block"), readme.baseline_blocks("optax"))
def test_the_examples_of_the_pages_run(page, block):
    readme.run(block, page)
