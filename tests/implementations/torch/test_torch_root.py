"""ROOT for PyTorch: its threshold, and what coefficients of the shape are good for."""

import numpy as np
import pytest
import torch

from alphaadam.torch.baselines import ROOT
from alphaadam.torch.baselines._root import _quantile


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("size", [1, 2, 10, 11, 1000])
def test_the_threshold_is_the_quantile_of_all_elements(q, size):
    """With ties, and for a matrix that is not contiguous."""
    values = np.random.default_rng(size).integers(0, 50, (size, 3)).astype(np.float64)
    assert float(_quantile(torch.from_numpy(values).T, q)) == pytest.approx(np.quantile(values, q), rel=1e-14)


def test_the_threshold_is_found_among_more_elements_than_torch_quantile_takes():
    values = torch.arange(2**24 + 1, dtype=torch.float32).reshape(1, -1)
    assert float(_quantile(values, 0.5)) == 2**23


def singular_values(coefficients, shape):
    """Of the update of a matrix whose gradient's singular values fall as those of a momentum do."""
    generator = np.random.default_rng(0)
    side = min(shape)
    gradient = (generator.standard_normal((shape[0], side)) / np.arange(1, side + 1)) @ generator.standard_normal(
        (side, shape[1])
    )
    matrix = torch.nn.Parameter(torch.zeros(shape))
    optimizer = ROOT([matrix], lr=1.0, weight_decay=0.0, coefficients=coefficients)
    matrix.grad = torch.from_numpy(gradient.astype(np.float32))
    optimizer.step()
    return torch.linalg.svdvals(matrix.detach()) / (0.2 * max(shape) ** 0.5)


@pytest.mark.parametrize("shape", [(128, 384), (512, 128)])
def test_fitted_coefficients_bring_singular_values_nearer_to_one(shape):
    published, fitted = (
        (singular_values(coefficients, shape) - 1).square().mean().sqrt() for coefficients in ("published", "fitted")
    )
    assert fitted < 0.75 * published


def test_a_matrix_keeps_one_number_for_each_element():
    matrix, vector = torch.nn.Parameter(torch.ones(4, 6)), torch.nn.Parameter(torch.ones(6))
    optimizer = ROOT([matrix, vector])
    matrix.square().sum().backward()
    vector.grad = torch.ones(6)
    optimizer.step()
    kept = [{key: tensor.numel() for key, tensor in optimizer.state[p].items()} for p in (matrix, vector)]
    assert kept == [{"step": 1, "momentum_buffer": 24}, {"step": 1, "exp_avg": 6, "exp_avg_sq": 6}]
