"""What every Keras optimizer can do around its step, by comparison with the step alone. Equality is exact."""

import keras
import numpy as np
import pytest
from keras import ops

from alphaadam.keras import AlphaAdam
from tests.implementations.keras.training import (
    BACKEND,
    apply,
    assert_identical,
    compiled,
    gradients,
    only_on,
    tensors,
    values,
)

START = [np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3), np.ones(2, "float32")]


def stepped(gradient_lists, **arguments):
    """Variables after some steps, and the optimizer."""
    variables = [keras.Variable(x) for x in START]
    optimizer = AlphaAdam(learning_rate=0.125, **arguments)
    optimizer.build(variables)
    for arrays in gradient_lists:
        optimizer.apply(tensors(arrays), variables)
    return variables, optimizer


def moments(optimizer):
    return values(v for v in optimizer.variables if v.name.endswith(("momentum", "velocity")))


def large():
    """Gradients of norm 5 and 10, whose multiples by powers of two are exact."""
    return [np.float32([[3, 0, 4], [0, 0, 0]]), np.float32([-6, 8])]


#: Argument -> what becomes of the gradients.
CLIPPED = {
    "clipnorm": (2.5, [large()[0] / 2, large()[1] / 4]),
    "clipvalue": (2.0, [np.clip(g, -2, 2) for g in large()]),
    "global_clipnorm": (float(np.float32(125**0.5) / 4), [g / 4 for g in large()]),
}


@pytest.mark.parametrize("name", CLIPPED)
def test_gradients_are_clipped_before_the_step(name):
    """Moments show it: a first step is the same for gradients of any length."""
    limit, clipped = CLIPPED[name]
    variables, optimizer = stepped([large()], **{name: limit})
    expected, other = stepped([clipped])
    for actual, wanted in ((values(variables), values(expected)), (moments(optimizer), moments(other))):
        for a, b in zip(actual, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=4 * 6e-8, atol=0)  # the norm's root and quotient, squared in v


def test_a_moving_average_is_kept_and_put_in_the_place_of_the_variables():
    steps = [gradients(START, seed) for seed in range(3)]
    history = [values(stepped(steps[:count])[0]) for count in (1, 2, 3)]
    average = history[0]
    for later in history[1:]:
        average = [(a + b) / 2 for a, b in zip(average, later, strict=True)]
    variables, optimizer = stepped(steps, use_ema=True, ema_momentum=0.5)
    assert_identical(values(variables), history[2])
    assert_identical(values(v for v in optimizer.variables if v.name.endswith("average")), average)
    optimizer.finalize_variable_values(variables)
    assert_identical(values(variables), average)


def test_a_moving_average_overwrites_the_variables_at_its_frequency():
    steps = [gradients(START, seed) for seed in range(2)]
    history = [values(stepped(steps[:count])[0]) for count in (1, 2)]
    variables, _ = stepped(steps, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)
    assert_identical(values(variables), [(a + b) / 2 for a, b in zip(*history, strict=True)])


@pytest.mark.parametrize("record", [False, True])
def test_gradients_accumulate_and_nothing_else_moves_in_between(record):
    steps = [gradients(START, seed) for seed in range(4)]
    means = [[(a + b) / 2 for a, b in zip(*pair, strict=True)] for pair in (steps[:2], steps[2:])]
    arguments = {"gradient_accumulation_steps": 2, "record_diagnostics": record}
    for taken, done in ((1, 0), (2, 1), (3, 1), (4, 2)):
        variables, optimizer = stepped(steps[:taken], **arguments)
        expected, other = stepped(means[:done], record_diagnostics=record)
        assert_identical(values(variables), values(expected))
        assert_identical(moments(optimizer), moments(other))
        assert int(optimizer.iterations) == done
        if record:
            pairs = zip(variables, expected, strict=True)
            for actual, wanted in ((optimizer.diagnostics(a), other.diagnostics(b)) for a, b in pairs):
                assert_identical(values(actual), values(wanted))


def test_a_loss_scale_factor_is_taken_out_of_the_gradients():
    steps = [gradients(START, seed) for seed in range(2)]
    scaled = [[g * 1024 for g in arrays] for arrays in steps]
    variables, optimizer = stepped(scaled, loss_scale_factor=1024.0)
    assert_identical(values(variables), values(stepped(steps)[0]))
    assert float(optimizer.scale_loss(ops.convert_to_tensor(1.0))) == 1024


def test_a_loss_scale_optimizer_unscales_and_skips_what_overflowed():
    variables = [keras.Variable(x) for x in START]
    inner = AlphaAdam(learning_rate=0.125, record_diagnostics=True)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=1024.0, dynamic_growth_steps=100)
    optimizer.build(variables)

    # On JAX, Keras' own LossScaleOptimizer.apply works in a traced step alone, as fit has it.
    apply = compiled(optimizer, variables) if BACKEND == "jax" else lambda *g: optimizer.apply(g, variables)

    def step(arrays, scale):
        apply(*tensors([g * scale for g in arrays]))

    first, second = (gradients(START, seed) for seed in range(2))
    step(first, 1024)
    before = values(variables), values(inner.variables)
    for bad in (np.inf, np.nan):
        step([first[0], np.full(2, bad, "float32")], 1)
        assert_identical(values(variables), before[0])
        assert_identical(values(inner.variables), before[1])
    assert float(optimizer.dynamic_scale) == 256
    step(second, 256)
    for a, b in zip(values(variables), values(stepped([first, second])[0]), strict=True):
        # Scales are powers of two: exact, but for multiply-adds that XLA fuses, half an ulp of 1 in each step.
        np.testing.assert_allclose(a, b, rtol=0, atol=2.0**-23 if BACKEND == "jax" else 0)
    assert int(inner.iterations) == 2


def embedding_steps(dense, compiling, **arguments):
    """A table after four steps on some of its rows, one of them twice in a batch, and the optimizer's variables."""
    import tensorflow

    table = keras.Variable(np.linspace(-1, 1, 15, dtype="float32").reshape(5, 3))
    optimizer = AlphaAdam(0.125, weight_decay=0.5, **arguments)
    optimizer.build([table])

    def step(factor):
        with tensorflow.GradientTape() as tape:
            loss = tensorflow.reduce_sum(tensorflow.gather(table.value, [1, 3, 1]) ** 2 * factor)
        gradient = tape.gradient(loss, table.value)
        assert isinstance(gradient, tensorflow.IndexedSlices)
        optimizer.apply([tensorflow.convert_to_tensor(gradient) if dense else gradient], [table])

    step = tensorflow.function(step) if compiling else step
    for factor in (1.0, -0.5, 2.0, 1.0):
        step(tensorflow.constant(factor))
    return values([table]) + values(optimizer.variables)


@only_on("tensorflow", reason="IndexedSlices are TensorFlow's")
@pytest.mark.parametrize("compiling", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"clipnorm": 0.5},
        {"clipvalue": 0.25},
        {"global_clipnorm": 0.5},
        {"gradient_accumulation_steps": 2},
        {"loss_scale_factor": 8.0, "use_ema": True},
    ],
    ids=lambda arguments: "+".join(arguments) or "plain",
)
def test_indexed_slices_are_the_dense_gradient(arguments, compiling):
    """Also of a row that occurs twice, whose slices Keras would square one by one where it clips by norm."""
    assert_identical(*(embedding_steps(dense, compiling, **arguments) for dense in (False, True)))


def test_an_embedding_trains_and_its_other_rows_decay():
    model = keras.Sequential([keras.Input((2,), dtype="int32"), keras.layers.Embedding(5, 3), keras.layers.Flatten()])
    model.compile(AlphaAdam(learning_rate=0.1, weight_decay=0.5), "mse", jit_compile=False)
    before = values(model.trainable_variables)[0]
    model.train_on_batch(np.array([[1, 3]]), np.ones((1, 6), "float32"))
    after = values(model.trainable_variables)[0]
    untouched = [0, 2, 4]
    np.testing.assert_allclose(after[untouched], before[untouched] * 0.95, rtol=1e-6)  # two float32 roundings
    assert (np.abs(after[[1, 3]] - before[[1, 3]] * 0.95) > 0.09).all()


def test_constraints_are_applied_after_the_step():
    variable = keras.Variable(np.float32([0.1, 0.1]))
    variable.constraint = keras.constraints.NonNeg()
    optimizer = AlphaAdam(0.5, weight_decay=0.0)
    optimizer.apply([ops.ones(2)], [variable])
    assert_identical(values([variable]), [np.zeros(2, "float32")])


def test_several_optimizers_each_have_their_variables():
    """`MultiOptimizer`, and the way to give groups of variables settings of their own."""
    variables = [keras.Variable(x) for x in START]
    masked, plain = AlphaAdam(0.125), AlphaAdam(0.125, masking="none", alpha=1.0)
    both = keras.optimizers.MultiOptimizer(lambda variable: masked if variable is variables[0] else plain)
    for seed in range(2):
        apply(both, variables, seed)
    steps = [gradients(START, seed) for seed in range(2)]
    assert_identical(values(variables[:1]), values(stepped(steps)[0])[:1])
    assert_identical(values(variables[1:]), values(stepped(steps, masking="none", alpha=1.0)[0])[1:])
