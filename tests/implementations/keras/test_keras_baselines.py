"""What every baseline keeps to as a Keras optimizer, whatever its rule, on the backend under test."""

import contextlib
import re

import keras
import numpy as np
import pytest
from keras import ops

from alphaadam.keras import baselines
from suite.adapters.keras_baselines import arguments
from tests.implementations import readme
from tests.implementations.baselines import decays_last, invalid, matrix_rules, of, settings
from tests.implementations.keras.training import (
    BACKEND,
    JIT,
    apply,
    assert_identical,
    gradients,
    policy,
    state,
    tensors,
    values,
)

every = pytest.mark.parametrize("name", of("keras"))

SCHEDULE = keras.optimizers.schedules.PiecewiseConstantDecay([1, 3], [2.0**-6, 2.0**-7, 2.0**-5])

DECOMPOSITION_ERRORS = []
if BACKEND == "torch":
    import torch

    DECOMPOSITION_ERRORS.append(torch.linalg.LinAlgError)


def make(name, /, **changes):
    """A baseline with the settings of its row; ``changes`` have Keras' names."""
    return getattr(baselines, name)(**{**arguments(settings(name)), **changes})


def make_variables(dtype="float32"):
    """A wide and a tall matrix, and variables that a rule for matrices leaves to AdamW."""
    rng = np.random.default_rng(0)
    return [
        keras.Variable(ops.cast(rng.normal(size=shape).astype("float32"), dtype), dtype=dtype, name=f"v{number}")
        for number, shape in enumerate([(4, 6), (7, 3), (5,), ()])
    ]


def make_model(optimizer, **options):
    """One wide and one tall kernel, the same at every call."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(6, activation="tanh", name="hidden"),
            keras.layers.Dense(2, name="head"),
        ]
    )
    model.compile(optimizer, "mse", **options)
    return model


def fit(model, epochs=1):
    """Three steps for each epoch; returns the losses."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(24, 4)).astype("float32")
    y = x @ rng.normal(size=(4, 2)).astype("float32")
    return model.fit(x, y, batch_size=8, epochs=epochs, shuffle=False, verbose=0).history["loss"]


# Arguments


@every
def test_what_is_out_of_range_is_refused_by_name_and_value_with_a_remedy(name):
    for wrong, given in invalid(name):
        named = [re.escape(f"{key}={value!r}") for key, value in arguments(wrong).items()]
        with pytest.raises((TypeError, ValueError), match=rf"^{name}: ({'|'.join(named)}) .*\bPass "):
            getattr(baselines, name)(**arguments(given))


@every
def test_an_unknown_argument_is_refused(name):
    with pytest.raises(ValueError, match=f"^{name}: unknown argument 'lr'. In Keras it is learning_rate"):
        make(name, lr=0.1)
    with pytest.raises(ValueError, match="weight_deacy"):
        make(name, weight_deacy=0.1)


@every
def test_a_configuration_makes_the_same_optimizer(name):
    """With its own hyperparameters and those of Keras, by the class and by Keras' registry."""
    changes = {"weight_decay": 0.25, "clipnorm": 0.5, "name": "mine"}
    optimizer = make(name, learning_rate=SCHEDULE, **changes)
    config = optimizer.get_config()
    for key, value in {**arguments(settings(name)), **changes}.items():
        assert key == "learning_rate" or config[key] == value
    again = type(optimizer).from_config(dict(config))  # which Keras changes
    registered = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(registered) is type(optimizer)
    assert again.get_config() == registered.get_config() == config


@every
def test_gradients_that_do_not_match_are_an_error(name):
    optimizer, variables = make(name), make_variables()
    optimizer.build(variables)
    with pytest.raises(ValueError, match=rf"^{name}: 1 gradients for 4 variables"):
        optimizer.apply(tensors(gradients(variables[:1], 0)), variables)
    with pytest.raises(ValueError, match=rf"^{name}: a gradient of shape \(7, 3\) for the variable .*\(4, 6\)"):
        optimizer.apply(tensors(gradients([variables[1], *variables[1:]], 0)), variables)


@every
def test_a_rate_that_is_no_rate_is_refused(name):
    optimizer = make(name)
    with pytest.raises(ValueError, match=f"^{name}: learning_rate=-1.0 "):
        optimizer.learning_rate = -1.0


# Steps


@every
def test_a_schedule_gives_each_step_its_rate(name):
    variables, others = make_variables(), make_variables()
    optimizer, other = make(name, learning_rate=SCHEDULE), make(name)
    for step in range(4):
        other.learning_rate = float(SCHEDULE(step))
        apply(optimizer, variables, step)
        apply(other, others, step)
    assert_identical(values(variables), values(others))


@every
def test_a_variable_without_gradient_stays_with_all_that_is_kept_of_it(name):
    variables, others = make_variables(), make_variables()
    optimizer, other = make(name), make(name)
    apply(optimizer, variables, 0)
    apply(other, others, 0)
    before = values(variables)
    given = tensors(gradients(variables, 1))
    with pytest.warns(UserWarning, match="Gradients do not exist for variables"):
        optimizer.apply([given[0], None, given[2], None], variables)
    assert_identical(values(variables[1::2]), before[1::2])
    other.apply(given[::2], others[::2])
    assert_identical(values(optimizer.variables), values(other.variables))
    assert_identical(values(variables), values(others))


@every
def test_excluded_variables_do_not_decay(name):
    rate, variables = 0.125, make_variables()
    start, without = values(variables), make_variables()
    apply(make(name, learning_rate=rate, weight_decay=0.0), without, 0)
    optimizer = make(name, learning_rate=rate, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["v1", "v2"])
    apply(optimizer, variables, 0)
    for number, (moved, plain) in enumerate(zip(values(variables), values(without), strict=True)):
        last = decays_last(name) and plain.ndim == 2
        decayed = rate * 0.5 * (plain if last else start[number]) * (number not in (1, 2))
        np.testing.assert_allclose(moved, plain - decayed, rtol=0, atol=1e-6)  # roundings of numbers below 4


@pytest.mark.parametrize("name", matrix_rules("keras"))
def test_what_a_rule_for_matrices_leaves_over_gets_adamw(name):
    """Variables that are no matrices, and those that are excluded."""
    given = arguments(settings(name))
    variables, others = make_variables(), make_variables()
    optimizer = make(name, exclude_layers=["v0"])
    names = ("beta_1", "beta_2", "epsilon")
    adamw = keras.optimizers.AdamW(
        given["learning_rate"],
        given["weight_decay"],
        **{key: given[f"adamw_{key}"] for key in names},
    )
    for step in range(3):
        apply(optimizer, variables, step)
        apply(adamw, others, step)
    ours, theirs = values(variables), values(others)
    for number in (0, 2, 3):  # Keras' epsilon stands elsewhere: of gradients near 1 that is below a rounding
        np.testing.assert_allclose(ours[number], theirs[number], rtol=0, atol=2e-6)
    assert not np.allclose(ours[1], theirs[1], rtol=1e-3)


@every
@pytest.mark.parametrize("step", [0, 2])
def test_a_gradient_that_is_not_a_number_shows(name, step):
    """In the variable, or at once as the error of a decomposition."""
    optimizer, variables = make(name), make_variables()
    for number in range(step):
        apply(optimizer, variables, number)
    bad = gradients(variables, step)
    for gradient in bad:
        gradient[(0,) * gradient.ndim] = np.nan
    with contextlib.suppress(*DECOMPOSITION_ERRORS):
        optimizer.apply(tensors(bad), variables)
        assert all(np.isnan(value).any() for value in values(variables))


@every
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_a_float32_step_rounded_once(name, dtype):
    narrow, wide = make_variables(dtype), make_variables("float32")
    for variable, other in zip(narrow, wide, strict=True):
        other.assign(ops.cast(variable, "float32"))
    optimizer, other = make(name), make(name)
    for step in range(2):
        given = [ops.cast(gradient, dtype) for gradient in tensors(gradients(narrow, step))]
        optimizer.apply(given, narrow)
        other.apply([ops.cast(gradient, "float32") for gradient in given], wide)
        for variable in wide:
            variable.assign(ops.cast(ops.cast(variable, dtype), "float32"))
        assert_identical([np.array(ops.convert_to_numpy(ops.cast(v, "float32"))) for v in narrow], values(wide))
    assert_identical(values(optimizer.variables), values(other.variables))


# Training


@every
def test_a_saved_model_resumes_bit_for_bit(name, tmp_path):
    """One whose variables are bfloat16, and what is kept of them is not."""
    with policy("bfloat16"):
        model = make_model(make(name, learning_rate=SCHEDULE), jit_compile=JIT)
    fit(model)
    model.save(tmp_path / "model.keras")
    with policy("bfloat16"):
        loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert_identical(state(loaded), state(model))
    fit(model)
    fit(loaded)
    assert_identical(state(loaded), state(model))


@every
def test_a_compiled_fit_and_an_eager_one_learn_the_same(name):
    """On PyTorch, where a compiler takes ten seconds for each, a `fit` that is not compiled."""
    model = make_model(make(name), jit_compile=BACKEND != "torch")
    losses = fit(model, epochs=4)
    assert losses[-1] < losses[0]
    eager = make_model(make(name), run_eagerly=True, jit_compile=False)
    # Compilers fuse and reorder float32: an ulp in the first step is a few in the last.
    np.testing.assert_allclose(fit(eager), losses[:1], rtol=1e-5)


@pytest.mark.parametrize(("page", "block"), readme.baseline_blocks("keras"))
def test_the_examples_of_the_pages_run(page, block):
    readme.run(block, page)
