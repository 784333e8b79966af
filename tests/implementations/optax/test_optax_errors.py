"""What users meet when something is wrong: one error that names it, says what it is and what helps."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
import pytest

from alphaadam.optax import alphaadam, scale_by_alphaadam
from tests.implementations.optax.training import compile_step, make_params, train_new


def error_of(function, *arguments):
    with pytest.raises((TypeError, ValueError)) as caught:
        function(*arguments)
    return caught.value


def expect(kind, fragments, function, *arguments):
    error = error_of(function, *arguments)
    assert type(error) is kind
    for fragment in ("AlphaAdam: ", *fragments):
        assert fragment in str(error), f"{fragment!r} is not in {error}"
    assert len(str(error)) < 500  # a message, not a dump of the model


# Hyperparameters


@pytest.mark.parametrize(
    ("arguments", "kind", "fragments"),
    [
        ({"learning_rate": -1.0}, ValueError, ["learning_rate=-1.0", "learning_rate=1e-3"]),
        ({"learning_rate": np.nan}, ValueError, ["learning_rate=nan"]),
        ({"learning_rate": np.array(np.inf)}, ValueError, ["learning_rate=inf"]),
        ({"learning_rate": np.ones(2)}, TypeError, ["learning_rate=array([1., 1.])", "a finite number >= 0"]),
        ({"learning_rate": "1e-3"}, TypeError, ["learning_rate='1e-3'"]),
        ({"learning_rate": None}, TypeError, ["learning_rate=None"]),
        ({"learning_rate": True}, TypeError, ["learning_rate=True"]),
        ({"learning_rate": 1j}, TypeError, ["learning_rate=1j"]),
        ({"b1": 1.0}, ValueError, ["b1=1.0", "0.9"]),
        ({"b2": -0.1}, ValueError, ["b2=-0.1", "0.999"]),
        ({"eps": -1e-8}, ValueError, ["eps=-1e-08"]),
        ({"weight_decay": -0.1}, ValueError, ["weight_decay=-0.1"]),
        ({"weight_decay": "a"}, TypeError, ["weight_decay='a'"]),
        ({"masking": "asyncc"}, ValueError, ["did you mean 'async'"]),
        ({"masking": None}, TypeError, ["masking=None"]),
        ({"alpha": "norms"}, ValueError, ["did you mean 'norm'"]),
        ({"alpha": 0.0}, ValueError, ["alpha=0.0"]),
        ({"alpha_max": 0.5}, ValueError, ["alpha_max=0.5", ">= 1"]),
        ({"alpha": 1.0, "alpha_max": 2.0}, ValueError, ["alpha_max=2.0", "not capped"]),
        ({"record_diagnostics": 1}, TypeError, ["record_diagnostics=1"]),
        ({"mu_dtype": 0.0}, TypeError, ["mu_dtype=0.0", "eps_root"]),
        ({"mu_dtype": "float33"}, TypeError, ["mu_dtype='float33'", "jnp.bfloat16"]),
        ({"mu_dtype": jnp.int8}, TypeError, ["mu_dtype=", "floating dtype"]),
        ({"mask": "async"}, TypeError, ["mask='async'", "masking='async'"]),
    ],
    ids=str,
)
def test_a_wrong_hyperparameter_is_an_error_at_construction(arguments, kind, fragments):
    expect(kind, fragments, lambda: alphaadam(**arguments))


@pytest.mark.parametrize(
    "value",
    [0.5, np.float32(0.5), np.array(0.5), np.array(0.5, ml_dtypes.bfloat16), jnp.float32(0.5), jnp.bfloat16(0.5)],
)
def test_every_kind_of_number_is_taken(value):
    params = make_params()
    expected = train_new(alphaadam(0.5, b1=0.5, alpha=0.5), params, 2)[0]
    actual = train_new(alphaadam(value, b1=value, alpha=value), params, 2)[0]
    # A beta in an array is rounded where a Python number is not; 0.5 is exact, its logarithm is not.
    np.testing.assert_allclose(actual["w"], expected["w"], rtol=0, atol=1e-6)


def test_what_is_wrong_about_traced_values_is_still_an_error():
    params = make_params()

    def init(rate, alpha):
        return alphaadam(rate, alpha=alpha, alpha_max=2.0).init(params)

    expect(ValueError, ["alpha_max=2.0", "not capped"], jax.jit(init), 0.1, 1.0)
    expect(TypeError, ["learning_rate=", "a finite number"], jax.jit(lambda rate: alphaadam(rate)), jnp.ones(2))
    expect(ValueError, ["did you mean 'norm'"], jax.jit(lambda cap: alphaadam(alpha="nrm", alpha_max=cap)), 2.0)


def test_an_injected_hyperparameter_out_of_range_is_an_error_where_it_is_known():
    params = make_params()
    optimizer = optax.inject_hyperparams(alphaadam)(learning_rate=0.1)
    state = optimizer.init(params)
    state.hyperparams["learning_rate"] = jnp.float32(-1.0)
    expect(ValueError, ["learning_rate=-1.0"], optimizer.update, params, state, params)


# Schedules


@pytest.mark.parametrize("name", ["learning_rate", "weight_decay"])
@pytest.mark.parametrize("bad", [np.nan, -0.5, np.inf])
def test_a_bad_schedule_is_an_error_before_the_first_step_or_at_the_eager_step_that_meets_it(name, bad):
    params = make_params()
    from_the_start = alphaadam(**{name: lambda count: bad + 0 * count})
    expect(ValueError, [f"{name}(0)={float(bad)!r}", "a finite number >= 0"], from_the_start.init, params)

    later = alphaadam(**{name: lambda count: jnp.where(count < 1, 0.1, bad)})
    state = later.init(params)
    _, state = later.update(params, state, params)
    expect(ValueError, [f"{name}(1)={float(bad)!r}"], later.update, params, state, params)


def test_a_schedule_of_constants_is_checked_while_tracing():
    params = make_params()
    optimizer = alphaadam(lambda count: -0.1)
    state = alphaadam(optax.constant_schedule(0.1)).init(params)
    expect(ValueError, ["learning_rate(count)=-0.1"], jax.jit(optimizer.update), params, state, params)


def test_a_schedule_that_returns_several_numbers_is_an_error_also_traced():
    params = make_params()
    optimizer = alphaadam(lambda count: jnp.ones(2) * count)
    expect(TypeError, ["learning_rate("], optimizer.init, params)
    expect(TypeError, ["learning_rate("], jax.jit(optimizer.init), params)


def test_a_bad_traced_schedule_propagates():
    """Only the compiled program knows the value: as documented, NaN shows in the parameters."""
    params = make_params()
    optimizer = alphaadam(lambda count: jnp.where(count < 1, 0.1, jnp.nan))
    params, _ = train_new(optimizer, params, 2)
    assert np.isnan(params["w"]).all()


# Trees and shapes


def changed(tree, **leaves):
    return {**tree, **leaves}


@pytest.mark.parametrize("compiling", [False, True])
@pytest.mark.parametrize(
    ("change", "kind", "fragments"),
    [
        (lambda p: {"w": p["w"]}, ValueError, ["['b']['x'] has a moment and no gradient", "the state"]),
        (
            lambda p: changed(p, c=p["w"]),
            ValueError,
            ["['c'] has a gradient and no moment", "the tree of the parameters"],
        ),
        (lambda p: changed(p, b=p["b"]["x"]), ValueError, ["['b'] has a gradient and no moment", "['b']['x'] has a"]),
        (lambda p: changed(p, w={"x": p["w"]}), ValueError, ["['w']['x'] has a gradient and no moment"]),
        (lambda p: jax.tree.leaves(p), ValueError, ["[0] has a gradient and no moment", "; and 1 more"]),
        (lambda p: p["w"], ValueError, ["the only leaf has a gradient and no moment"]),
        (lambda p: changed(p, w=p["w"].T), ValueError, ["gradient of ['w'] has shape (4, 3), its moment", "(3, 4)"]),
        (lambda p: changed(p, w=p["w"][0]), ValueError, ["gradient of ['w'] has shape (4,)"]),
        (lambda p: changed(p, b={"x": p["b"]["x"][None]}), ValueError, ["gradient of ['b']['x'] has shape (1, 5)"]),
        (lambda p: changed(p, w=p["w"].astype(int)), TypeError, ["gradient of ['w'] is int32", "None"]),
        (
            lambda p: changed(p, w=p["w"] + 0j),
            TypeError,
            ["gradient of ['w'] is complex64", "split_real_and_imaginary"],
        ),
        (
            lambda p: changed(p, w=np.zeros((3, 4), jax.dtypes.float0)),
            TypeError,
            ["gradient of ['w'] is [('float0', 'V')]", "floating-point"],
        ),
    ],
)
def test_gradients_that_do_not_match_the_state_are_an_error_that_names_the_leaf(change, kind, fragments, compiling):
    """NumPy's rules would broadcast (4,) to (3, 4), and count what is there several times."""
    params = make_params()
    for arguments in ({}, {"record_diagnostics": True}):
        optimizer = scale_by_alphaadam(**arguments)
        gradients, state = change(params), optimizer.init(params)
        update = jax.jit(lambda s, g=gradients, o=optimizer: o.update(g, s)) if compiling else None
        if update:
            expect(kind, fragments, update, state)
        else:
            expect(kind, fragments, optimizer.update, gradients, state)


def test_containers_that_differ_are_named():
    params = {"layers": (jnp.ones(2), jnp.ones(3))}
    optimizer = scale_by_alphaadam()
    gradients = {"layers": list(params["layers"])}
    expect(ValueError, ["containers differ (list and tuple)"], optimizer.update, gradients, optimizer.init(params))


@pytest.mark.parametrize(
    ("change", "fragments"),
    [
        (lambda p: {"w": p["w"]}, ["do not match the parameters", "['b']['x'] has a gradient and no parameter"]),
        (lambda p: changed(p, w=None), ["['w'] has a gradient and no parameter"]),
        (lambda p: changed(p, w=p["w"][:, :1]), ["gradient of ['w'] has shape (3, 4), its parameter (3, 1)"]),
    ],
)
def test_parameters_that_do_not_match_the_gradients_are_an_error_that_names_the_leaf(change, fragments):
    params = make_params()
    optimizer = alphaadam()
    expect(ValueError, fragments, optimizer.update, params, optimizer.init(params), change(params))


def test_the_parameters_are_needed():
    params = make_params()
    optimizer = alphaadam()
    with pytest.raises(ValueError, match="not passing `params`"):  # Optax's own words
        optimizer.update(params, optimizer.init(params))


def test_complex_parameters_are_refused_with_their_path_and_a_remedy():
    params = {"real": jnp.ones(2), "wave": {"w": jnp.ones(2, jnp.complex64)}}
    expect(TypeError, ["the parameter of ['wave']['w'] is complex64", "split_real"], alphaadam().init, params)
    split = optax.contrib.split_real_and_imaginary(alphaadam(0.1))
    moved, _ = train_new(split, {"w": params["wave"]["w"]}, 1)
    assert moved["w"].dtype == jnp.complex64


# States


@pytest.mark.parametrize("compiling", [False, True])
@pytest.mark.parametrize(
    ("theirs", "described"),
    [
        (optax.sgd(0.1), "(EmptyState, EmptyState)"),
        (optax.sgd(0.1, momentum=0.9), "(TraceState, EmptyState)"),
        (optax.adam(0.1), "(ScaleByAdamState, EmptyState)"),
        (optax.lion(0.1), "(ScaleByLionState, EmptyState, EmptyState)"),
        (optax.amsgrad(0.1), "(ScaleByAmsgradState, EmptyState)"),
        (optax.adabelief(0.1), "(ScaleByBeliefState, EmptyState)"),
        (optax.inject_hyperparams(optax.adamw)(0.1), "InjectStatefulHyperparamsState"),
        (optax.MultiSteps(optax.adamw(0.1), 2), "MultiStepsState"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_state_of_another_optimizer_is_an_error_that_says_what_it_is(theirs, described, compiling):
    params = make_params()
    optimizer = alphaadam(0.1)
    update = jax.jit(optimizer.update) if compiling else optimizer.update
    fragments = [f"the state is {described}", "Make the state with init(params)", "optax.tree.set"]
    expect(TypeError, fragments, update, params, theirs.init(params), params)


def test_a_state_of_another_transformation_is_an_error_too():
    params = make_params()
    state = optax.scale_by_belief().init(params)
    fragments = ["the state is ScaleByBeliefState, not ScaleByAdamState", "optax.tree.set"]
    expect(TypeError, fragments, scale_by_alphaadam().update, params, state)
    expect(TypeError, ["the state is NoneType"], scale_by_alphaadam().update, params, None)


def test_the_moments_of_another_adam_continue_as_the_message_says():
    params = make_params()
    params, state = train_new(optax.adam(0.1), params, 2)
    optimizer = alphaadam(0.1)
    fields = {name: optax.tree.get(state, name) for name in ("count", "mu", "nu")}
    _, state = compile_step(optimizer)(params, optax.tree.set(optimizer.init(params), **fields), params)
    assert state[0].count == 3


@pytest.mark.parametrize(
    ("ours", "theirs", "missing"),
    [
        ({"learning_rate": optax.constant_schedule(0.1)}, {}, "'count'"),
        ({"weight_decay": optax.constant_schedule(0.1)}, {}, "'count'"),
        ({"mask": lambda params: True}, {}, "'inner_state'"),
        (
            {"mask": lambda params: True, "weight_decay": optax.constant_schedule(0.1)},
            {"mask": lambda params: True},
            "'inner_state.count'",
        ),
    ],
)
def test_a_state_without_the_count_of_a_schedule_is_an_error(ours, theirs, missing):
    params = make_params()
    state = optax.adamw(**{"learning_rate": 0.1, **theirs}).init(params)
    expect(
        TypeError, [missing, "schedule or the mask", "optax.tree.set"], alphaadam(**ours).update, params, state, params
    )
    # The other way round nothing is missing.
    params, _ = alphaadam(0.1).update(params, alphaadam(**ours).init(params), params)


def test_a_state_of_another_model_is_an_error_that_names_the_leaf():
    params = make_params()
    optimizer = alphaadam(0.1)
    other = optimizer.init({**params, "w": jnp.ones((3, 7))})
    fragments = ["the gradient of ['w'] has shape (3, 4), its moment in the state (3, 7)", "checkpoint"]
    expect(ValueError, fragments, optimizer.update, params, other, params)
    half = optax.tree.set(optimizer.init(params), nu=other[0].nu)  # one of both moments
    expect(ValueError, fragments, optimizer.update, params, half, params)


def test_a_state_of_an_ensemble_needs_vmap():
    members = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), make_params())
    optimizer = alphaadam(0.1)
    state = jax.vmap(optimizer.init)(members)
    expect(ValueError, ["count has shape (2,)", "jax.vmap"], optimizer.update, members, state, members)
    jax.vmap(optimizer.update)(members, state, members)


def test_checks_leave_nothing_in_the_compiled_program():
    """All of them are of types and shapes: the program is that of the rule and the chain."""
    params = make_params()
    optimizer = alphaadam(optax.cosine_decay_schedule(0.1, 10), weight_decay=optax.constant_schedule(0.1))
    traced = jax.make_jaxpr(optimizer.update)(params, optimizer.init(params), params)
    assert not [name for name in ("callback", "assert", "is_finite", "check") if name in str(traced)]


def test_leaves_that_are_numbers_or_numpy_arrays_are_taken():
    params = {"a": 1.0, "b": np.ones(3, np.float32), "c": np.ones(2)}
    optimizer = alphaadam(0.1)
    state = optimizer.init(params)
    for gradients in (jax.tree.map(jnp.asarray, params), {"a": 1.0, "b": np.ones(3), "c": np.ones(2)}):
        updates, state = optimizer.update(gradients, state, params)
        params = optax.apply_updates(params, updates)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves((params, state[0].mu)))
    np.testing.assert_allclose(params["a"], 1 - 2 * 0.1 - 2 * 0.1 * 0.01, rtol=0, atol=2e-4)  # decay is of two values


def test_a_leaf_without_a_gradient_stays_and_keeps_its_moments():
    params = make_params()
    for arguments in ({}, {"record_diagnostics": True}):
        optimizer = scale_by_alphaadam(**arguments)
        _, state = optimizer.update(params, optimizer.init(params))
        updates, after = optimizer.update({"w": None, "b": params["b"]}, state)
        assert updates["w"] is None
        assert jax.tree.structure(after) == jax.tree.structure(state)
        np.testing.assert_array_equal(after.mu["w"], state.mu["w"])
        assert (updates["b"]["x"] != 0).all()
        if arguments:
            assert not after.mask["w"].any()
