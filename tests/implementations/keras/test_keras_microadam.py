"""What is special in MicroAdam: what it keeps, in how many bytes, on the backend under test."""

import keras
import numpy as np
import pytest
from keras import ops

from alphaadam.keras.baselines import MicroAdam


def stepped(optimizer, shape, steps=2, dtype="float32"):
    variable = keras.Variable(np.zeros(shape), dtype=dtype)
    generator = np.random.default_rng(0)
    optimizer.build([variable])
    for _ in range(steps):
        optimizer.apply([ops.convert_to_tensor(generator.normal(size=shape).astype(dtype))], [variable])
    return variable


@pytest.mark.parametrize(("shape", "most"), [((256, 1024), 0.903), ((50257,), 0.91)])
def test_it_keeps_nine_tenths_of_a_byte_for_each_parameter(shape, most):
    optimizer = MicroAdam()
    variable = stepped(optimizer, shape, steps=0)
    sizes = {"int16": 2, "bfloat16": 2, "uint8": 1, "float32": 4}
    (kept,) = optimizer._kept
    total = sum(sizes[x.dtype] * int(np.prod(x.shape)) for x in kept.values())
    assert 0.9 < total / int(np.prod(variable.shape)) < most


def test_no_more_than_the_kept_elements_move():
    variable = stepped(MicroAdam(learning_rate=1.0), (10000,), steps=1)
    assert np.count_nonzero(ops.convert_to_numpy(variable)) == 102  # three blocks of 3334, and 34 of each


def test_a_variable_that_rests_keeps_the_ages_of_its_gradients():
    moved = []
    for rests in (False, True):
        optimizer = MicroAdam(learning_rate=1.0, density=0.5, window=2, beta_2=0.0)
        variables = [keras.Variable([0.0, 0.0]), keras.Variable([0.0, 0.0])]
        optimizer.build(variables)
        one, other = ops.convert_to_tensor([1.0, 0.0]), ops.convert_to_tensor([0.0, 1.0])
        optimizer.apply([one, one], variables)
        if rests:
            optimizer.apply([one], variables[:1])
        before = ops.convert_to_numpy(variables[1]).copy()
        optimizer.apply([one, other], variables)
        moved.append(ops.convert_to_numpy(variables[1]) - before)
    np.testing.assert_allclose(moved[1] / moved[0], (1 - 0.9**2) / (1 - 0.9**3), rtol=1e-5)
