"""What is special in LDAdam: what it keeps, and that its subspace is one, on the backend under test."""

import keras
import numpy as np
import pytest
from keras import ops

from alphaadam.keras.baselines import LDAdam


@pytest.mark.parametrize("shape", [(8, 32), (32, 8)])
def test_it_keeps_thin_matrices_beside_the_error(shape):
    optimizer, generator = LDAdam(rank=3), np.random.default_rng(0)
    variable = keras.Variable(np.zeros(shape), dtype="float32")
    optimizer.build([variable])
    for _ in range(5):
        optimizer.apply([ops.convert_to_tensor(generator.normal(size=shape).astype("float32"))], [variable])
    (kept,) = optimizer._kept
    assert [tuple(x.shape) for x in kept.values()] == [(8, 3), (3, 32), (3, 32), shape]
    p = ops.convert_to_numpy(kept["projector"])
    np.testing.assert_allclose(p.T @ p, np.eye(3), atol=1e-5)
