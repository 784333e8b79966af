"""Muon's oracle against cases computed by hand, and against properties of the rule."""

import pytest
from mpmath import mpf, sqrt

from suite.reference.baselines import muon, root
from suite.reference.baselines.arithmetic import Arithmetic
from suite.reference.formats import STORED

EXACT = Arithmetic(STORED["float64"])


def run(rule, gradients, theta, shape, lr=1.0, **changes):
    """A tensor after some steps."""
    given = {**rule.DEFAULTS, **changes}
    tensor = list(map(mpf, theta))
    state = rule.begin(tensor, shape, given)
    for t, gradient in enumerate(gradients, 1):
        tensor = rule.step(tensor, list(map(mpf, gradient)), state, t, mpf(lr), given, shape, EXACT)
    return tensor


def close(tensor, wanted):
    return max(abs(x - y) for x, y in zip(tensor, wanted, strict=True)) < 1e-12


@pytest.mark.parametrize(
    ("scaling", "wide", "tall"),
    [("rms", 0.4, 0.4), ("rows", 1, 2), ("columns", 2, 1), ("none", 1, 1)],
)
def test_a_step_by_hand(scaling, wide, tall):
    """The only singular value of a row or column is its norm, which eps 5 beside the norm 5 makes 1/2: one iteration of
    (2, -2, 4) makes of it 1 - 1/4 + 1/8 = 7/8. Decay takes an eighth."""
    settings = {"scaling": scaling, "eps": 5.0, "ns_steps": 1, "ns_coefficients": [2, -2, 4], "weight_decay": 0.125}
    for shape, scale in (((1, 4), wide), ((4, 1), tall)):
        moved = run(muon, [[1, -2, 2, 4]], [8] * 4, shape, momentum=0.0, **settings)
        assert close(moved, [7 - mpf(scale) * mpf(7) / 8 * x / 5 for x in (1, -2, 2, 4)])


def test_both_forms_of_the_momentum_are_one_without_eps():
    """A mean in the place of the sum is the same rule on gradients of another size."""
    gradients = [[1, 2, 3, 5], [-2, 1, 4, 0.5], [0.25, -3, 1, 1]]
    smaller = [[x / 32 for x in gradient] for gradient in gradients]
    for nesterov in (True, False):
        one, other = (run(muon, g, [0] * 4, (2, 2), eps=0.0, nesterov=nesterov) for g in (gradients, smaller))
        assert close(one, other)


def test_root_that_clips_nothing_is_muon():
    gradients = [[1, 2, 3, 5, 8, 13], [1, -2, 3, -5, 8, -13]]
    shared = {"lr": 0.125, "momentum": 0.5}
    assert close(
        run(root, gradients, [1] * 6, (2, 3), **shared, quantile=1.0), run(muon, gradients, [1] * 6, (2, 3), **shared)
    )


def test_other_tensors_get_adamw():
    moved = run(muon, [[1, -2, 4]], [8] * 3, (3,), lr=0.5, weight_decay=0.25, adamw_eps=0.0)
    assert close(moved, [7 - sqrt(mpf(0.25)) * sign for sign in (1, -1, 1)])
