"""Together with Optax's other transformations."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from alphaadam.optax import alphaadam, scale_by_alphaadam
from tests.implementations.optax.training import (
    ROUNDING,
    assert_identical,
    assert_same_run,
    compile_step,
    gradients_like,
    make_params,
    train,
    train_new,
)

RECORDED = {"record_diagnostics": True}


def test_the_chain_is_what_it_says():
    """Rescaled, then decayed, then multiplied by minus the rate."""
    params = make_params()
    parts = optax.chain(scale_by_alphaadam(), optax.add_decayed_weights(0.1), optax.scale_by_learning_rate(0.01))
    assert_identical(train_new(alphaadam(0.01, weight_decay=0.1), params, 3), train_new(parts, params, 3))


def test_clipping_comes_before_mask_and_moments():
    params = make_params()
    optimizer = alphaadam(0.01, **RECORDED)
    clipped = optax.chain(optax.clip_by_global_norm(0.5), optax.clip(0.2), optimizer)
    moved, (_, _, state) = train_new(clipped, params, 2)
    expected, inner, step = params, optimizer.init(params), compile_step(optimizer)
    for number in range(2):
        gradients = gradients_like(params, number)
        norm = np.sqrt(sum(np.square(leaf).sum() for leaf in jax.tree.leaves(gradients)))
        gradients = jax.tree.map(lambda g, norm=norm: jnp.clip(g * (0.5 / norm), -0.2, 0.2), gradients)
        expected, inner = step(gradients, inner, expected)
    assert_same_run((moved, state), (expected, inner))


@pytest.mark.parametrize("arguments", [{}, RECORDED])
def test_masked_leaves_pass_through(arguments):
    params = make_params()
    optimizer = optax.masked(scale_by_alphaadam(**arguments), {"w": True, "b": False})
    state = optimizer.init(params)
    for number in range(3):
        gradients = gradients_like(params, number)
        updates, state = jax.jit(optimizer.update)(gradients, state, params)
    assert_identical(updates["b"], gradients["b"])
    alone = scale_by_alphaadam(**arguments)
    _, expected = train_new(alone, {"w": params["w"]}, 0)
    for number in range(3):
        wanted, expected = jax.jit(alone.update)({"w": gradients_like(params, number)["w"]}, expected)
    assert_same_run(updates["w"], wanted["w"])
    assert len(jax.tree.leaves(state)) == len(jax.tree.leaves(expected))  # no moments for what passes through


@pytest.mark.parametrize("arguments", [{}, RECORDED])
def test_each_partition_has_its_own_optimizer(arguments):
    params = make_params()
    parts = {"ours": alphaadam(0.01, **arguments), "theirs": optax.sgd(0.1), "frozen": optax.set_to_zero()}
    params["b"]["frozen"] = jnp.ones(2)
    labels = {"w": "ours", "b": {"x": "theirs", "frozen": "frozen"}}
    moved, _ = train_new(optax.partition(parts, labels), params, 3)
    step, alone = compile_step(parts["ours"]), {"w": params["w"]}
    state, expected = parts["ours"].init(alone), params["b"]["x"]
    for number in range(3):
        gradients = gradients_like(params, number)
        alone, state = step({"w": gradients["w"]}, state, alone)
        expected -= 0.1 * gradients["b"]["x"]
    assert_same_run(moved, {"w": alone["w"], "b": {"x": expected, "frozen": params["b"]["frozen"]}})


def test_two_partitions_may_differ_in_masking():
    params = make_params()
    parts = {"matrix": alphaadam(0.01), "vector": alphaadam(0.01, masking="none", alpha=1.0, weight_decay=0.0)}
    optimizer = optax.multi_transform(parts, {"w": "matrix", "b": {"x": "vector"}})
    ours, _ = train_new(optimizer, params, 4)
    assert_same_run(ours["w"], train_new(parts["matrix"], params, 4)[0]["w"])
    assert_same_run(ours["b"], train_new(parts["vector"], params, 4)[0]["b"])


def test_an_injected_learning_rate_and_alpha_can_change_without_compiling_again():
    params = make_params()
    optimizer = optax.inject_hyperparams(alphaadam)(learning_rate=0.01, alpha=0.5, record_diagnostics=True)
    state, step = optimizer.init(params), compile_step(optimizer)
    _, state = step(gradients_like(params, 0), state, params)
    state.hyperparams["learning_rate"] = jnp.float32(0.02)
    state.hyperparams["alpha"] = jnp.float32(1.5)
    _, changed = step(gradients_like(params, 1), state, params)
    assert step._cache_size() == 1
    assert optax.tree.get(changed, "alpha", filtering=lambda path, _: "hyperparams" not in str(path))["w"] == 1.5
    state.hyperparams["learning_rate"] = jnp.float32(0.0)
    stopped, _ = step(gradients_like(params, 1), state, params)
    assert_identical(stopped, params)


@pytest.mark.parametrize("arguments", [{}, {"alpha_max": 1.2}, {"alpha": "count"}, {"masking": "sync"}, {"alpha": 0.5}])
def test_injected_hyperparameters_are_the_given_ones(arguments):
    params = make_params()
    optimizer = optax.inject_hyperparams(alphaadam)(optax.linear_schedule(0.01, 0.0, 10), **arguments)
    injected, state = train_new(optimizer, params, 4)
    assert set(state.hyperparams) == {"learning_rate", "b1", "b2", "eps", "weight_decay"} | (
        {"alpha", "alpha_max"} & {name for name, value in arguments.items() if not isinstance(value, str)}
    )
    plain, _ = train_new(alphaadam(optax.linear_schedule(0.01, 0.0, 10), **arguments), params, 4)
    # Injected betas are float32 numbers: 1 - b2 is then 1.3e-5 off relatively, and half of that in the root.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=4 * 0.01 * 1.5e-5), injected, plain)


def test_accumulated_gradients_are_one_step_of_their_mean():
    params = make_params()
    optimizer = optax.MultiSteps(alphaadam(0.01, **RECORDED), every_k_schedule=2)
    moved, state = train_new(optimizer, params, 6)
    single = alphaadam(0.01, **RECORDED)
    expected, inner, step = params, single.init(params), compile_step(single)
    for number in range(0, 6, 2):
        pair = [gradients_like(params, number), gradients_like(params, number + 1)]
        expected, inner = step(jax.tree.map(lambda a, b: a + (b - a) / 2, *pair), inner, expected)
    assert_same_run((moved, state.inner_opt_state), (expected, inner))


@pytest.mark.parametrize("arguments", [{}, RECORDED])
def test_a_step_with_a_nan_can_be_left_out(arguments):
    params = make_params()
    optimizer = optax.apply_if_finite(alphaadam(0.01, **arguments), max_consecutive_errors=3)
    params, state = train_new(optimizer, params, 2)
    bad = jax.tree.map(lambda leaf: leaf.at[0].set(jnp.nan), gradients_like(params, 2))
    kept, after = compile_step(optimizer)(bad, state, params)
    assert_identical((kept, after.inner_state), (params, state.inner_state))
    assert after.total_notfinite == 1


def test_schedules_of_rate_and_decay_are_those_of_the_step():
    params = make_params()
    rates, decays = [0.01, 0.02, 0.03], [0.1, 0.0, 0.5]

    def look_up(values):
        return lambda count: jnp.asarray(values)[count]

    scheduled, state = train_new(alphaadam(look_up(rates), weight_decay=look_up(decays)), params, 3)
    expected, inner = params, alphaadam().init(params)
    for number, (rate, decay) in enumerate(zip(rates, decays, strict=True)):
        expected, inner = train(alphaadam(rate, weight_decay=decay), expected, inner, number, number + 1)
    assert_same_run(scheduled, expected)
    theirs = optax.adamw(look_up(rates), weight_decay=look_up(decays)).init(params)
    assert jax.tree.structure(state) == jax.tree.structure(theirs)


def test_an_update_takes_what_other_transformations_need():
    """Line searches and plateaus pass the loss through the chain."""
    params = make_params()
    for optimizer in (alphaadam(0.01), optax.chain(scale_by_alphaadam(), optax.contrib.reduce_on_plateau())):
        updates, _ = optimizer.update(params, optimizer.init(params), params, value=jnp.float32(1.0))
        assert np.isfinite(updates["w"]).all()


def test_tools_that_walk_the_state_find_the_parameters_in_it():
    """As libraries do to place a state like its parameters."""
    params = make_params()
    for arguments in ({}, RECORDED, {"mask": {"w": True, "b": False}, "learning_rate": optax.constant_schedule(0.1)}):
        optimizer = alphaadam(**arguments)
        state = optimizer.init(params)
        marked = optax.tree.map_params(optimizer, lambda _: "p", state, transform_non_params=lambda _: "other")
        assert marked[0].mu == {"w": "p", "b": {"x": "p"}}
        assert marked[0].count == "other"
        assert_identical(optax.tree.map_params(optimizer, lambda leaf: leaf, state), state)


def test_wrappers_that_move_between_parameters_work():
    params = make_params()
    free = optax.contrib.schedule_free(alphaadam(0.01), learning_rate=0.01, b1=0.9)
    moved, state = train_new(free, params, 3)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((moved, state)))
    slow = optax.lookahead(alphaadam(0.01), sync_period=2, slow_step_size=0.5)
    pair = optax.LookaheadParams.init_synced(params)
    state = slow.init(pair)
    for number in range(2):
        updates, state = slow.update(gradients_like(params, number), state, pair)
        pair = optax.apply_updates(pair, updates)
    assert_same_run(pair.fast, pair.slow)
    expected, _ = train_new(alphaadam(0.01), params, 2)
    halfway = jax.tree.map(lambda a, b: (a + b) / 2, params, expected)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=ROUNDING), pair.slow, halfway)
