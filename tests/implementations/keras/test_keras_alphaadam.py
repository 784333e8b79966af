"""What Keras users rely on beyond the rule itself, which the vectors check. Runs on the backend of KERAS_BACKEND."""

import inspect
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

from alphaadam.keras import AlphaAdam
from tests.implementations.keras.training import (
    BACKEND,
    assert_identical,
    compiled,
    gradients,
    make_model,
    mirrored,
    tensors,
    values,
)
from tests.implementations.readme import ROOT, blocks, run, run_example

PAGE = "docs/keras.md"


def test_the_backend_is_the_one_that_was_asked_for():
    assert os.environ.get("KERAS_BACKEND", BACKEND) == BACKEND


def test_the_kernels_for_pytorch_are_imported_on_that_backend_alone():
    code = "import sys, alphaadam.keras; print('alphaadam.torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == str(BACKEND == "torch")


def test_the_config_makes_the_same_optimizer():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    optimizer = AlphaAdam(schedule, 0.8, 0.9, 1e-6, 0.2, "sync", "count", 3.0, global_clipnorm=1.0, name="mine")
    config = optimizer.get_config()
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again.get_config() == config
    assert config["alpha_max"] == 3.0
    assert config["global_clipnorm"] == 1.0


def test_every_argument_of_the_constructor_is_in_the_config():
    names = {name for name, p in inspect.signature(AlphaAdam).parameters.items() if p.kind is not p.VAR_KEYWORD}
    base = keras.optimizers.Optimizer(learning_rate=0.1).get_config()
    assert AlphaAdam().get_config().keys() == names | base.keys()


def test_it_is_registered_so_that_a_saved_config_needs_no_custom_objects():
    saved = keras.saving.serialize_keras_object(AlphaAdam(alpha=0.5, masking="sync"))
    assert saved["registered_name"] == "alphaadam>AlphaAdam"
    again = keras.saving.deserialize_keras_object(saved)
    assert type(again) is AlphaAdam
    assert again.get_config() == AlphaAdam(alpha=0.5, masking="sync").get_config()


def test_weight_decay_is_applied_once_and_not_where_excluded():
    """Exact: were Keras' own decay to run too, the first value would be 0.765625."""
    decayed, excluded = keras.Variable([1.0, -2.0]), keras.Variable([1.0], name="bias")
    optimizer = AlphaAdam(learning_rate=0.5, weight_decay=0.25)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.apply([ops.zeros(2), ops.zeros(1)], [decayed, excluded])
    np.testing.assert_array_equal(values([decayed])[0], [0.875, -1.75])
    np.testing.assert_array_equal(values([excluded])[0], [1.0])


@pytest.mark.parametrize("late", [False, True], ids=["before it is built", "after it is built"])
@pytest.mark.parametrize("by", ["var_list", "var_names"])
def test_variables_are_excluded_from_weight_decay_by_name_or_by_themselves(by, late):
    variables = [keras.Variable([1.0], name=name) for name in ("kernel", "bias", "scale")]
    optimizer = AlphaAdam(learning_rate=0.5, weight_decay=0.25)
    if late:
        optimizer.build(variables)
    optimizer.exclude_from_weight_decay(**{by: variables[1:] if by == "var_list" else ["bias", "scale"]})
    optimizer.apply([ops.zeros(1)] * 3, variables)
    assert_identical(values(variables), [np.array([x], "float32") for x in (0.875, 1.0, 1.0)])


def test_weight_decay_reaches_what_the_mask_leaves_out():
    variable = keras.Variable([1.0, 1.0])
    optimizer = AlphaAdam(learning_rate=0.5, weight_decay=0.25)
    optimizer.apply([ops.zeros(2)], [variable])
    optimizer.apply([ops.convert_to_tensor(np.float32([0.0, 1.0]))], [variable])
    after = values([variable])[0][1]
    optimizer.apply([ops.convert_to_tensor(np.float32([0.0, -1.0]))], [variable])  # the second one disagrees
    np.testing.assert_array_equal(values([variable])[0][1], after * np.float32(0.875))


def test_the_learning_rate_can_be_set_and_scheduled():
    variable = keras.Variable([1.0])
    optimizer = AlphaAdam(learning_rate=0.5, weight_decay=0.0)
    optimizer.apply([ops.ones(1)], [variable])
    optimizer.learning_rate = 0.0
    optimizer.apply([ops.ones(1)], [variable])
    np.testing.assert_allclose(values([variable])[0], 0.5, rtol=1e-6)  # the first step moves by the rate, up to eps

    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.5, 0.0])
    rates = iter([0.5, 0.0])
    for learning_rate in (schedule, lambda: next(rates)):
        scheduled = keras.Variable([1.0])
        optimizer = AlphaAdam(learning_rate=learning_rate, weight_decay=0.0)
        for _ in range(2):
            optimizer.apply([ops.ones(1)], [scheduled])
        assert_identical(values([scheduled]), values([variable]))


@pytest.mark.parametrize("given", [1, np.float32(0.25), np.array(0.5)])
def test_numbers_of_other_libraries_are_learning_rates_too(given):
    optimizer = AlphaAdam(learning_rate=given)
    assert float(optimizer.learning_rate) == float(given)
    optimizer.learning_rate = given / 2
    assert float(optimizer.learning_rate) == float(given) / 2
    optimizer.learning_rate = ops.convert_to_tensor(0.125)
    assert float(optimizer.learning_rate) == 0.125


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_variables_keep_their_dtype(dtype):
    variable = keras.Variable([1.0, -2.0], dtype=dtype)
    optimizer = AlphaAdam(learning_rate=0.125, weight_decay=0.0)
    optimizer.apply([ops.cast([1.0, 2.0], dtype)], [variable])
    assert {keras.backend.standardize_dtype(v.dtype) for v in optimizer.variables[2:]} == {dtype}
    np.testing.assert_array_equal(values([variable])[0].astype("float32"), [0.875, -2.125])


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


#: Size of the gradient, number of the step -> how much shorter a step of Keras' Adam is with the same epsilon of 1e-8;
#: as in docs/keras.md.
DRIFT = {
    (1e-4, 1): 3.1e-3,
    (1e-4, 1000): 2.9e-5,
    (1e-6, 1): 2.3e-1,
    (1e-6, 1000): 2.6e-3,
}


@pytest.mark.parametrize(("size", "step"), DRIFT)
def test_epsilon_differs_from_keras_own_adam_by_what_the_documentation_says(size, step):
    g = np.full(4, size, "float32")
    moved = []
    for optimizer in (
        keras.optimizers.Adam(1.0, epsilon=1e-8),
        AlphaAdam(1.0, epsilon=1e-8, weight_decay=0.0, masking="none", alpha=1.0),
    ):
        variable = keras.Variable(np.zeros(4, "float32"))
        optimizer.build([variable])
        optimizer.iterations.assign(step - 1)  # as if every gradient before had been the same
        optimizer.variables[2].assign(g * np.float32(1 - 0.9 ** (step - 1)))
        optimizer.variables[3].assign(g * g * np.float32(1 - 0.999 ** (step - 1)))
        optimizer.apply(tensors([g]), [variable])
        moved.append(float(values([variable])[0][0]))
    # Two digits are documented; float32 leaves the smallest, 2.9e-5, an error of 1e-6 (1 - 0.999**t in Keras).
    assert 1 - moved[0] / moved[1] == pytest.approx(DRIFT[size, step], rel=0.05, abs=2e-6)


def test_the_documentation_has_these_figures():
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    for drift in DRIFT.values():
        digits, _, exponent = f"{drift:.1e}".partition("e")
        assert any(form in text for form in (f"{digits}e{int(exponent)}", f"{drift:.0%}")), drift


def test_variables_that_come_later_are_refused_as_by_adamw():
    said = []
    for optimizer in (keras.optimizers.AdamW(0.1), AlphaAdam(0.1)):
        first, second = keras.Variable([1.0], name="first"), keras.Variable([1.0], name="second")
        optimizer.build([first])
        optimizer.build([first, second])  # Keras builds an optimizer once
        with pytest.raises(ValueError, match=r"Unknown variable: .*recreate a new optimizer") as error:
            optimizer.apply([ops.ones(1), ops.ones(1)], [first, second])
        said.append(str(error.value))
        assert_identical(values([first, second]), [np.ones(1, "float32")] * 2)
        optimizer.apply([ops.ones(1)], [first])  # the others go on
        assert values([first])[0] != 1
    assert said[0] == said[1]


def test_a_layer_that_is_unfrozen_trains_once_the_model_is_compiled_again():
    model = make_model()
    model.layers[0].trainable = False
    model.compile(AlphaAdam(0.01), "mse", jit_compile=False)
    x, y = np.ones((8, 4), "float32"), np.zeros((8, 1), "float32")
    model.train_on_batch(x, y)
    model.layers[0].trainable = True
    model.compile(AlphaAdam(0.01), "mse", jit_compile=False)
    before = values(model.layers[0].trainable_variables)
    model.train_on_batch(x, y)
    assert all((a != b).any() for a, b in zip(before, values(model.layers[0].trainable_variables), strict=True))


def test_a_variable_without_gradient_stays_and_keras_warns():
    variables = [keras.Variable([1.0], name="used"), keras.Variable([1.0], name="unused")]
    optimizer = AlphaAdam(0.1)
    with pytest.warns(UserWarning, match=r"Gradients do not exist for variables \['unused'\]"):
        optimizer.apply([ops.ones(1), None], variables)
    assert values(variables)[1] == 1  # not even decayed


def test_diagnostics_need_to_be_asked_for():
    variable = keras.Variable([1.0])
    optimizer = AlphaAdam()
    optimizer.apply([ops.ones(1)], [variable])
    with pytest.raises(RuntimeError, match="record_diagnostics=True"):
        optimizer.diagnostics(variable)


def test_diagnostics_are_those_of_the_last_step():
    variable = keras.Variable([1.0, 1.0, 1.0, 1.0])
    optimizer = AlphaAdam(record_diagnostics=True, alpha="count")
    optimizer.build([variable])
    step = compiled(optimizer, [variable])
    for g in ([1, 1, 1, 1], [1, 1, -1, 1]):
        step(ops.convert_to_tensor(np.float32(g)))
    alpha, mask = optimizer.diagnostics(variable)
    np.testing.assert_array_equal(values([mask])[0], [True, True, False, True])
    assert values([alpha])[0] == np.float32(4 / 3)


def test_a_step_trains_what_it_is_given_and_leaves_the_rest():
    """As Keras' own optimizers; moments are found by variable, not by position."""
    both = [keras.Variable(np.zeros(3, "float32")) for _ in range(2)]
    optimizer = AlphaAdam(0.1)
    optimizer.build(both)
    optimizer.apply([ops.ones(3)], both[1:])
    assert_identical(values([both[0]]), [np.zeros(3, "float32")])
    momenta = [v for v in optimizer.variables if v.name.endswith("momentum")]
    assert [bool(m.any()) for m in values(momenta)] == [False, True]
    again = keras.Variable(np.zeros(3, "float32"))
    alone = AlphaAdam(0.1)
    alone.apply([ops.ones(3)], [again])
    assert_identical(values(both[1:]), values([again]))


def test_compiled_and_eager_steps_agree():
    """Up to fused multiply-adds and the order of sums: a few ulp of the parameters in three steps."""
    start = [np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4), np.float32(0.5), np.zeros((0, 2), "float32")]
    results = []
    for compiling in (False, True):
        variables = [keras.Variable(x) for x in start]
        optimizer = AlphaAdam(0.01)
        optimizer.build(variables)
        step = compiled(optimizer, variables) if compiling else lambda *g, o=optimizer, v=variables: o.apply(g, v)
        for seed in range(3):
            step(*tensors(gradients(start, seed)))
        results.append(values(variables))
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=4 * 6e-8)


def test_the_readme_example_runs():
    names = run_example("alphaadam.keras")
    assert int(names["model"].optimizer.iterations) == 1


#: What the examples of some backends only begin with.
ONLY = {"import jax\n": "jax", "import tensorflow": "tensorflow", "import torch\n": "torch"}


@pytest.mark.parametrize("block", blocks(PAGE))
def test_the_examples_of_the_documentation_run(block, tmp_path, monkeypatch):
    for beginning, backend in ONLY.items():
        if block.startswith(beginning) and backend != BACKEND:
            pytest.skip(f"an example for {backend}")
    monkeypatch.chdir(tmp_path)  # they save models
    if BACKEND == "tensorflow":
        import tensorflow

        strategy = mirrored()
        monkeypatch.setattr(tensorflow.distribute, "MirroredStrategy", lambda: strategy)
    run(block, PAGE)
