"""A task that takes no time, for the tests of training in JAX and Keras, and what both are asked."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from bench.frameworks.jax_gpt2 import mean_loss
from bench.tasks import GPT2Config, get_task, parameter_shapes
from bench.tasks.inputs import Inputs

MODEL = GPT2Config(layers=1, width=32, heads=2, context=16, vocabulary=256)
TASK = dataclasses.replace(
    get_task("gpt2-nano"), name="tiny", model=MODEL, batch_size=16, steps=6, warmup_steps=2, validation_batches=1
)


OBSERVED_STEPS = 3


@contextlib.contextmanager
def compiling(quickly=True):
    """Compiles in half the time, where the time that a program takes does not matter."""
    jax.config.update("jax_disable_most_optimizations", quickly)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", not quickly)


def inputs(**changes):
    """What the tiny task gives with some of its settings changed."""
    return Inputs(dataclasses.replace(TASK, **changes))


def train(training, given, steps=4, **options):
    """Losses of the first steps."""
    return [training.step(given.training_batch(step), **options) for step in range(steps)]


def train_observed(training, given):
    """Observed steps and a plain one: the losses of all, and of each observed step what it began with, left and did."""
    losses, steps = [], []
    for step in range(OBSERVED_STEPS):
        before = training.parameters()
        losses.append(training.step(given.training_batch(step), observe=True))
        steps.append((before, training.parameters(), training.observation()))
    return [*losses, training.step(given.training_batch(OBSERVED_STEPS))], steps


def assert_figures_of_alphaadam(given, steps):
    """What was observed, recomputed in float64 from the gradients at the parameters before each step."""
    settings, clip_norm = given.task.hyperparameters, given.task.clip_norm
    gradients_of = jax.jit(jax.grad(lambda parameters, tokens: mean_loss(MODEL, parameters, tokens)))
    first, second, decayed = {}, {}, 0
    for step, (before, after, found) in enumerate(steps):
        gradients = {
            name: np.float64(gradient) for name, gradient in gradients_of(before, given.training_batch(step)).items()
        }
        norm = np.sqrt(sum(np.sum(g**2) for g in gradients.values()))
        # Sums of 3e4 squares in float32.
        assert found["gradientNorm"] == pytest.approx(norm, rel=1e-5)
        assert norm > clip_norm  # the norm is the one before clipping
        moved = np.sqrt(sum(np.sum((np.float64(after[name]) - before[name]) ** 2) for name in before))
        # Parameters near 1 are rounded by 6e-8, where they move by 1e-3.
        assert found["updateNorm"] == pytest.approx(moved, rel=1e-4)
        assert list(found["tensors"]) == list(parameter_shapes(MODEL))
        for name, gradient in gradients.items():
            g = gradient * clip_norm / norm
            m = first.get(name, np.zeros_like(g))
            mask = (m == 0) | (np.sign(m) * np.sign(g) > 0)
            first[name] = settings.beta1 * m + (1 - settings.beta1) * g
            second[name] = settings.beta2 * second.get(name, 0) + (1 - settings.beta2) * g**2
            u = first[name] / (1 - settings.beta1 ** (step + 1))
            u /= np.sqrt(second[name] / (1 - settings.beta2 ** (step + 1))) + settings.epsilon
            if name.endswith("c_attn.bias"):
                continue  # the gradient of the keys' bias is rounding noise
            seen = found["tensors"][name]
            # A few gradients near zero may be rounded to the other sign.
            assert seen["maskFraction"] == pytest.approx(mask.mean(), abs=max(2e-3, 1.5 / mask.size)), name
            strength = min(np.linalg.norm(u) / np.linalg.norm(mask * u), 2)
            assert seen["alpha"] == pytest.approx(strength, rel=5e-3), name
            decayed += seen["maskFraction"] < 0.99
    assert decayed > 10  # the mask masked


def run_on_eight_devices(code):
    """What a process that has eight devices prints as JSON."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8".strip()
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def operations(jaxpr):
    """All operations of a jaxpr, those of its loops and functions among them."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            for inner in value if isinstance(value, (tuple, list)) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from operations(inner)


def assert_products_are_bfloat16_and_the_rest_is_not(jaxpr):
    """Factors of matrix products are bfloat16; softmax, loss, layer norms and the optimizer compute in float32."""
    found, mixed = {}, 0
    for equation in operations(jaxpr):
        types = {str(operand.aval.dtype) for operand in equation.invars if hasattr(operand.aval, "dtype")}
        found.setdefault(equation.primitive.name, set()).update(types)
        if equation.primitive.name == "dot_general":
            assert "bfloat16" in types
            mixed += len(types) > 1
    # JAX' attention makes scores in float32 of factors in bfloat16, so their two gradients multiply both.
    assert mixed <= 2 * MODEL.layers
    for name in ("exp", "log", "sqrt", "rsqrt"):
        assert found.get(name, {"float32"}) == {"float32"}, name
    assert "exp" in found
