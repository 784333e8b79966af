"""What users of alpha_mask rely on beyond the rule itself, which the vectors check around SGD and Lion."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from alphaadam.optax import AlphaMaskState, alpha_mask, scale_by_alphaadam
from tests.implementations.optax.training import (
    assert_identical,
    assert_same_run,
    compile_step,
    gradients_like,
    make_params,
    train,
    train_new,
)

AS_INNER = {"masking": "none", "alpha": 1.0}
RATE = 0.125


class Inner(NamedTuple):
    """An inner optimizer: a function of its decay, where it keeps its momentum, and what alpha_mask must be told."""

    make: Callable[..., optax.GradientTransformation]
    momentum: Callable[[Any], Any]
    decays: bool = True
    told: str | None = None


def field(name, sign=1):
    return lambda state: jax.tree.map(lambda m: sign * m, optax.tree.get(state, name))


def muons(state):
    """Muon's own for matrices, its Adam's for the rest."""
    return {
        "w": state.inner_states["muon"].inner_state[0].mu["w"],
        "b": {"x": state.inner_states["adam"].inner_state[0].mu["b"]["x"]},
    }


INNER = {
    "sgd": Inner(lambda **o: optax.sgd(RATE, momentum=0.9), field("trace"), decays=False),
    "sgd with Nesterov": Inner(lambda **o: optax.sgd(RATE, 0.9, nesterov=True), field("trace"), decays=False),
    "lion": Inner(lambda **o: optax.lion(RATE, **{"weight_decay": 0.0, **o}), field("mu")),
    "adam": Inner(lambda **o: optax.adam(RATE), field("mu"), decays=False),
    "adamw": Inner(lambda **o: optax.adamw(RATE, **{"weight_decay": 0.0, **o}), field("mu")),
    "adan": Inner(lambda **o: optax.adan(RATE, **o), field("m")),
    "adabelief": Inner(lambda **o: optax.adabelief(RATE), field("mu"), decays=False),
    "muon": Inner(
        lambda weight_decay=0.0: optax.contrib.muon(RATE, weight_decay=weight_decay, adam_weight_decay=weight_decay),
        muons,
    ),
    "ademamix": Inner(lambda **o: optax.contrib.ademamix(RATE, **o), field("m1")),
    # Its momentum gathers what is multiplied by -RATE already.
    "rmsprop": Inner(lambda **o: optax.rmsprop(RATE, momentum=0.9), field("trace", -1), decays=False, told="-trace"),
}


def around(name, **arguments):
    return alpha_mask(INNER[name].make(), momentum=INNER[name].told, **arguments)


@pytest.mark.parametrize("name", INNER)
def test_without_masking_it_is_the_inner_optimizer_bit_for_bit_and_so_is_the_first_step(name):
    params = make_params()
    inner, plain, masked = INNER[name].make(), around(name, **AS_INNER), around(name)

    @jax.jit
    def step(gradients, states):
        return [o.update(gradients, s, params) for o, s in zip((inner, plain, masked), states, strict=True)]

    states = [o.init(params) for o in (inner, plain, masked)]
    for number in range(4):
        theirs, ours, other = step(gradients_like(params, number), states)
        assert_identical(ours, theirs)
        if number == 0:  # no history yet
            assert_identical(other, theirs)
        states = [theirs[1], ours[1], other[1]]
    assert not jnp.array_equal(other[0]["w"], theirs[0]["w"])


RULES = [
    dict(zip(("masking", "alpha"), rule, strict=True))
    for rule in itertools.product(["async", "sync"], ["norm", "count", 0.75])
]


@pytest.mark.parametrize("name", INNER)
def test_the_rule_around_every_optimizer(name):
    """In float64, with the inner optimizer run without decay beside it from the same state."""
    decay = 0.5 if INNER[name].decays else 0.0
    inner = INNER[name].make()
    wrapped = INNER[name].make(weight_decay=decay) if decay else inner
    ours = [alpha_mask(wrapped, momentum=INNER[name].told, **rule, record_diagnostics=True) for rule in RULES]

    @jax.jit
    def step(gradients, states, params):
        updates = [o.update(gradients, s, params) for o, s in zip(ours, states, strict=True)]
        beside = [inner.update(gradients, s.inner_state, params) for s in states]
        return updates, beside

    with jax.enable_x64(True):
        params = make_params(jnp.float64)
        states = [o.init(params) for o in ours]
        seen = set()
        for number in range(4):
            gradients = gradients_like(params, number)
            updates, beside = step(gradients, states, params)
            for rule, old, (update, new), (move, after) in zip(RULES, states, updates, beside, strict=True):
                assert_identical(new.inner_state, after)  # its momentum is not masked
                momentum = INNER[name].momentum(old.inner_state if rule["masking"] == "async" else after)
                for leaf in ("w", "b"):
                    m, g, d, theta, actual, mask, alpha = (
                        np.asarray(jax.tree.leaves(tree[leaf])[0])
                        for tree in (momentum, gradients, move, params, update, new.mask, new.alpha)
                    )
                    expected = expected_update(rule, m, g, d, mask, alpha)
                    np.testing.assert_allclose(actual, expected - RATE * decay * theta, rtol=1e-12, atol=1e-14)
                    seen.add(bool(mask.all()))
            states = [new for _, new in updates]
            params = optax.apply_updates(params, updates[0][0])
        assert seen == {True, False}


def expected_update(rule, m, g, d, mask, alpha):
    selected = np.sign(m) * np.sign(g) > 0
    if rule["masking"] == "async":
        selected |= m == 0
    np.testing.assert_array_equal(mask, selected)
    strength = rule["alpha"]
    if strength == "count":
        strength = min(selected.size / max(selected.sum(), 1e-9), 1000.0)
    elif strength == "norm":
        kept = np.linalg.norm(selected * d)
        strength = 1.0 if not d.any() else min(np.linalg.norm(d) / kept if kept else 2.0, 2.0)
    np.testing.assert_allclose(alpha, strength, rtol=1e-12)
    return strength * (selected * d)


@pytest.mark.parametrize("masking", ["async", "sync"])
def test_around_adam_it_is_alphaadam_up_to_rounding(masking):
    """Optax takes 1 - b2**t by a power: at t = 1, a thousand roundings of 1e-16 in float64."""
    with jax.enable_x64(True):
        params = make_params(jnp.float64)
        ours = alpha_mask(optax.scale_by_adam(), masking=masking, record_diagnostics=True)
        theirs = scale_by_alphaadam(masking=masking, record_diagnostics=True)
        step = jax.jit(lambda g, a, b: (ours.update(g, a), theirs.update(g, b)))
        a, b = ours.init(params), theirs.init(params)
        for number in range(5):
            (actual, a), (expected, b) = step(gradients_like(params, number), a, b)
            assert_identical(a.mask, b.mask)
            jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-12), actual, expected)


def test_a_whole_optimizer_is_its_direction_with_decay_and_rate_after_it():
    decayed = {"w": True, "b": False}
    whole = alpha_mask(optax.lion(0.01, weight_decay=0.1, mask=decayed))
    parts = optax.chain(
        alpha_mask(optax.scale_by_lion()), optax.add_decayed_weights(0.1, decayed), optax.scale_by_learning_rate(0.01)
    )
    params = make_params()
    assert_same_run(train_new(whole, params, 6), train_new(parts, params, 6))


def test_a_decay_that_follows_a_schedule_or_is_set_during_the_run_is_not_masked():
    """Every gradient turns, so the mask selects nothing: the decay is all that moves."""
    params = {"w": jnp.array([1.0, -2.0])}
    turned = {"w": jnp.array([-0.01, -0.01])}

    def second_update(inner, change=lambda state: state):
        optimizer = alpha_mask(inner)
        step = jax.jit(optimizer.update)
        _, state = step({"w": jnp.ones(2)}, optimizer.init(params), params)
        return step(turned, change(state), params)[0]["w"]

    scheduled = second_update(optax.adamw(0.5, weight_decay=lambda count: 0.25 * count))
    np.testing.assert_allclose(scheduled, [-0.125, 0.25], rtol=1e-6)
    injected = second_update(
        optax.inject_hyperparams(optax.lion)(0.5, weight_decay=0.0),
        lambda state: optax.tree.set(state, weight_decay=jnp.float32(0.25)),
    )
    np.testing.assert_allclose(injected, [-0.125, 0.25], rtol=1e-6)


def test_parameters_are_not_needed_where_nothing_decays():
    params = make_params()
    optimizer = alpha_mask(optax.sgd(0.1, momentum=0.9))
    state = optimizer.init(params)
    gradients = gradients_like(params, 0)
    step = jax.jit(optimizer.update)
    assert_identical(step(gradients, state), step(gradients, state, params))


def test_the_state_is_the_inner_ones_and_its_checkpoints_continue_and_go_back():
    params = make_params()
    inner = optax.lion(0.01)
    ours = alpha_mask(inner)
    assert_identical(ours.init(params), inner.init(params))
    params, state = train_new(inner, params, 3)
    params, state = train(ours, params, state, 3, 6)
    _, state = train(inner, params, state, 6, 8)
    assert optax.tree.get(state, "count") == 8


def test_a_run_in_two_parts_is_the_run_in_one():
    params = make_params()
    optimizer = alpha_mask(optax.adabelief(optax.cosine_decay_schedule(0.01, 10)), record_diagnostics=True)
    whole = train_new(optimizer, params, 6)
    saved = jax.tree.map(np.asarray, train_new(optimizer, params, 3))
    assert_identical(train(optimizer, *jax.tree.map(jnp.asarray, saved), 3, 6), whole)


@pytest.mark.parametrize("name", ["sgd", "lion"])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_donated_step_reuses_its_buffers_and_compiles_once(name, dtype):
    """A buffer that was donated and could not be used is a warning, hence an error here."""
    params = make_params(dtype)
    optimizer = around(name)

    def step(gradients, state, params):
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    step = jax.jit(step, donate_argnums=(1, 2))
    state = optimizer.init(params)
    for number in range(3):
        before = {leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves((params, state))}
        params, state = step(gradients_like(params, number), state, params)
        assert {leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves((params, state))} == before
    assert step._cache_size() == 1


def test_scan_is_the_loop():
    params = make_params()
    optimizer = alpha_mask(optax.lion(0.01), record_diagnostics=True)
    gradients = jax.tree.map(lambda *g: jnp.stack(g), *(gradients_like(params, number) for number in range(5)))

    def step(carried, gradient):
        updates, state = optimizer.update(gradient, carried[1], carried[0])
        return (optax.apply_updates(carried[0], updates), state), None

    carried, _ = jax.lax.scan(step, (params, optimizer.init(params)), gradients)
    assert_same_run(carried, train_new(optimizer, params, 5))


def test_an_ensemble_is_its_members_each_by_itself():
    """Alpha is of each member's tensor, not of the stack of them."""
    members = [jax.tree.map(lambda p, k=k: p * (1 + k), make_params()) for k in range(3)]
    optimizer = alpha_mask(optax.adamw(0.01), record_diagnostics=True)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    state = jax.vmap(optimizer.init)(stacked)
    step = compile_step(optimizer)
    steps = jax.jit(jax.vmap(step))
    alone = [(member, optimizer.init(member)) for member in members]
    for number in range(4):
        gradients = [gradients_like(member, 10 * number + k) for k, member in enumerate(members)]
        stacked, state = steps(jax.tree.map(lambda *leaves: jnp.stack(leaves), *gradients), state, stacked)
        alone = [step(g, s, p) for g, (p, s) in zip(gradients, alone, strict=True)]
    assert len(set(state.alpha["w"].tolist())) == 3
    for k, expected in enumerate(alone):
        assert_same_run(jax.tree.map(lambda leaf, k=k: leaf[k], (stacked, state)), expected)


def test_a_sharded_step_has_the_alpha_of_the_whole_tensor():
    mesh = jax.make_mesh((4, 2), ("rows", "columns"), axis_types=(jax.sharding.AxisType.Auto,) * 2)
    placed = jax.NamedSharding(mesh, jax.P("rows", "columns"))
    params = {"w": jnp.asarray(np.random.default_rng(0).normal(size=(8, 4)), jnp.float32)}
    optimizer = alpha_mask(optax.lion(0.01), record_diagnostics=True)
    actual = train_new(optimizer, jax.device_put(params, placed), 4)
    assert actual[1].inner_state[0].mu["w"].sharding.is_equivalent_to(placed, 2)
    assert_same_run(actual, train_new(optimizer, params, 4))


def test_masked_and_partition_route_leaves_past_it():
    params = make_params()
    routes = {"w": True, "b": False}
    masked = optax.masked(alpha_mask(optax.sgd(0.1, momentum=0.9)), routes)
    parts = {"ours": alpha_mask(optax.sgd(0.1, momentum=0.9)), "frozen": optax.set_to_zero()}
    partition = optax.partition(parts, {"w": "ours", "b": "frozen"})
    alone = parts["ours"]
    states = [o.init(p) for o, p in ((masked, params), (partition, params), (alone, {"w": params["w"]}))]
    for number in range(3):
        gradients = gradients_like(params, number)
        through, states[0] = masked.update(gradients, states[0], params)
        parted, states[1] = partition.update(gradients, states[1], params)
        expected, states[2] = alone.update({"w": gradients["w"]}, states[2], {"w": params["w"]})
        assert_same_run((through["w"], parted["w"]), (expected["w"], expected["w"]))
        assert_identical(through["b"], gradients["b"])
        assert not parted["b"]["x"].any()


def test_multi_steps_around_it_masks_by_the_mean_gradient():
    params = make_params()
    several = optax.MultiSteps(alpha_mask(optax.sgd(0.1, momentum=0.9)), every_k_schedule=2)
    alone = alpha_mask(optax.sgd(0.1, momentum=0.9))
    state, expected_state = several.init(params), alone.init(params)
    step, step_alone = jax.jit(several.update), jax.jit(alone.update)
    for number in range(0, 6, 2):
        pair = [gradients_like(params, number + k) for k in range(2)]
        first, state = step(pair[0], state, params)
        assert not first["w"].any()
        updates, state = step(pair[1], state, params)
        mean = jax.tree.map(lambda a, b: (a + b) / 2, *pair)
        expected, expected_state = step_alone(mean, expected_state, params)
        assert_same_run(updates, expected)


def test_inject_hyperparams_makes_rate_and_alpha_settable():
    params = make_params()

    def make(learning_rate, alpha):
        return alpha_mask(optax.lion(learning_rate, weight_decay=0.0), alpha=alpha)

    optimizer = optax.inject_hyperparams(make)(learning_rate=0.5, alpha=0.25)
    step = jax.jit(optimizer.update)
    updates, state = step(gradients_like(params, 0), optimizer.init(params), params)
    assert set(np.abs(updates["w"]).ravel().tolist()) == {0.125}
    state = optax.tree.set(state, learning_rate=jnp.float32(2.0), alpha=jnp.float32(1.5))
    updates, _ = step(gradients_like(params, 1), state, params)
    assert set(np.abs(updates["w"]).ravel().tolist()) == {3.0, 0.0}


def test_apply_if_finite_skips_a_step_and_keeps_the_momentum():
    optimizer = optax.apply_if_finite(alpha_mask(optax.sgd(0.1, momentum=0.9)), max_consecutive_errors=3)
    _, state = optimizer.update(jnp.ones(2), optimizer.init(jnp.ones(2)))
    updates, state = optimizer.update(jnp.array([1.0, jnp.nan]), state)
    assert not updates.any()
    assert optax.tree.get(state, "trace").tolist() == [1.0, 1.0]


def test_extra_arguments_reach_the_inner_optimizer():
    def update(updates, state, params=None, *, factor, **extra_args):
        return jax.tree.map(lambda u: factor * u, updates), state

    scaled = optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)
    optimizer = alpha_mask(optax.chain(optax.trace(0.5), scaled))
    updates, _ = optimizer.update(jnp.ones(2), optimizer.init(jnp.ones(2)), factor=3.0, unused=None)
    assert updates.tolist() == [3.0, 3.0]


def test_leaves_that_are_none_empty_or_without_dimensions():
    params = {"a": None, "empty": jnp.zeros((0, 2)), "scalar": jnp.float32(2.0), "w": jnp.ones(2)}
    optimizer = alpha_mask(optax.sgd(0.5, momentum=0.5), record_diagnostics=True)
    state = optimizer.init(params)
    gradients = {**params, "scalar": jnp.float32(1.0)}
    for _ in range(2):
        updates, state = optimizer.update(gradients, state, params)
    assert updates["a"] is None
    assert updates["empty"].shape == (0, 2)
    assert updates["scalar"] == -0.75
    assert [state.alpha[leaf] for leaf in ("empty", "scalar", "w")] == [1, 1, 1]


def test_a_leaf_without_a_gradient_has_no_update():
    params = {"w": jnp.ones(2), "x": jnp.ones(2)}
    optimizer = alpha_mask(optax.sgd(0.5, momentum=0.5))
    updates, _ = optimizer.update({"w": jnp.ones(2), "x": None}, optimizer.init(params), params)
    assert updates["x"] is None
    assert updates["w"].tolist() == [-0.5, -0.5]


def test_parameters_called_like_a_momentum_are_not_taken_for_one():
    params = {"mu": jnp.ones(2), "trace": {"m": jnp.ones(2)}}
    optimizer = alpha_mask(optax.adamw(0.1))
    assert_same_run(*(train_new(optimizer, tree, 3)[0]["mu"] for tree in (params, {"mu": params["mu"]})))


def test_half_precision_is_computed_in_float32_from_what_the_inner_optimizer_returns():
    params = make_params(jnp.bfloat16)
    inner = optax.sgd(0.1, momentum=0.9)
    optimizer = alpha_mask(inner, record_diagnostics=True)
    state = optimizer.init(params)
    for number in range(3):
        gradients = gradients_like(params, number)
        moves, _ = inner.update(gradients, state.inner_state)
        updates, state = optimizer.update(gradients, state)
        wide = jax.tree.map(lambda d, a, m: d.astype(jnp.float32) * a * m, moves, state.alpha, state.mask)
        assert_identical(updates, jax.tree.map(lambda w: w.astype(jnp.bfloat16), wide))
        assert state.alpha["w"].dtype == jnp.float32
    assert state.alpha["w"] > 1


def test_the_sign_is_decided_where_products_underflow():
    optimizer = alpha_mask(optax.trace(0.5), record_diagnostics=True)
    state = optimizer.init(jnp.ones(2))
    for gradient in ([1e-25, 1e-25], [1e-25, -1e-25]):
        _, state = optimizer.update(jnp.array(gradient), state)
    assert state.mask.tolist() == [True, False]


@pytest.mark.parametrize("alpha", ["norm", 1.0])
def test_a_masked_nan_is_loud(alpha):
    optimizer = alpha_mask(optax.trace(0.5), alpha=alpha, record_diagnostics=True)
    step = jax.jit(optimizer.update)
    _, state = step(jnp.ones(3), optimizer.init(jnp.ones(3)))
    updates, state = step(jnp.array([1.0, jnp.nan, 1.0]), state)
    assert state.mask.tolist() == [True, False, True]
    assert np.isnan(updates).tolist() == [alpha == "norm", True, alpha == "norm"]


def test_a_training_step_can_be_differentiated_with_a_tensor_that_has_no_gradient():
    """At zero the derivative of a ratio of norms that are both zero would be NaN."""
    optimizer = alpha_mask(optax.lion(0.5, weight_decay=0.5), masking="sync")
    linear = alpha_mask(optax.sgd(0.5, momentum=0.5))

    def after(x, optimizer):
        params = {"w": x * jnp.ones(2), "untouched": jnp.ones(2)}
        state = optimizer.init(params)
        for gradient in ([1.0, 1.0], [3.0, -0.25]):
            gradients = {"w": x * jnp.array(gradient), "untouched": 0 * x * jnp.ones(2)}
            updates, state = optimizer.update(gradients, state, params)
            params = optax.apply_updates(params, updates)
        return params["w"].sum() + params["untouched"].sum()

    for each in (optimizer, linear):
        rise = (after(1.25, each) - after(0.75, each)) / 0.5  # both are linear in x
        np.testing.assert_allclose(jax.jit(jax.grad(after), static_argnums=1)(1.0, each), rise, rtol=1e-5)


def test_diagnostics_are_those_of_the_last_step():
    optimizer = alpha_mask(optax.sgd(0.1, momentum=0.5), record_diagnostics=True)
    state = optimizer.init({"w": jnp.ones(2)})
    assert isinstance(state, AlphaMaskState)
    for gradient in ([1.0, 1.0], [1.0, -0.25]):
        _, state = optimizer.update({"w": jnp.array(gradient)}, state)
    assert optax.tree.get(state, "mask")["w"].tolist() == [True, False]
    np.testing.assert_allclose(optax.tree.get(state, "alpha")["w"], np.hypot(1.5, 0.25) / 1.5, rtol=1e-6)


def test_tree_map_params_knows_what_is_like_the_parameters():
    params = make_params()
    optimizer = alpha_mask(optax.lion(0.1), record_diagnostics=True)
    marked = optax.tree_map_params(
        optimizer, lambda _: "parameter", optimizer.init(params), transform_non_params=lambda _: "other"
    )
    assert marked.inner_state[0].mu == marked.mask == marked.alpha == {"w": "parameter", "b": {"x": "parameter"}}
    assert marked.inner_state[0].count == "other"


# What cannot be wrapped, and what a momentum can be called


def test_a_momentum_can_be_named_or_found_by_a_function():
    two = optax.chain(optax.trace(0.5), optax.scale_by_adam())
    params = {"w": jnp.ones(2)}
    for momentum in ("trace", lambda state: state[0].trace):
        optimizer = alpha_mask(two, momentum=momentum, record_diagnostics=True)
        state = optimizer.init(params)
        state = optax.tree.set(state, trace={"w": jnp.array([1.0, -1.0])}, mu={"w": jnp.array([-1.0, 1.0])})
        _, state = optimizer.update({"w": jnp.ones(2)}, state)
        assert state.mask["w"].tolist() == [True, False]


def custom_state(params):
    return {"velocity": jax.tree.map(jnp.zeros_like, params)}


CUSTOM = optax.GradientTransformation(custom_state, lambda updates, state, params=None: (updates, state))

REFUSED = {
    "no momentum": (
        optax.sgd(0.1),
        {},
        r"no momentum of shape \(5,\) to mask the leaf \['b'\]\['x'\].*state are: none",
    ),
    "no momentum of a part": (
        optax.partition({"a": optax.adam(0.1), "b": optax.sgd(0.1)}, {"w": "a", "b": "b"}),
        {},
        r"shape \(5,\) to mask the leaf \['b'\]\['x'\].*optax\.partition",
    ),
    "no such field": (optax.adam(0.1), {"momentum": "trace"}, r"state are: count, mu, nu.*momentum="),
    "no field of that shape": (optax.adam(0.1), {"momentum": "count"}, r"no momentum of shape \(5,\)"),
    "a field unknown to us": (CUSTOM, {}, "no momentum of shape"),
    "several": (
        optax.chain(optax.ema(0.9), optax.adam(0.1)),
        {},
        r"several momenta: \[0\]EmaState\.ema, \[1\]\[0\]ScaleByAdamState\.mu.*momentum='mu'",
    ),
    "an unknown sign": (
        optax.rmsprop(0.1, momentum=0.9),
        {},
        r"\[2\]TraceState\.trace ends a chain.*momentum='-trace'",
    ),
    "MultiSteps inside": (
        optax.MultiSteps(optax.adam(0.1), 2).gradient_transformation(),
        {},
        r"optax\.MultiSteps\(alpha_mask\(inner\)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_optimizer_without_a_clear_momentum_is_refused_at_init(name):
    inner, options, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        alpha_mask(inner, **options).init(make_params())
    alpha_mask(inner, **options, masking="none").init(make_params())  # nothing to mask by is needed


def test_a_field_that_is_not_optaxs_can_be_named():
    optimizer = alpha_mask(CUSTOM, momentum="velocity", record_diagnostics=True)
    state = AlphaMaskState({"velocity": jnp.array([1.0, -1.0])}, *optimizer.init(jnp.ones(2))[1:])
    _, state = optimizer.update(jnp.ones(2), state)
    assert state.mask.tolist() == [True, False]


@pytest.mark.parametrize(
    "inner",
    [
        optax.lamb(0.1),  # its trust ratio
        optax.chain(optax.add_decayed_weights(0.1), optax.sgd(0.1, 0.9)),  # decay that enters the momentum
        optax.chain(optax.sgd(0.1, 0.9), optax.add_decayed_weights(-0.01), optax.keep_params_nonnegative()),
        optax.chain(optax.sgd(0.1, 0.9), optax.stateless(lambda u, p: u * p / (1 + p))),
    ],
    ids=["lamb", "L2", "projection", "quotient"],
)
def test_an_inner_optimizer_that_uses_the_parameters_otherwise_is_refused(inner):
    params = jnp.ones(2)
    optimizer = alpha_mask(inner)
    with pytest.raises(ValueError, match=r"more than a weight decay.*optax\.scale_by_adam\(\)"):
        optimizer.update(params, optimizer.init(params), params)


def test_a_decay_of_zero_before_the_momentum_is_none():
    zero = optax.stateless(lambda updates, params: jax.tree.map(lambda u, p: u + 0.0 * p, updates, params))
    params = jnp.ones(2)
    optimizer = alpha_mask(optax.chain(zero, optax.sgd(0.5, momentum=0.9)))
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    assert updates.tolist() == [-0.5, -0.5]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"inner": optax.lion}, TypeError, "is no optax.GradientTransformation"),
        ({"inner": optax.MultiSteps(optax.adam(0.1), 2)}, TypeError, "is no optax.GradientTransformation"),
        ({"momentum": 1}, TypeError, "momentum=1 "),
        ({"masking": "asinc"}, ValueError, "did you mean 'async'"),
        ({"alpha": "nrom"}, ValueError, "alpha='nrom'"),
        ({"alpha": True}, TypeError, "alpha=True"),
        ({"alpha": 1.0, "alpha_max": 2.0}, ValueError, "alpha_max=2.0"),
        ({"alpha_max": jnp.float32(0.5)}, ValueError, "alpha_max=0.5"),
        ({"record_diagnostics": 1}, TypeError, "record_diagnostics=1"),
    ],
)
def test_bad_arguments_name_themselves(arguments, error, message):
    with pytest.raises(error, match=message):
        alpha_mask(**{"inner": optax.sgd(0.1, momentum=0.9), **arguments})


def test_complex_parameters_are_refused_with_a_remedy():
    optimizer = alpha_mask(optax.sgd(0.1, momentum=0.9))
    with pytest.raises(TypeError, match=r"complex64.*split_real_and_imaginary"):
        optimizer.init(jnp.ones(2, jnp.complex64))


@pytest.mark.parametrize("recording", [True, False])
def test_a_state_of_the_other_kind_is_refused(recording):
    made, used = (alpha_mask(optax.sgd(0.1, 0.9), record_diagnostics=flag) for flag in (not recording, recording))
    with pytest.raises(ValueError, match=f"record_diagnostics={recording}, but the state is"):
        used.update(jnp.ones(2), made.init(jnp.ones(2)))


@pytest.mark.parametrize(
    "gradients", [{"w": jnp.ones(3)}, {"v": jnp.ones(2)}, jnp.ones(2)], ids=["shape", "name", "tree"]
)
def test_gradients_of_other_parameters_are_refused(gradients):
    optimizer = alpha_mask(optax.sgd(0.1, momentum=0.9))
    with pytest.raises(ValueError, match="State and gradients must be of the same parameters"):
        optimizer.update(gradients, optimizer.init({"w": jnp.ones(2)}))
