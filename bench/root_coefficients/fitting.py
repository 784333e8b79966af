"""The least-squares fit of the iteration's coefficients to singular values.

One iteration X ← aX + (bA + cA²)X with A = XXᵀ takes each singular value s to a·s + b·s³ + c·s⁵. All iterations have
the same coefficients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from bench.root_coefficients.spectra import Spectrum, guard, root_mean_square_error, samples

Triple = tuple[float, float, float]

ITERATIONS = 5
MUON = (3.4445, -4.7750, 2.0315)

PUBLISHED: dict[tuple[int, int], Triple] = {
    (2048, 2048): (3.4916, -4.8224, 2.1095),
    (2048, 3072): (3.4509, -4.5790, 1.9325),
    (2048, 8192): (2.9794, -3.6674, 1.6207),
    (2048, 16384): (3.1943, -3.8221, 1.5322),
}
"""By the shape, those of ROOT's authors, as the package has them."""

DECIMALS = 6
"""Of the coefficients: far more than matter, far fewer than depend on the linear algebra library."""


@dataclass(frozen=True)
class Fit:
    """Coefficients of all iterations for a shape.

    Attributes:
        shape: The smaller side first.
        coefficients: Rounded to :data:`DECIMALS`.
        error_before: Orthogonalisation error with Muon's, on matrices that were not fitted to.
        error_after: With these.
        error_published: With those that ROOT's authors publish for this shape; None where they have none.
        largest: What the largest of all singular values becomes, of those of any matrix.
    """

    shape: tuple[int, int]
    coefficients: Triple
    error_before: float
    error_after: float
    error_published: float | None
    largest: float

    def as_json(self) -> dict[str, Any]:
        """For the file that the package ships."""
        entry = {
            "coefficients": list(self.coefficients),
            "errorWithMuons": round(self.error_before, 4),
            "error": round(self.error_after, 4),
        }
        if self.error_published is not None:
            entry["errorWithPublished"] = round(self.error_published, 4)
        return entry


def iterate(triple: Sequence[float] | npt.NDArray[np.float64], values: Spectrum) -> Spectrum:
    """Singular values after all iterations."""
    a, b, c = triple
    for _ in range(ITERATIONS):
        square = values * values
        values = values * (a + square * (b + c * square))
    return values


def fit_shape(shape: tuple[int, int], seed: int, each: int) -> Fit:
    """Fits to random matrices of a shape.

    Args:
        shape: The smaller side first.
        seed: Of the matrices.
        each: Number of matrices of each kind, see :func:`bench.root_coefficients.spectra.samples`.
    """
    to_fit, to_measure = samples(shape, seed, each)
    triple = fit([*to_fit, guard()])
    published = PUBLISHED.get(shape)

    def error(of: Triple) -> float:
        return root_mean_square_error([iterate(of, values) for values in to_measure])

    return Fit(
        shape,
        triple,
        error(MUON),
        error(triple),
        error(published) if published else None,
        float(iterate(triple, np.linspace(0, 1, 10_001)).max()),
    )


def fit(spectra: Sequence[Spectrum], start: Triple = MUON) -> Triple:
    """The coefficients with the least mean square distance of singular values from 1, each matrix counting alike."""
    values = np.concatenate(spectra)
    weights = np.concatenate([np.full(len(s), (len(s) * len(spectra)) ** -0.5) for s in spectra])

    def residuals(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return weights * (iterate(x, values) - 1)

    def jacobian(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return weights[:, None] * _derivatives(x, values)

    # A trial step may lead to infinity, which the method then refuses.
    with np.errstate(over="ignore", invalid="ignore"):
        found = least_squares(residuals, start, jacobian, xtol=1e-12, ftol=1e-12, gtol=1e-12, max_nfev=5000)
    if not found.success:
        raise RuntimeError(f"the fit did not end within {found.nfev} steps; use more matrices (--each)")
    a, b, c = (round(float(x), DECIMALS) for x in found.x)
    return a, b, c


def _derivatives(triple: npt.NDArray[np.float64], values: Spectrum) -> npt.NDArray[np.float64]:
    """Of the result by each coefficient, shape (values, 3)."""
    a, b, c = triple
    slopes = np.zeros((len(values), 3))
    for _ in range(ITERATIONS):
        own = np.stack([values, values**3, values**5], axis=1)
        slopes = own + slopes * (a + 3 * b * values**2 + 5 * c * values**4)[:, None]
        values = own @ triple
    return slopes
