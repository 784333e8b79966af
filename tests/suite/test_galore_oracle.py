"""GaLore's oracle against cases computed by hand, and against properties of the rule."""

import pytest
from mpmath import mpf, sqrt

from suite.reference.baselines import galore, subspaces
from suite.reference.baselines.arithmetic import Arithmetic, IllConditionedError
from suite.reference.formats import STORED

#: With the singular values 2 and 1, and the singular vectors (1, 1) and (1, -1) over the root of 2.
SYMMETRIC = [1.5, 0.5, 0.5, 1.5]
WIDE = [[1.0, -0.25, 0.5, 0.75, 0.5, -1.0], [0.5, 0.75, -1.0, 0.25, -0.5, 1.0], [-0.75, 1.0, 0.5, 0.5, 0.25, 1.0]]


def run(gradients, shape, lr=0.5, theta=None, **changes):
    """A tensor after some steps."""
    given = {**galore.DEFAULTS, "beta1": 0.5, "beta2": 0.75, "eps": 0.0, "scale": 1.0, "rank": 1, **changes}
    tensor = [mpf(x) for x in theta or [0.0] * len(gradients[0])]
    state = galore.begin(tensor, shape, given)
    for t, gradient in enumerate(gradients, 1):
        numbers = list(map(mpf, gradient))
        tensor = galore.step(tensor, numbers, state, t, mpf(lr), given, shape, Arithmetic(STORED["float64"]))
    return tensor


def close(tensor, wanted):
    return max(abs(x - y) for x, y in zip(tensor, wanted, strict=True)) < 1e-14


def transposed(gradient):
    return [gradient[row * 3 + column] for column in range(3) for row in range(2)]


def test_a_first_step_by_hand():
    """Projected on (1, 1), the gradient has two equal elements: the lifted signs are all 1 over the root of 2."""
    assert close(run([SYMMETRIC], (2, 2)), [-1 / sqrt(mpf(8))] * 4)


def test_a_step_in_a_direction_outside_the_basis_moves_by_momentum_alone():
    """The second gradient, 4 along (1, -1), is not seen: m is a quarter and v 3/16 of what they would see."""
    start, end = (run(gradients, (2, 2)) for gradients in ([SYMMETRIC], [SYMMETRIC, [2.0, -2.0, -2.0, 2.0]]))
    size = mpf(0.5) * sqrt(1 - mpf(0.75) ** 2) / (1 - mpf(0.25)) * mpf(0.25) / sqrt(mpf(3) / 16)
    assert close([y - x for x, y in zip(start, end, strict=True)], [-size / sqrt(mpf(2))] * 4)


def test_a_gradient_that_turns_round_turns_the_momentum_in_a_new_basis_too():
    """m is 1/4 - 1/2 of the first projection, v 7/16 of its square. Along a vector turned round m would be 3/4."""
    start, end = (
        run(gradients, (2, 2), update_proj_gap=1) for gradients in ([SYMMETRIC], [SYMMETRIC, [-g for g in SYMMETRIC]])
    )
    size = mpf(0.5) * sqrt(1 - mpf(0.75) ** 2) / (1 - mpf(0.25)) * mpf(0.25) / sqrt(mpf(7) / 16)
    assert close([y - x for x, y in zip(start, end, strict=True)], [size / sqrt(mpf(2))] * 4)


def test_eps_decay_and_scale():
    """Of one element: 0.5 · 4 / (0.5 · 4 + 2), times the root of 1/4 over 1/2 and the scale; then decay."""
    assert close(run([[4.0]], (1, 1), eps=2.0), [-0.25])
    assert close(run([[4.0]], (1, 1), theta=[8.0], weight_decay=0.25, scale=3.0), [(1 - mpf(0.125)) * (8 - mpf(1.5))])


@pytest.mark.parametrize("rank", [1, 2])
def test_the_transpose_of_a_matrix_moves_as_its_transpose(rank):
    wide = run(WIDE, (2, 3), update_proj_gap=2, rank=rank)
    tall = run([transposed(gradient) for gradient in WIDE], (3, 2), update_proj_gap=2, rank=rank)
    assert close(transposed(wide), tall)


def test_a_rank_beyond_the_smaller_side_is_that_side():
    assert close(run(WIDE, (2, 3), rank=100), run(WIDE, (2, 3), rank=2))


@pytest.mark.parametrize("turned_call", [0, 1, 2])
def test_signs_that_a_decomposition_returns_do_not_matter(monkeypatch, turned_call):
    expected = run(WIDE, (2, 3), update_proj_gap=1, rank=2)
    svd, calls = subspaces.svd, []

    def turned(matrix, arithmetic):
        u, s, vt = svd(matrix, arithmetic)
        calls.append(1)
        return ([[row[0], -row[1]] for row in u] if len(calls) == turned_call + 1 else u), s, vt

    monkeypatch.setattr(subspaces, "svd", turned)
    assert close(run(WIDE, (2, 3), update_proj_gap=1, rank=2), expected)
    assert len(calls) == 3


def test_a_new_vector_at_a_right_angle_to_the_old_one_is_refused():
    with pytest.raises(IllConditionedError):
        run([SYMMETRIC, [2.0, -2.0, -2.0, 2.0]], (2, 2), update_proj_gap=1)
