"""MGUP's oracle against cases computed by hand, and against properties of the rule."""

import pytest
from mpmath import mpf, sqrt

from suite.reference.baselines import mgup
from suite.reference.baselines.arithmetic import Arithmetic, IllConditionedError
from suite.reference.formats import STORED

HALVES = {"beta1": 0.5, "beta2": 0.5, "eps": 0.0}


def run(gradients, theta, lr=0.5, **changes):
    """A tensor after some steps."""
    given = {**mgup.DEFAULTS, **HALVES, **changes}
    state = mgup.begin(theta, (len(theta),), given)
    arithmetic = Arithmetic(STORED["float64"])
    tensor = list(map(mpf, theta))
    for t, gradient in enumerate(gradients, 1):
        tensor = mgup.step(tensor, list(map(mpf, gradient)), state, t, mpf(lr), given, (len(theta),), arithmetic)
    return tensor


def close(tensor, wanted):
    return max(abs(x - y) for x, y in zip(tensor, wanted, strict=True)) < 1e-15


def test_a_first_step_by_hand():
    """All of m, v and the bias correction cancel to sign(g): the largest gradients take 2 of the rate, others 0.1."""
    moved = run([[1.0, -4.0, 2.0, -0.5]], [8.0] * 4, weight_decay=0.25)
    assert close(moved, [7 - mpf(0.05), 8, 6, 7 + mpf(0.05)])


@pytest.mark.parametrize(
    ("tau", "factors"), [(0.4, (2, 0.1, 0.1)), (0.7, (2, 2, 0.1)), (None, (2, 2, 0.1))], ids=["one", "two", "by-sign"]
)
def test_a_second_step_by_hand(tau, factors):
    """The moments are m = (3/2, -1/2, -1/8) and v = (3, 11/8, 11/16): the last opposes its gradient."""
    first, second = [2.0, 1.0, -1.5], [2.0, -1.5, 0.5]
    start, end = (run(gradients, [0.0] * 3, tau=tau) for gradients in ([first], [first, second]))
    u = [mpf(1.5) / sqrt(mpf(3)), mpf(-0.5) / sqrt(mpf(1.375)), mpf(-0.125) / sqrt(mpf(0.6875))]
    rate = mpf(0.5) * sqrt(mpf(0.75)) / mpf(0.75)
    assert close(
        [y - x for x, y in zip(start, end, strict=True)], [-rate * f * x for f, x in zip(factors, u, strict=True)]
    )


def test_without_gradient_a_coordinate_counts_as_agreeing():
    first, second = [4.0, 4.0], [0.0, 1.0]
    start, end = (run(gradients, [0.0] * 2, tau=None) for gradients in ([first], [first, second]))
    u = mpf(1) / sqrt(mpf(4))
    assert close([end[0] - start[0]], [-mpf(0.5) * sqrt(mpf(0.75)) / mpf(0.75) * 2 * u])


@pytest.mark.parametrize(("tau", "size", "selected"), [(0.5, 1, 0), (0.5, 3, 1), (0.34, 3, 1), (1.0, 3, 3)])
def test_the_number_selected_is_rounded_down(tau, size, selected):
    moved = run([[float(2**i) for i in range(size)]], [0.0] * size, lr=1.0, tau=tau)
    assert sum(abs(x) > 1 for x in moved) == selected


def test_what_is_too_close_to_be_told_apart_is_refused():
    with pytest.raises(IllConditionedError):
        run([[1.0, 1.0001, 4.0, 0.25]], [0.0] * 4)
    with pytest.raises(IllConditionedError):
        run([[1.0, 4.0], [-0.5000001, 1.0]], [0.0] * 2, tau=None)


def test_alpha_and_gamma_one_is_adam_with_epsilon_hat():
    gradients = [[1.0, -4.0], [0.5, 2.5]]
    assert close(run(gradients, [1.0, 2.0], alpha=1.0, gamma=1.0), run(gradients, [1.0, 2.0], tau=1.0, alpha=1.0))
