"""What Keras users rely on beyond the rule itself, which the vectors check. Runs on the backend of KERAS_BACKEND."""

import os
import shutil

import keras
import numpy as np
import pytest
from keras import ops

from alphaadam.keras import AlphaAdam
from tests.implementations.readme import run_example

BACKEND = keras.backend.backend()


def test_the_backend_is_the_one_that_was_asked_for():
    assert os.environ.get("KERAS_BACKEND", BACKEND) == BACKEND


def make_model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8, activation="tanh"), keras.layers.Dense(1, name="head")]
    )
    return model


def make_data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype("float32")
    return x, (x @ np.array([[1.0], [-2.0], [0.5], [3.0]], "float32"))


def fit(model, epochs=1):
    x, y = make_data()
    return model.fit(x, y, batch_size=16, epochs=epochs, shuffle=False, verbose=0).history["loss"]


def gradients(like, seed):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=x.shape).astype("float32") for x in like]


def apply(optimizer, variables, seed):
    optimizer.apply([ops.convert_to_tensor(g) for g in gradients(variables, seed)], variables)


def values(variables):
    return [ops.convert_to_numpy(v.value) for v in variables]


def assert_identical(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("jit_compile", [True, False])
def test_fit_learns(jit_compile):
    if jit_compile and BACKEND == "torch" and shutil.which("g++") is None:
        pytest.skip("Keras compiles a PyTorch training step with torch.compile, which needs g++")
    model = make_model()
    model.compile(AlphaAdam(learning_rate=0.05), "mse", jit_compile=jit_compile)
    losses = fit(model, epochs=20)
    assert losses[-1] < losses[0] / 5


def test_a_saved_model_resumes_bit_for_bit(tmp_path):
    model = make_model()
    model.compile(AlphaAdam(learning_rate=0.01, masking="sync", alpha="count", alpha_max=5.0), "mse")
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.optimizer) is AlphaAdam
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    fit(model)
    fit(loaded)
    assert_identical(values(loaded.trainable_variables), values(model.trainable_variables))


def test_the_config_makes_the_same_optimizer():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    optimizer = AlphaAdam(schedule, 0.8, 0.9, 1e-6, 0.2, "sync", "count", 3.0, global_clipnorm=1.0, name="mine")
    config = optimizer.get_config()
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == config
    assert config["alpha_max"] == 3.0
    assert config["global_clipnorm"] == 1.0


def test_the_variables_are_adamws_so_its_state_continues_and_goes_back():
    start = [np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3), np.ones(4, "float32")]
    variables = [keras.Variable(x) for x in start]
    adamw = keras.optimizers.AdamW(0.01)
    apply(adamw, variables, 0)
    ours = AlphaAdam(0.01)
    ours.build(variables)
    assert [v.path.split("/", 1)[1] for v in ours.variables] == [v.path.split("/", 1)[1] for v in adamw.variables]

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


def test_weight_decay_is_applied_once_and_not_where_excluded():
    decayed, excluded = keras.Variable([1.0, -2.0]), keras.Variable([1.0], name="bias")
    optimizer = AlphaAdam(learning_rate=0.5, weight_decay=0.25)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.apply([ops.zeros(2), ops.zeros(1)], [decayed, excluded])
    np.testing.assert_array_equal(values([decayed])[0], [0.875, -1.75])
    np.testing.assert_array_equal(values([excluded])[0], [1.0])


def test_the_learning_rate_can_be_set_and_scheduled():
    variable = keras.Variable([1.0])
    optimizer = AlphaAdam(learning_rate=0.5, weight_decay=0.0)
    optimizer.apply([ops.ones(1)], [variable])
    optimizer.learning_rate = 0.0
    optimizer.apply([ops.ones(1)], [variable])
    np.testing.assert_allclose(values([variable])[0], 0.5, rtol=1e-6)  # the first step moves by the rate, up to eps

    scheduled = keras.Variable([1.0])
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, 0.0])
    optimizer = AlphaAdam(learning_rate=schedule, weight_decay=0.0)
    for _ in range(2):
        optimizer.apply([ops.ones(1)], [scheduled])
    assert_identical(values([scheduled]), values([variable]))


def test_an_embedding_trains():
    """On TensorFlow its gradient is IndexedSlices, which are made dense: rows without history still decay."""
    model = keras.Sequential([keras.Input((2,), dtype="int32"), keras.layers.Embedding(5, 3), keras.layers.Flatten()])
    model.compile(AlphaAdam(learning_rate=0.1, weight_decay=0.5), "mse", jit_compile=False)
    before = values(model.trainable_variables)[0]
    model.train_on_batch(np.array([[1, 3]]), np.ones((1, 6), "float32"))
    after = values(model.trainable_variables)[0]
    untouched = [0, 2, 4]
    np.testing.assert_allclose(after[untouched], before[untouched] * 0.95, rtol=1e-6)  # two float32 roundings
    assert (np.abs(after[[1, 3]] - before[[1, 3]] * 0.95) > 0.09).all()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_variables_keep_their_dtype(dtype):
    variable = keras.Variable([1.0, -2.0], dtype=dtype)
    optimizer = AlphaAdam(learning_rate=0.125, weight_decay=0.0)
    optimizer.apply([ops.cast([1.0, 2.0], dtype)], [variable])
    assert {keras.backend.standardize_dtype(v.dtype) for v in optimizer.variables[2:]} == {dtype}
    np.testing.assert_array_equal(values([variable])[0].astype("float32"), [0.875, -2.125])


def compiled(optimizer, variables):
    """A step as the backend's training step compiles it: by XLA on JAX and TensorFlow, not at all on PyTorch."""
    if BACKEND == "tensorflow":
        import tensorflow

        return tensorflow.function(lambda *gradients: optimizer.apply(gradients, variables), jit_compile=True)
    if BACKEND == "jax":
        import jax

        update = jax.jit(optimizer.stateless_apply)

        def step(*gradients):
            trained, state = update([v.value for v in optimizer.variables], gradients, [v.value for v in variables])
            for variable, value in zip(variables + optimizer.variables, trained + state, strict=True):
                variable.assign(value)

        return step
    return lambda *gradients: optimizer.apply(gradients, variables)


@pytest.mark.parametrize(("alpha", "spreads"), [("norm", True), ("count", False), (1.0, False)])
@pytest.mark.parametrize("compiling", [False, True])
def test_a_nan_gradient_is_loud(alpha, spreads, compiling):
    """Also compiled: XLA makes a selection, which hides it, of a product with the mask."""
    variable = keras.Variable([1.0, 1.0, 1.0])
    optimizer = AlphaAdam(alpha=alpha)
    optimizer.build([variable])
    step = compiled(optimizer, [variable]) if compiling else lambda g: optimizer.apply([g], [variable])
    step(ops.ones(3))
    step(ops.convert_to_tensor(np.array([1.0, np.nan, -1.0], "float32")))
    result = values([variable])[0]
    assert np.isnan(result[1])
    assert np.isnan(result[[0, 2]]).all() == spreads


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"learning_rate": -1.0}, ValueError, "learning_rate=-1.0"),
        ({"beta_2": 1.0}, ValueError, "beta_2=1.0"),
        ({"epsilon": float("nan")}, ValueError, "epsilon=nan"),
        ({"weight_decay": None}, TypeError, "weight_decay=None"),
        ({"masking": "snyc"}, ValueError, "did you mean 'sync'"),
        ({"alpha": 0.5, "alpha_max": 2.0}, ValueError, "alpha_max=2.0"),
        ({"amsgrad": True}, ValueError, "amsgrad"),
    ],
)
def test_bad_arguments_name_themselves(arguments, error, message):
    with pytest.raises(error, match=message):
        AlphaAdam(**arguments)


def test_diagnostics_need_to_be_asked_for():
    variable = keras.Variable([1.0])
    optimizer = AlphaAdam()
    optimizer.apply([ops.ones(1)], [variable])
    with pytest.raises(RuntimeError, match="record_diagnostics=True"):
        optimizer.diagnostics(variable)


def test_the_readme_example_runs():
    names = run_example("alphaadam.keras")
    assert int(names["model"].optimizer.iterations) == 1
