"""What MGUP selects, by sorting, for the tests of what the rooms do without it."""

import numpy as np

#: Without memory, u is the gradient's sign: the products are its absolute values.
WITHOUT_MEMORY = {"lr": 1.0, "beta1": 0.0, "beta2": 0.0, "eps": 1e-30, "alpha": 4.0, "gamma": 0.5}


def gradients_with_ties(size: int = 10007) -> np.ndarray:
    """Few absolute values, so that many elements are equal to the last that is selected; none is 0."""
    generator = np.random.default_rng(1)
    return (generator.choice([-1, 1], size) * generator.integers(1, 9, size) / 8).astype(np.float32)


def expected_move(gradient: np.ndarray, tau: float) -> np.ndarray:
    """The first step from 0 with :data:`WITHOUT_MEMORY`."""
    first = np.argsort(-np.abs(gradient), kind="stable")[: int(tau * gradient.size)]
    factors = np.full(gradient.size, 0.5, np.float32)
    factors[first] = 4.0
    return -factors * np.sign(gradient)


def gradients_that_turn(size: int = 1001) -> tuple[np.ndarray, np.ndarray]:
    """Two gradients, the second mostly against the first: most products of the second step are negative."""
    generator = np.random.default_rng(2)
    first = generator.normal(size=size)
    return first.astype(np.float32), (-0.25 * first + 0.05 * generator.normal(size=size)).astype(np.float32)


def expected_factors(first: np.ndarray, second: np.ndarray, tau: float) -> np.ndarray:
    """Of the second step with both decay rates 1/2 and the other numbers of :data:`WITHOUT_MEMORY`."""
    first, second = first.astype(np.float64), second.astype(np.float64)
    m, v = 0.25 * first + 0.5 * second, 0.25 * first**2 + 0.5 * second**2
    chosen = np.argsort(-(m / np.sqrt(v) * second), kind="stable")[: int(tau * second.size)]
    factors = np.full(second.size, 0.5)
    factors[chosen] = 4.0
    return factors
