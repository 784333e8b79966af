"""State: AdamW's, saved and loaded bit for bit, and refused where it is another."""

import keras
import numpy as np
import pytest
from keras import ops

from alphaadam.keras import AlphaAdam
from tests.implementations.keras.training import (
    BACKEND,
    JIT,
    apply,
    assert_identical,
    fit,
    gradients,
    make_data,
    make_model,
    policy,
    state,
    values,
)

SCHEDULE = keras.optimizers.schedules.CosineDecay(0.1, 20)

#: What the optimizer is made with -> the global policy.
RESUMED = {
    "own arguments": ({"masking": "sync", "alpha": "count", "alpha_max": 5.0}, "float32"),
    "schedule and clipping": ({"learning_rate": SCHEDULE, "global_clipnorm": 0.5}, "float32"),
    "in the middle of an accumulation": ({"gradient_accumulation_steps": 3, "record_diagnostics": True}, "float32"),
    "EMA": ({"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3}, "float32"),
    "mixed_float16": ({}, "mixed_float16"),
    "bfloat16 variables": ({}, "bfloat16"),
}


@pytest.mark.parametrize("case", RESUMED)
def test_a_saved_model_resumes_bit_for_bit(case, tmp_path):
    arguments, name = RESUMED[case]
    with policy(name):
        model = make_model()
        model.compile(AlphaAdam(**{"learning_rate": 0.01, **arguments}), "mse", jit_compile=JIT)
    fit(model)
    model.save(tmp_path / "model.keras")
    with policy(name):  # which is not in the file, and by which Keras puts a LossScaleOptimizer around ours, or not
        loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is type(model.optimizer)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    if "record_diagnostics" not in arguments:  # which are not saved
        assert_identical(state(loaded), state(model))
    before = values(model.trainable_variables)
    fit(model)
    fit(loaded)
    assert_identical(state(loaded), state(model))
    assert any((a != b).any() for a, b in zip(values(model.trainable_variables), before, strict=True))


def test_a_model_saved_with_a_loss_scale_is_not_loaded_without_it(tmp_path):
    """Keras' AdamW would lose its state, with a warning."""
    with policy("mixed_float16"):
        model = make_model()
        model.compile(AlphaAdam(0.01), "mse", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"has 14 variables, this optimizer 10.*set the policy mixed_float16 first"):
        keras.models.load_model(tmp_path / "model.keras")


def test_weights_files_keep_the_state_too(tmp_path):
    model = make_model()
    model.compile(AlphaAdam(0.01), "mse", jit_compile=False)
    fit(model)
    model.save_weights(tmp_path / "model.weights.h5")
    other = make_model()
    other.compile(AlphaAdam(0.5), "mse", jit_compile=False)
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "model.weights.h5")
    assert_identical(state(other), state(model))


@pytest.mark.parametrize("record", [False, True])
def test_the_variables_are_adamws_so_its_state_continues_and_goes_back(record):
    """Also where diagnostics are kept: they are no part of the state."""
    start = [np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3), np.ones(4, "float32")]
    variables = [keras.Variable(x) for x in start]
    adamw = keras.optimizers.AdamW(0.01)
    apply(adamw, variables, 0)
    ours = AlphaAdam(0.01, record_diagnostics=record)
    ours.build(variables)
    paths = [[v.path.split("/", 1)[1] for v in optimizer.variables] for optimizer in (ours, adamw)]
    assert paths[0][: len(paths[1])] == paths[1]

    store: dict = {}
    adamw.save_own_variables(store)
    ours.load_own_variables(store)
    assert int(ours.iterations) == 1
    apply(ours, variables, 1)
    store = {}
    ours.save_own_variables(store)
    adamw.load_own_variables(store)
    apply(adamw, variables, 2)
    assert int(adamw.iterations) == 3

    for index, x in enumerate(start):
        m, v = np.zeros_like(x), np.zeros_like(x)
        for seed in range(3):
            g = gradients(start, seed)[index]
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        # Float32 roundings of numbers below 1: three each in three steps.
        np.testing.assert_allclose(values(adamw.variables[2 + 2 * index :])[0], m, rtol=0, atol=9 * 6e-8)
        np.testing.assert_allclose(values(adamw.variables[3 + 2 * index :])[0], v, rtol=9 * 6e-8, atol=0)


def test_a_keras_file_of_adamw_continues_and_goes_back(tmp_path):
    """By the weights of the file: the file itself names the class of the optimizer."""
    model = make_model()
    model.compile(keras.optimizers.AdamW(0.01), "mse", jit_compile=False)
    fit(model)
    model.save(tmp_path / "adamw.keras")

    ours = make_model()
    ours.compile(AlphaAdam(0.5), "mse", jit_compile=False)
    ours.optimizer.build(ours.trainable_variables)
    ours.load_weights(tmp_path / "adamw.keras")
    assert_identical(state(ours), state(model))
    assert float(ours.optimizer.learning_rate) == np.float32(0.01)  # it is part of the state
    fit(ours)
    ours.save(tmp_path / "ours.keras")

    model.load_weights(tmp_path / "ours.keras")
    assert_identical(state(model), state(ours))
    assert int(model.optimizer.iterations) == 8
    fit(model)


def test_weight_decay_exclusions_are_not_saved_and_can_be_made_again(tmp_path):
    """As with Keras' own optimizers, whose configurations do not know them either."""
    model = make_model()
    model.compile(AlphaAdam(0.01, weight_decay=0.5), "mse", jit_compile=False)
    model.optimizer.exclude_from_weight_decay(var_names=["bias"])
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    loaded.optimizer.exclude_from_weight_decay(var_names=["bias"])
    fit(model)
    fit(loaded)
    assert_identical(state(loaded), state(model))


def saved(optimizer, shapes=((2, 3), (4,))):
    variables = [keras.Variable(np.ones(shape, "float32")) for shape in shapes]
    apply(optimizer, variables, 0)
    store: dict = {}
    optimizer.save_own_variables(store)
    return store


WRONG = {
    "another model": (lambda: saved(AlphaAdam(), [(3, 2), (4,)]), r"shape \(3, 2\) for '.*momentum' of shape \(2, 3\)"),
    "fewer variables": (lambda: saved(AlphaAdam(), [(2, 3)]), "the saved state has 4 variables, this optimizer 6"),
    "EMA": (lambda: saved(AlphaAdam(use_ema=True)), "has 8 variables, this optimizer 6"),
    "a schedule's": (lambda: saved(AlphaAdam(SCHEDULE)), "has 5 variables, this optimizer 6"),
    "sgd": (lambda: saved(keras.optimizers.SGD(momentum=0.9)), "has 4 variables, this optimizer 6"),
    "nadam": (lambda: saved(keras.optimizers.Nadam()), "has 7 variables, this optimizer 6"),
    "ftrl": (lambda: saved(keras.optimizers.Ftrl()), "negative numbers for '.*velocity'.* saved by another optimizer"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_state_of_another_shape_or_optimizer_is_refused_and_nothing_changes(case):
    make, message = WRONG[case]
    optimizer = AlphaAdam()
    saved(optimizer)
    before = values(optimizer.variables)
    with pytest.raises(ValueError, match=message) as error:
        optimizer.load_own_variables(make())
    assert "skip_mismatch=True" in str(error.value)
    assert_identical(values(optimizer.variables), before)


def test_a_model_says_so_too_and_can_leave_the_optimizer_alone(tmp_path):
    model = make_model()
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=False)
    fit(model)
    model.save_weights(tmp_path / "sgd.weights.h5")
    ours = make_model()
    ours.compile(AlphaAdam(), "mse", jit_compile=False)
    ours.optimizer.build(ours.trainable_variables)
    with pytest.raises(ValueError, match="AlphaAdam: the saved state has 2 variables, this optimizer 10"):
        ours.load_weights(tmp_path / "sgd.weights.h5")
    with pytest.warns(UserWarning, match="AlphaAdam: the saved state has 2 variables"):
        ours.load_weights(tmp_path / "sgd.weights.h5", skip_mismatch=True)
    assert_identical(values(ours.trainable_variables), values(model.trainable_variables))
    assert int(ours.optimizer.iterations) == 0


@pytest.mark.parametrize("build", [False, True], ids=["not built yet", "a file without state"])
def test_what_has_no_state_to_load_keeps_keras_warning(build, tmp_path):
    model = make_model()
    if not build:
        model.compile(AlphaAdam(), "mse", jit_compile=False)
        fit(model)
    model.save_weights(tmp_path / "model.weights.h5")
    ours = make_model()
    ours.compile(AlphaAdam(), "mse", jit_compile=False)
    if build:
        ours.optimizer.build(ours.trainable_variables)
    with pytest.warns(UserWarning, match="Skipping variable loading for optimizer 'alphaadam'"):
        ours.load_weights(tmp_path / "model.weights.h5")
    assert_identical(values(ours.trainable_variables), values(model.trainable_variables))
    x, y = make_data()
    ours.train_on_batch(x, y)
    assert int(ops.convert_to_numpy(ours.optimizer.iterations.value)) == 1


def test_a_state_moves_between_backends():
    """Its arrays are NumPy's, in an order that does not depend on the backend."""
    store = saved(AlphaAdam(0.25))
    assert sorted(store, key=int) == [str(index) for index in range(6)]
    assert [tuple(np.shape(store[str(index)])) for index in range(6)] == [(), (), (2, 3), (2, 3), (4,), (4,)]
    assert int(store["0"]) == 1, BACKEND
    assert float(store["1"]) == 0.25
