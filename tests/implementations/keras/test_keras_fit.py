"""`fit`, compiled and not, with what `compile` can be given."""

import shutil

import keras
import numpy as np
import pytest

from alphaadam.keras import AlphaAdam
from tests.implementations.keras.training import BACKEND, JIT, assert_identical, fit, make_model, policy, state, values

#: What the optimizer is made with -> the global policy.
OPTIONS = {
    "plain": ({}, "float32"),
    "clipping": ({"clipnorm": 0.5}, "float32"),
    "everything": (
        {
            "global_clipnorm": 0.5,
            "gradient_accumulation_steps": 2,
            "use_ema": True,
            "ema_momentum": 0.5,
            "ema_overwrite_frequency": 3,
            "record_diagnostics": True,
        },
        "float32",
    ),
    "schedule": ({"learning_rate": keras.optimizers.schedules.CosineDecay(0.05, 1000)}, "float32"),
    "mixed_float16": ({}, "mixed_float16"),
    "mixed_bfloat16": ({}, "mixed_bfloat16"),
}
NEEDS_A_COMPILER = pytest.mark.skipif(
    BACKEND == "torch" and shutil.which("g++") is None,
    reason="Keras compiles a PyTorch training step with torch.compile, which needs g++",
)


def trained(option, jit_compile, epochs):
    arguments, name = OPTIONS[option]
    with policy(name):
        model = make_model()
        model.compile(AlphaAdam(**{"learning_rate": 0.05, **arguments}), "mse", jit_compile=jit_compile)
        return model, fit(model, epochs)


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=NEEDS_A_COMPILER)])
@pytest.mark.parametrize("option", OPTIONS)
def test_fit_learns(option, jit_compile):
    if BACKEND == "torch" and jit_compile:
        pytest.skip("torch.compile takes some ten seconds for each; one is compiled below")
    if BACKEND == "jax" and not jit_compile and option in ("everything", "mixed_float16"):
        pytest.skip("each eager step of JAX with a condition is compiled anew, for half a second")
    model, losses = trained(option, jit_compile, epochs=6)
    assert losses[-1] < losses[0] / 2
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer) == (option == "mixed_float16")
    assert {keras.backend.standardize_dtype(v.dtype) for v in model.trainable_variables} == {"float32"}


@NEEDS_A_COMPILER
@pytest.mark.parametrize("option", ["plain"] if BACKEND == "torch" else ["plain", "clipping", "everything"])
def test_a_compiled_fit_learns_the_same(option):
    (_, losses), (_, compiled) = (trained(option, jit_compile, epochs=1) for jit_compile in (False, True))
    # The mean loss of four steps. Compilers fuse and reorder float32: an ulp in the first step is a few in the last.
    np.testing.assert_allclose(compiled, losses, rtol=1e-5)


@NEEDS_A_COMPILER
def test_a_callback_sets_the_learning_rate_of_a_compiled_step():
    """It is a variable of the step, not a constant of its compilation."""
    model = make_model()
    model.compile(AlphaAdam(0.05), "mse", jit_compile=True)
    fit(model)
    before = values(model.trainable_variables)
    fit(model, callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 0.0)])
    assert_identical(values(model.trainable_variables), before)  # neither step nor decay
    assert int(model.optimizer.iterations) == 8
    model.optimizer.learning_rate = 0.05
    fit(model)
    assert all((a != b).all() for a, b in zip(values(model.trainable_variables), before, strict=True))


def test_a_step_of_fit_that_overflows_changes_nothing_but_the_loss_scale():
    with policy("mixed_float16"):
        model = make_model()
        model.compile(AlphaAdam(0.05), "mse", jit_compile=JIT)
        fit(model, epochs=4)
        assert 0 < int(model.optimizer.iterations) < 16  # the initial scale was too large for some steps
        before = state(model)
        scale = values([model.optimizer.dynamic_scale])[0]
        model.train_on_batch(np.full((16, 4), np.inf, "float32"), np.ones((16, 1), "float32"))
    variables = [*model.variables, *model.optimizer.variables]
    changed = [
        variable.path.rpartition("/")[2]
        for variable, a, b in zip(variables, before, state(model), strict=True)
        if not np.array_equal(a, b)
    ]
    assert changed == ["step_counter", "dynamic_scale"]
    assert values([model.optimizer.dynamic_scale])[0] == scale / 2
