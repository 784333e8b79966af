"""A task that takes no time, for the tests of training in JAX and Keras, and what both are asked."""

import dataclasses

import numpy as np

from bench.tasks import GPT2Config, get_task
from bench.tasks.inputs import Inputs

MODEL = GPT2Config(layers=1, width=32, heads=2, context=16, vocabulary=256)
TASK = dataclasses.replace(
    get_task("gpt2-nano"), name="tiny", model=MODEL, batch_size=16, steps=6, warmup_steps=2, validation_batches=1
)


def inputs(**changes):
    """What the tiny task gives with some of its settings changed."""
    return Inputs(dataclasses.replace(TASK, **changes))


def train(training, given, steps=4, **options):
    """Losses of the first steps."""
    return [training.step(given.training_batch(step), **options) for step in range(steps)]


def assert_same_parameters(actual, expected):
    """Bit for bit."""
    for name, values in expected.parameters().items():
        np.testing.assert_array_equal(actual.parameters()[name], values, err_msg=name)


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
