"""A small classifier whose curvature is known in closed form, for the tests of Sophia's estimators.

Its logits are ``x @ weight**2 + bias``: the square makes the Hessian differ from the Gauss-Newton matrix.
"""

import numpy as np

_generator = np.random.default_rng(0)
X = _generator.normal(size=(16, 3)).astype(np.float32)
LABELS = _generator.integers(0, 4, size=16)
WEIGHT = _generator.uniform(0.25, 1.0, size=(3, 4)).astype(np.float32)
BIAS = _generator.normal(size=4).astype(np.float32)


def _probabilities():
    logits = X.astype(np.float64) @ WEIGHT.astype(np.float64) ** 2 + BIAS
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def gauss_newton_diagonal():
    """That of the mean cross-entropy, for weight and bias; the labels play no part in it."""
    p = _probabilities()
    spread = p * (1 - p)
    return [(2 * WEIGHT) ** 2 * (np.square(X).T @ spread) / len(X), spread.mean(axis=0)]


def hessian_diagonal():
    """That of the mean cross-entropy with :data:`LABELS`."""
    weight, bias = gauss_newton_diagonal()
    return [weight + 2 * X.T @ (_probabilities() - np.eye(4)[LABELS]) / len(X), bias]


def check_mean(samples, exact):
    """Check that the mean of estimates is right within five times its standard error, and that this says something.

    Args:
        samples: Per tensor, an array whose first axis counts estimates.
        exact: Per tensor, what their mean should be.
    """
    for estimates, diagonal in zip(samples, exact, strict=True):
        estimates = np.asarray(estimates, np.float64)
        error = estimates.std(axis=0) / len(estimates) ** 0.5
        assert (np.abs(estimates.mean(axis=0) - diagonal) < 5 * error).all()
        assert error.mean() < 0.1 * np.abs(diagonal).mean()
