"""ROOT for Keras: its threshold on every backend."""

import keras
import numpy as np
import pytest

from alphaadam.keras.baselines import ROOT
from alphaadam.keras.baselines._root import _quantile


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("size", [1, 2, 11, 1000])
def test_the_threshold_is_the_quantile_of_all_elements(q, size):
    """With ties, zeros, and numbers of all sizes."""
    generator = np.random.default_rng(size)
    for values in (generator.integers(0, 50, (size, 3)), np.exp(20 * generator.standard_normal((size, 3)))):
        values = values.astype(np.float32)
        found = keras.ops.convert_to_numpy(_quantile(keras.ops.convert_to_tensor(values), q))
        assert float(found) == pytest.approx(np.quantile(values.astype(float), q), rel=1e-6)


@pytest.mark.parametrize("coefficients", ["fitted", [3.0, -4.0, 2.0], {"3x5": [3.0, -4.0, 2.0]}])
def test_coefficients_survive_a_saved_configuration(coefficients):
    again = keras.optimizers.deserialize(keras.optimizers.serialize(ROOT(coefficients=coefficients)))
    assert keras.optimizers.serialize(again)["config"]["coefficients"] == coefficients
