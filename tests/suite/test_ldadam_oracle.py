"""LDAdam's oracle: two steps by hand, and what is free in it."""

import math
import random

import pytest
from mpmath import mpf

from suite.cases.baselines.shared import trajectory
from suite.reference.baselines import ldadam
from suite.reference.baselines.arithmetic import Arithmetic
from suite.reference.baselines.matrices import flat, from_flat, product, transposed
from suite.reference.formats import STORED

EXACT = Arithmetic(STORED["float64"])


def run(params, gradients, shape, **changes):
    """The tensor after the steps, and the state."""
    hyperparameters = {**ldadam.DEFAULTS, "lr": 0.5, **changes}
    theta = list(map(mpf, params))
    state = ldadam.begin(theta, shape, hyperparameters)
    for t, gradient in enumerate(gradients, start=1):
        theta = ldadam.step(theta, list(map(mpf, gradient)), state, t, mpf(0.5), hyperparameters, shape, EXACT)
    return theta, state


def data(seed, shape, steps=4):
    params, gradients = trajectory(seed, steps, (shape,))
    return params[0].data, [step[0].data for step in gradients]


def test_two_steps_by_hand():
    """The first direction is projected on; the second is the error, and the gradient of the second step."""
    theta, state = run([8.0] * 4, [[3.0, 0.0, 0.0, 1.0]], (2, 2), rank=1, eps=1e-30, beta1=0.5, beta2=0.75)
    assert list(map(float, theta)) == [7.5, 8, 8, 8]
    assert flat(state["e"]) == [0, 0, 0, 1]
    theta, state = run(
        [8.0] * 4, [[3.0, 0.0, 0.0, 1.0], [0.0] * 4], (2, 2), rank=1, eps=1e-30, beta1=0.5, beta2=0.75, rho=0.75
    )
    # B = diag(3 rho, 1 - rho), so P stays. M = 1/2 * 3/2 with correction 3/4, V = 3/4 * 9/4 with correction 7/16.
    step = (0.75 / 0.75) / math.sqrt(27 / 16 / (7 / 16))
    assert list(map(float, theta)) == pytest.approx([7.5 - 0.5 * step, 8, 8, 8], rel=1e-15)
    assert list(map(float, flat(state["e"]))) == [0, 0, 0, 1]


def test_the_subspace_turns_to_where_the_gradient_is():
    """Without momentum in it, power iterations find the gradient's first direction from a start that is not it."""
    gradients = [[2.0, 0.5, 0.5, 1.0]] + [[0.125, 0.0, 0.0, 8.0]] * 6
    _, state = run([1.0] * 4, gradients, (2, 2), rank=1, rho=0.0, beta1=0.0)
    assert abs(state["p"][1][0]) > 0.99


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4)])
def test_the_signs_of_the_subspace_do_not_matter(monkeypatch, shape):
    arguments = *data(1, shape), shape
    expected, state = run(*arguments, rank=2)
    generator = random.Random(0)
    signs = []

    def flipped(of):
        def disturbed(*given):
            found = of(*given)
            drawn = [generator.choice((-1, 1)) for _ in found[0]]
            signs.extend(drawn)
            return [[x * sign for x, sign in zip(row, drawn, strict=True)] for row in found]

        return disturbed

    monkeypatch.setattr(ldadam, "basis", flipped(ldadam.basis))
    monkeypatch.setattr(ldadam, "orthonormal", flipped(ldadam.orthonormal))
    theta, other = run(*arguments, rank=2)
    assert theta == expected
    assert other["e"] == state["e"]
    assert len(set(signs)) == 2
    assert other["p"] != state["p"]


def test_a_transposed_matrix_has_the_transposed_step():
    params, gradients = data(2, (3, 5))
    theta, _ = run(params, gradients, (3, 5), rank=2)

    def turned(x):
        return flat(transposed(from_flat(x, (3, 5))))

    other, _ = run(turned(params), [turned(g) for g in gradients], (5, 3), rank=2)
    assert turned(theta) == other


def test_a_square_matrix_is_projected_from_the_left():
    """The first step moves every element of a row alike, by that row of P."""
    params, gradients = data(3, (3, 3))
    theta, state = run(params, gradients[:1], (3, 3), rank=1, eps=1e-30)
    for row, moved in enumerate(from_flat([x - mpf(old) for x, old in zip(theta, params, strict=True)], (3, 3))):
        assert [abs(x) for x in moved] == pytest.approx([abs(state["p"][row][0]) / 2] * 3, rel=1e-12)


@pytest.mark.parametrize("shape", [(3, 5), (5, 3)])
def test_with_the_full_rank_nothing_is_lost(shape):
    _, state = run(*data(4, shape), shape, rank=16)
    assert max(map(abs, flat(state["e"]))) < 1e-14
    assert len(state["m"]) == 3


def test_without_momentum_the_error_is_what_the_projection_leaves_of_the_sum():
    """Every gradient is either in a projection or still in the error."""
    params, gradients = data(5, (3, 5))
    for steps in (1, 2, 4):
        _, before = run(params, gradients[: steps - 1], (3, 5), rank=1, beta1=0.0)
        _, after = run(params, gradients[:steps], (3, 5), rank=1, beta1=0.0)
        total = [
            [g + e for g, e in zip(*rows, strict=True)]
            for rows in zip(from_flat(list(map(mpf, gradients[steps - 1])), (3, 5)), before["e"], strict=True)
        ]
        kept = product(after["p"], product(transposed(after["p"]), total, EXACT), EXACT)
        left = [x - y for x, y in zip(flat(total), flat(kept), strict=True)]
        assert max(abs(x - y) for x, y in zip(left, flat(after["e"]), strict=True)) < 1e-15
