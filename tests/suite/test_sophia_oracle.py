"""Sophia's oracle against a case computed by hand, and against properties of the rule."""

from itertools import pairwise

from mpmath import mpf

from suite.cases.baselines import sophia as cases
from suite.reference.baselines import sophia
from suite.reference.baselines.arithmetic import Arithmetic
from suite.reference.formats import STORED


def run(steps, theta, lr=0.5, **changes):
    """A tensor after each step, given as a gradient and an estimate or None."""
    given = {**sophia.DEFAULTS, "beta1": 0.5, "beta2": 0.5, **changes}
    state = sophia.begin(theta, (len(theta),), given)
    tensor, seen = list(map(mpf, theta)), []
    for t, (gradient, hessian) in enumerate(steps, 1):
        estimate = None if hessian is None else list(map(mpf, hessian))
        arguments = (state, t, mpf(lr), given, (len(theta),), Arithmetic(STORED["float64"]))
        tensor = sophia.step(tensor, list(map(mpf, gradient)), *arguments, hessian=estimate)
        seen.append(tensor)
    return seen


def test_two_steps_by_hand():
    """gamma 2: m = 1, h = 4, 1/2, -1 give 1/8, 1, and the clipped step; then m = 3/2, 0, 1 and h as it was."""
    first, second = run(
        [([2.0, 2.0, 2.0], [8.0, 1.0, -2.0]), ([2.0, -1.0, 1.0], None)], [8.0] * 3, gamma=2.0, weight_decay=0.25
    )
    assert first == [7 - mpf(1) / 16, 6.5, 6.5]
    assert second == [x * mpf(0.875) - move for x, move in zip(first, (mpf(3) / 32, 0, 0.5), strict=True)]


def test_an_estimate_counts_in_its_own_step():
    early, late = run([([1.0], [64.0])], [0.0], gamma=1.0), run([([1.0], None)], [0.0], gamma=1.0)
    assert early == [[-mpf(1) / 128]]
    assert late == [[-mpf(1) / 2]]


def test_no_coordinate_moves_by_more_than_the_rate():
    for case in cases.cases():
        if hasattr(case, "gradients") and not case.hyperparameters.get("weight_decay"):
            steps = [(g[0].data, None) for g in case.gradients]
            seen = [list(map(mpf, case.params[0].data)), *run(steps, case.params[0].data)]
            for before, after in pairwise(seen):
                assert all(abs(x - y) <= 0.5 for x, y in zip(before, after, strict=True))


def test_the_first_version_of_the_paper_is_another_name_for_it():
    """clip(m / max(h, eps), rho) with a rate of eta / rho and an eps of eps / gamma, for rho = gamma."""
    steps = [([2.0, -1.0, 0.5], [8.0, 1.0, 4.0]), ([-1.0, 0.25, 0.5], None)]
    gamma, eps = mpf(0.25), mpf(0.5)
    (_, end) = run(steps, [0.0] * 3, gamma=0.25, eps=0.5)
    m, h, theta = [mpf(0)] * 3, [mpf(0)] * 3, [mpf(0)] * 3
    for gradient, estimate in steps:
        m = [(x + g) / 2 for x, g in zip(m, gradient, strict=True)]
        if estimate:
            h = [(x + e) / 2 for x, e in zip(h, estimate, strict=True)]
        clipped = [min(max(x / max(y, eps / gamma), -gamma), gamma) for x, y in zip(m, h, strict=True)]
        theta = [x - mpf(0.5) / gamma * move for x, move in zip(theta, clipped, strict=True)]
    assert max(abs(x - y) for x, y in zip(theta, end, strict=True)) < 1e-15


def test_the_cases_have_negative_estimates_missing_ones_and_steps_without_any():
    inputs = [step for case in cases.cases() if getattr(case, "inputs", None) for step in case.inputs]
    tensors = [tensor for step in inputs for tensor in step.get("hessian", ())]
    assert any(not step for step in inputs)
    assert any(tensor is None for tensor in tensors)
    assert any(x < 0 for tensor in tensors if tensor for x in tensor.data)
