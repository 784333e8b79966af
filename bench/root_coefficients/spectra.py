"""Singular values of matrices such as ROOT orthogonalises: the iteration sees nothing else of a matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Spectrum = npt.NDArray[np.float64]

DECAYS = (None, 0.5, 1.0, 1.5)
"""How fast the singular values of a sample fall: as i to the power of minus this. None is a matrix of independent
normal numbers. The momentum of gpt2-nano's matrices falls as 1 and faster; a fit to independent numbers alone would
leave it behind."""

QUANTILE = 0.9
"""ROOT's threshold, at which it clips a matrix before the iteration."""


def sample(generator: np.random.Generator, shape: tuple[int, int], decay: float | None) -> Spectrum:
    """Singular values of a random matrix, clipped and divided by its norm as ROOT does."""
    rows, columns = shape
    if decay is None:
        matrix = generator.standard_normal(shape)
    else:
        weights = np.arange(1, min(shape) + 1, dtype=float) ** -decay
        left = generator.standard_normal((rows, len(weights))) * weights
        matrix = left @ generator.standard_normal((len(weights), columns))
    threshold = np.quantile(np.abs(matrix), QUANTILE)
    clipped = np.clip(matrix, -threshold, threshold)
    return np.linalg.svd(clipped / np.linalg.norm(clipped), compute_uv=False)


def samples(shape: tuple[int, int], seed: int, each: int) -> tuple[list[Spectrum], list[Spectrum]]:
    """Singular values to fit to, and of one more matrix of each kind to measure with.

    Args:
        shape: Of the matrices, the smaller side first.
        seed: The same seed and shape give the same matrices.
        each: Number of matrices of each of :data:`DECAYS` to fit to.
    """
    generator = np.random.default_rng([seed, *shape])
    fitted = [sample(generator, shape, decay) for _ in range(each) for decay in DECAYS]
    return fitted, [sample(generator, shape, decay) for decay in DECAYS]


def guard() -> Spectrum:
    """Singular values spread over all that a matrix may have, from 1/100 to a little over 1.

    The samples have few near 1, which a matrix of low rank has; without these the fitted iteration leaves for infinity
    there. Rounding takes a singular value beyond 1.
    """
    return np.geomspace(1e-2, 1.02, 256)


def root_mean_square_error(result: Sequence[Spectrum]) -> float:
    """The orthogonalisation error: how far singular values are from 1, ‖X - UVᵀ‖_F / ‖UVᵀ‖_F, mean over matrices."""
    return float(np.mean([np.sqrt(np.mean((values - 1) ** 2)) for values in result]))
