"""Under JAX's own transformations: jit with donated buffers, vmap, scan, grad."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from alphaadam.optax import alphaadam, scale_by_alphaadam
from tests.implementations.optax.training import (
    assert_same_run,
    compile_step,
    gradients_like,
    make_params,
    train_new,
)

VARIANTS = {
    "default": {},
    "diagnostics": {"record_diagnostics": True},
    "sync, count": {"masking": "sync", "alpha": "count"},
    "decay by a schedule": {"weight_decay": lambda count: 0.1 / (1 + count), "mask": {"w": True, "b": False}},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_donated_step_reuses_its_buffers_and_compiles_once(variant, dtype):
    """A buffer that was donated and could not be used is a warning, hence an error here."""
    params = make_params(dtype)
    optimizer = alphaadam(optax.cosine_decay_schedule(0.01, 10), mu_dtype=jnp.float32, **VARIANTS[variant])

    def step(gradients, state, params):
        updates, state = optimizer.update(gradients, state, params)
        return optax.apply_updates(params, updates), state

    step = jax.jit(step, donate_argnums=(1, 2))
    state = optimizer.init(params)

    def buffers():
        """Of all but alpha and the mask, which a step only writes: JAX does not take an argument that nothing reads."""
        return jax.tree.leaves((params, [optax.tree.get(state, name) for name in ("mu", "nu")]))

    for number in range(3):
        gradients, old = gradients_like(params, number), buffers()
        before = {leaf.unsafe_buffer_pointer() for leaf in old}
        params, state = step(gradients, state, params)
        assert all(leaf.is_deleted() for leaf in old)
        assert {leaf.unsafe_buffer_pointer() for leaf in buffers()} == before
    assert step._cache_size() == 1


def test_a_compiled_step_is_the_eager_one():
    params = make_params()
    optimizer = alphaadam(0.01, record_diagnostics=True)
    compiled = train_new(optimizer, params, 4)
    with jax.disable_jit():
        assert_same_run(train_new(optimizer, params, 4), compiled)


def test_scan_is_the_loop():
    params = make_params()
    optimizer = alphaadam(optax.linear_schedule(0.01, 0.0, 10), record_diagnostics=True)
    gradients = jax.tree.map(lambda *g: jnp.stack(g), *(gradients_like(params, number) for number in range(6)))

    def step(carried, gradient):
        params, state = carried
        updates, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), state[0].alpha["w"]

    carried, alphas = jax.jit(lambda *carried: jax.lax.scan(step, carried, gradients))(params, optimizer.init(params))
    assert_same_run(carried, train_new(optimizer, params, 6))
    assert len(set(alphas.tolist())) > 3  # alpha is of each step


@pytest.mark.parametrize(("dtype", "mu_dtype"), [(jnp.bfloat16, jnp.float32), (jnp.float16, None)])
def test_scan_can_carry_half_precision(dtype, mu_dtype):
    """A state that changed a dtype in its first step could not be carried."""
    params = make_params(dtype)
    optimizer = alphaadam(0.01, mu_dtype=mu_dtype, record_diagnostics=True)

    def step(carried, _):
        params, state = carried
        updates, state = optimizer.update(params, state, params)
        return (optax.apply_updates(params, updates), state), None

    (_, state), _ = jax.lax.scan(step, (params, optimizer.init(params)), length=3)
    assert state[0].count == 3


def test_an_ensemble_is_its_members_each_by_itself():
    """Alpha is of each member's tensor, not of the stack of them."""
    members = [jax.tree.map(lambda p, k=k: p * (1 + k), make_params()) for k in range(3)]
    optimizer = alphaadam(0.01, record_diagnostics=True)
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    state = jax.vmap(optimizer.init)(stacked)
    step = compile_step(optimizer)
    steps = jax.jit(jax.vmap(step))
    alone = [(member, optimizer.init(member)) for member in members]
    for number in range(5):
        gradients = [gradients_like(member, 10 * number + k) for k, member in enumerate(members)]
        stacked, state = steps(jax.tree.map(lambda *leaves: jnp.stack(leaves), *gradients), state, stacked)
        alone = [step(g, s, p) for g, (p, s) in zip(gradients, alone, strict=True)]
    assert len(set(state[0].alpha["w"].tolist())) == 3
    for k, expected in enumerate(alone):
        assert_same_run(jax.tree.map(lambda leaf, k=k: leaf[k], (stacked, state)), expected)


@pytest.mark.parametrize("name", ["learning_rate", "alpha", "b2", "weight_decay"])
def test_a_sweep_over_a_hyperparameter_is_one_program(name):
    params = make_params()
    values = jnp.array([0.25, 0.5, 0.75])

    def run(value):
        optimizer = alphaadam(**{"learning_rate": 0.01, name: value})
        state = optimizer.init(params)
        for number in range(3):
            updates, state = optimizer.update(gradients_like(params, number), state, params)
        return updates

    swept = jax.jit(jax.vmap(run))(values)
    for index, value in enumerate(values):
        alone = jax.jit(lambda value=value: run(float(value)))()
        # Traced betas are float32: 0.25, 0.5 and 0.75 are exact there, the logarithms of bias correction are not.
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-7),
            jax.tree.map(lambda leaf, index=index: leaf[index], swept),
            alone,
        )


# Derivatives: in float64, where a difference quotient with a step of 1e-6 is good to about 1e-9.


def loss(params):
    """Not quadratic, so that every coordinate's gradient changes with it."""
    return sum(jnp.sum(jnp.sin(leaf) + leaf**2 / 4) for leaf in jax.tree.leaves(params))


def steps(optimizer, params, state):
    """The loss after two steps, and the strengths of the second."""
    for _ in range(2):
        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        params = optax.apply_updates(params, updates)
    return loss(params), optax.tree.get(state, "alpha")


def make_start(**arguments):
    """Parameters in float64, and a state with a history that later gradients partly disagree with."""
    params = {"w": make_params(jnp.float64)["w"]}
    optimizer = alphaadam(record_diagnostics=True, **arguments)
    return params, train_new(optimizer, params, 2)[1]


def slope(function, at, direction=1.0, h=1e-6):
    ahead, back = (jax.tree.map(lambda x, d, h=h: x + h * d, at, direction) for h in (h, -h))
    return (function(ahead) - function(back)) / (2 * h)


RULES = [
    {"alpha": "norm", "alpha_max": 10.0},
    {"alpha": "norm", "alpha_max": 1.01},
    {"alpha": "count"},
    {"alpha": 1.5},
    {"masking": "sync"},
    {"masking": "none"},
]


@pytest.mark.parametrize("arguments", RULES, ids=str)
def test_the_derivative_of_training_is_that_of_its_difference_quotient(arguments):
    with jax.enable_x64(True):
        params, state = make_start(**arguments)

        def after(rate, params):
            return steps(alphaadam(rate, **arguments, record_diagnostics=True), params, state)

        rate = jnp.asarray(0.05)
        compiled = jax.jit(jax.value_and_grad(after, argnums=(0, 1), has_aux=True))
        (_, alphas), (by_rate, by_params) = compiled(rate, params)

        def value(rate, params):
            return compiled(rate, params)[0][0]

        np.testing.assert_allclose(by_rate, slope(lambda r: value(r, params), rate), rtol=1e-7)
        direction = gradients_like(params, 50)
        expected = slope(lambda p: value(rate, p), params, direction)
        np.testing.assert_allclose(optax.tree.vdot(by_params, direction), expected, rtol=1e-7)
        assert alphas["w"] > 1 or arguments == {"masking": "none"}  # something was masked


@pytest.mark.parametrize("values", [{"alpha": 1.5, "b1": 0.8}, {"alpha_max": 1.01, "b2": 0.95, "eps": 0.1}], ids=str)
def test_hyperparameters_have_a_derivative(values):
    with jax.enable_x64(True):
        params, state = make_start()

        @jax.jit
        @jax.value_and_grad
        def after(values):
            return steps(alphaadam(0.05, record_diagnostics=True, **values), params, state)[0]

        at = jax.tree.map(jnp.asarray, values)
        _, derivatives = after(at)
        for name in values:
            direction = {other: float(other == name) for other in values}
            np.testing.assert_allclose(derivatives[name], slope(lambda v: after(v)[0], at, direction), rtol=1e-6)
            assert derivatives[name] != 0


def test_forward_and_reverse_agree_through_scan():
    params = make_params()
    optimizer = alphaadam(0.05)

    def after(params):
        def step(carried, _):
            params, state = carried
            updates, state = optimizer.update(jax.grad(loss)(params), state, params)
            return (optax.apply_updates(params, updates), state), None

        (params, _), _ = jax.lax.scan(step, (params, optimizer.init(params)), length=4)
        return loss(params)

    direction = gradients_like(params, 50)
    reverse = optax.tree.vdot(jax.jit(jax.grad(after))(params), direction)
    _, forward = jax.jit(lambda p, d: jax.jvp(after, (p,), (d,)))(params, direction)
    np.testing.assert_allclose(forward, reverse, rtol=1e-4)  # float32, sums of terms of both signs


@pytest.mark.parametrize(
    ("masking", "alpha"), [("async", "norm"), ("async", "count"), ("sync", "norm"), ("none", "norm"), ("async", 1.0)]
)
def test_coordinates_without_a_gradient_have_a_finite_derivative(masking, alpha):
    """At zero the derivative of the root is infinite, and so is that of a ratio of norms that are both zero."""
    optimizer = scale_by_alphaadam(masking=masking, alpha=alpha, eps=1e-3)
    gradients = {"some": jnp.array([1.0, 0.0]), "untouched": jnp.zeros(2)}

    @jax.jit
    @jax.jacrev
    def first_and_second(gradients):
        first, state = optimizer.update(gradients, optimizer.init(gradients))
        return first, optimizer.update(gradients, state)[0]

    jacobian = first_and_second(gradients)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(jacobian))
    # u = g / (|g| + eps) has this slope at 0. The sync mask selects nothing there.
    expected = np.eye(2) * (0.0 if masking == "sync" else 1e3)
    np.testing.assert_allclose(jacobian[0]["untouched"]["untouched"], expected, rtol=1e-6)


def test_a_training_step_can_be_differentiated_with_embedding_rows_that_no_batch_touched():
    params = {"table": jnp.ones((4, 2)), "w": jnp.ones(2)}

    def batch_loss(params):
        return jnp.sum(jnp.tanh(params["table"][jnp.array([1, 1, 3])] @ params["w"]))

    def after(rate, params):
        optimizer = alphaadam(rate)
        updates, _ = optimizer.update(jax.grad(batch_loss)(params), optimizer.init(params), params)
        return batch_loss(optax.apply_updates(params, updates))

    derivatives = jax.jit(jax.grad(after, argnums=(0, 1)))(0.1, params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(derivatives))
    assert derivatives[0] < 0  # a longer step lowers the loss more


def test_a_nan_is_loud_in_derivatives_too():
    optimizer = scale_by_alphaadam()

    def total(gradients):
        return jnp.sum(optimizer.update(gradients, optimizer.init(gradients))[0])

    assert jnp.isnan(jax.grad(total)(jnp.array([1.0, jnp.nan]))).all()
