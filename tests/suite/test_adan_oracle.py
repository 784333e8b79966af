"""The rules of Adan, SGD and Lion, and the mask around Adan: cases by hand, and what they have in common."""

import pytest
from mpmath import mpf

from suite.reference import baselines
from suite.reference.baselines.arithmetic import Arithmetic, IllConditionedError
from suite.reference.formats import STORED

EXACT = Arithmetic(STORED["float64"])


def run(optimizer, gradients, start=0.0, **changes):
    """The values of one tensor after each step."""
    rule = baselines.rule(optimizer)
    given = {**rule.DEFAULTS, "lr": 1.0, "eps": 0.0, **changes}
    shape = (len(gradients[0]),)
    theta = [mpf(start)] * shape[0]
    state = rule.begin(theta, shape, given)
    path = []
    for number, gradient in enumerate(gradients, start=1):
        theta = rule.step(theta, list(map(mpf, gradient)), state, number, mpf(given["lr"]), given, shape, EXACT)
        path.append([float(x) for x in theta])
    return path


def test_adan_by_hand():
    """β of 1/2: m 1, 5/2; v 0, 1; n of 2² and 5²; biases 1/2 and 3/4."""
    path = run("Adan", [[2.0], [4.0]], beta1=0.5, beta2=0.5, beta3=0.5)
    assert path[0] == [pytest.approx(-1)]
    m, v, n = 0.5 * 1 + 0.5 * 4, 0.5 * 2, 0.5 * (0.5 * 2**2) + 0.5 * (4 + 0.5 * 2) ** 2
    assert path[1] == [pytest.approx(-1 - (m / 0.75 + 0.5 * v / 0.75) / (n / 0.75) ** 0.5)]


def test_the_first_step_of_adan_has_no_difference_and_the_second_has():
    assert run("Adan", [[0.25]], beta2=0.0)[0] == run("Adan", [[0.25]], beta2=0.92)[0] == [pytest.approx(-1)]
    assert run("Adan", [[0.25], [0.5]], beta2=0.5)[1] != run("Adan", [[0.25], [0.5]], beta2=0.92)[1]


def test_the_two_forms_of_adans_decay():
    arguments = {"start": 3.0, "weight_decay": 0.5}
    assert run("Adan", [[2.0]], **arguments)[0] == [pytest.approx((3 - 1) / 1.5)]
    assert run("Adan", [[2.0]], no_prox=True, **arguments)[0] == [pytest.approx(3 * 0.5 - 1)]


def test_a_constant_gradient_moves_adan_by_the_rate():
    path = run("Adan", [[0.5]] * 5)
    assert path == [[pytest.approx(-step)] for step in range(1, 6)]


def test_the_mask_around_adan_drops_what_turned_and_alpha_makes_up_for_it():
    """The first coordinate's gradient turns while its average does not."""
    betas = {"beta1": 0.75, "beta2": 0.0, "beta3": 0.0}
    gradients = [[1.0, 1.0], [-0.5, 0.5]]
    bare = run("Adan", gradients, **betas)
    masked = run("AlphaMaskAdan", gradients, **betas)
    assert masked[0] == bare[0]
    moves = [b - a for a, b in zip(*bare, strict=True)]
    alpha = min((moves[0] ** 2 + moves[1] ** 2) ** 0.5 / abs(moves[1]), 2)
    assert alpha > 1
    assert masked[1] == [masked[0][0], pytest.approx(masked[0][1] + alpha * moves[1])]


def test_without_a_mask_it_is_adan():
    gradients = [[1.0, -0.25], [-0.5, 0.5], [0.25, 0.75]]
    unmasked = run("AlphaMaskAdan", gradients, start=1.0, masking="none", weight_decay=0.25)
    assert unmasked == run("Adan", gradients, start=1.0, no_prox=True, weight_decay=0.25)


def test_sgd_and_lion_by_hand():
    assert run("SGD", [[1.0], [2.0]], momentum=0.5) == [[-1.0], [-1.0 - 2.5]]
    assert run("SGD", [[1.0], [2.0]], momentum=0.5, nesterov=True) == [[-1.5], [-1.5 - 3.25]]
    assert run("SGD", [[1.0]], start=2.0, weight_decay=0.25) == [[2.0 * 0.75 - 1.0]]
    # Before step 2 the momentum is 1/4: the direction follows the gradient by one β, the momentum by the other.
    assert run("Lion", [[1.0], [-0.5], [0.0]], beta1=0.5, beta2=0.75) == [[-1.0], [0.0], [-1.0]]


def test_a_sign_that_rounding_would_decide_is_refused():
    with pytest.raises(IllConditionedError):
        run("Lion", [[1.0], [-0.25]], beta1=0.5, beta2=0.75)
