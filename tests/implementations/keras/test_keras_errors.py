"""What is wrong is refused by one error that names it, before anything changes."""

import keras
import numpy as np
import pytest
from keras import ops

from alphaadam.keras import AlphaAdam
from tests.implementations.keras.training import assert_identical, compiled, fit, make_model, values


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"learning_rate": -1.0}, ValueError, "learning_rate=-1.0"),
        ({"learning_rate": float("inf")}, ValueError, "learning_rate=inf"),
        ({"learning_rate": np.float32("nan")}, ValueError, "learning_rate=.*nan"),
        ({"learning_rate": True}, TypeError, "learning_rate=True"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate='fast'"),
        ({"learning_rate": None}, TypeError, "learning_rate=None"),
        ({"learning_rate": [0.1, 0.2]}, TypeError, r"learning_rate=\[0.1, 0.2\]"),
        ({"beta_1": -0.1}, ValueError, "beta_1=-0.1"),
        ({"beta_2": 1.0}, ValueError, "beta_2=1.0"),
        ({"epsilon": float("nan")}, ValueError, "epsilon=nan"),
        ({"weight_decay": None}, TypeError, "weight_decay=None"),
        ({"masking": "snyc"}, ValueError, "did you mean 'sync'"),
        ({"alpha": 0.5, "alpha_max": 2.0}, ValueError, "alpha_max=2.0"),
        ({"record_diagnostics": 1}, TypeError, "record_diagnostics=1"),
        ({"amsgrad": True}, ValueError, "not recognized: {'amsgrad': True}"),
        ({"lr": 0.1}, ValueError, "unknown argument 'lr'. In Keras it is learning_rate"),
        ({"betas": (0.9, 0.999)}, ValueError, "unknown argument 'betas'. In Keras it is beta_1 and beta_2"),
        ({"decay": 0.1}, ValueError, "unknown argument 'decay'. In Keras it is weight_decay"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, ValueError, "Only one of `clipnorm`, `clipvalue`"),
    ],
)
def test_bad_arguments_name_themselves(arguments, error, message):
    with pytest.raises(error, match=message):
        AlphaAdam(**arguments)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (-1.0, ValueError),
        (float("nan"), ValueError),
        (np.float32("inf"), ValueError),
        (np.array(-0.5), ValueError),
        ("fast", TypeError),
        (None, TypeError),
        (True, TypeError),
        ([0.1], TypeError),
        (np.ones(3), TypeError),
    ],
)
def test_a_learning_rate_that_cannot_be_is_not_assigned(value, error):
    optimizer = AlphaAdam(0.25)
    with pytest.raises(error, match="AlphaAdam: learning_rate="):
        optimizer.learning_rate = value
    assert float(optimizer.learning_rate) == 0.25


def test_a_number_does_not_replace_a_schedule_as_in_keras():
    optimizer = AlphaAdam(keras.optimizers.schedules.CosineDecay(0.1, 10))
    with pytest.raises(TypeError, match="its learning rate is not settable"):
        optimizer.learning_rate = 0.1


class Table(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule that returns what it is given, step by step."""

    def __init__(self, *rates):
        self.rates = np.float32(rates)

    def __call__(self, step):
        return ops.take(ops.convert_to_tensor(self.rates), ops.cast(step, "int32"))


@pytest.mark.parametrize("rate", [float("nan"), -0.5])
def test_a_schedule_that_begins_wrong_is_refused_when_it_is_given(rate):
    with pytest.raises(ValueError, match=f"the learning rate is {rate} at iteration 0, as Table returned it"):
        AlphaAdam(Table(rate, 0.1))
    optimizer = AlphaAdam(0.25)
    with pytest.raises(ValueError, match="as Table returned it"):
        optimizer.learning_rate = Table(rate, 0.1)
    assert float(optimizer.learning_rate) == 0.25


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -0.5])
def test_an_eager_step_refuses_the_rate_of_a_schedule_or_a_callable(rate):
    rates = iter([0.1, rate])
    for learning_rate in (Table(0.1, rate), lambda: next(rates)):
        variable = keras.Variable(np.ones(2, "float32"))
        optimizer = AlphaAdam(learning_rate)
        optimizer.apply([ops.ones(2)], [variable])
        before = values([variable, *optimizer.variables])
        with pytest.raises(ValueError, match=f"the learning rate is {rate} at iteration 1, as (Table|<lambda>)"):
            optimizer.apply([ops.ones(2)], [variable])
        assert_identical(values([variable, *optimizer.variables]), before)


def test_a_compiled_step_takes_the_rate_of_a_schedule_as_it_is():
    """It cannot look at it: NaN makes the variable NaN. On PyTorch `compiled` is eager, and refuses it."""
    variable = keras.Variable(np.ones(2, "float32"))
    optimizer = AlphaAdam(Table(0.1, float("nan")))
    optimizer.build([variable])
    step = compiled(optimizer, [variable])
    step(ops.ones(2))
    if keras.backend.backend() == "torch":
        with pytest.raises(ValueError, match="the learning rate is nan at iteration 1"):
            step(ops.ones(2))
    else:
        step(ops.ones(2))
        assert np.isnan(values([variable])[0]).all()


def two():
    return [keras.Variable(np.ones((2, 3), "float32"), name="a"), keras.Variable(np.ones(2, "float32"), name="b")]


@pytest.mark.parametrize("built", [False, True])
def test_more_or_fewer_gradients_than_variables_are_refused(built):
    """Keras would pair them off, and leave the last variables behind without a word."""
    variables = two()
    optimizer = AlphaAdam()
    if built:
        optimizer.build(variables)
        with pytest.raises(ValueError, match="1 gradients for 2 variables"):
            optimizer.apply([ops.ones((2, 3))])
    for count in (1, 3):
        with pytest.raises(ValueError, match=f"{count} gradients for 2 variables"):
            optimizer.apply([ops.ones((2, 3))] * count, variables)
    assert_identical(values(variables), [np.ones((2, 3), "float32"), np.ones(2, "float32")])


def test_a_gradient_of_another_shape_is_refused_even_if_it_could_be_broadcast():
    variables = two()
    optimizer = AlphaAdam()
    with pytest.raises(ValueError, match=r"a gradient of shape \(3,\) for the variable 'a' of shape \(2, 3\)"):
        optimizer.apply([ops.ones(3), ops.ones(2)], variables)
    with pytest.raises(ValueError, match=r"a gradient of shape \(1, 2\) for the variable 'b'"):
        optimizer.apply([ops.ones((2, 3)), ops.ones((1, 2))], variables)
    assert int(optimizer.iterations) == 0


def test_variables_that_are_complex_are_refused():
    with pytest.raises(TypeError, match=r"complex64 is not supported. Optimize its real and imaginary parts"):
        AlphaAdam().build([keras.Variable(np.ones(2, "complex64"), dtype="complex64")])


def test_no_gradient_at_all_is_keras_error():
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        AlphaAdam().apply([None, None], two())


def test_a_compiled_training_step_says_what_is_wrong_with_its_gradients():
    model = make_model()
    model.compile(AlphaAdam(), "mse", jit_compile=False)
    model.optimizer.build(model.trainable_variables[:2])
    with pytest.raises(ValueError, match=r"Unknown variable|was built with 2 variables"):
        fit(model)
