"""Conda's oracle against cases computed by hand, and against properties of the rule."""

import pytest
from mpmath import mpf, sqrt

from suite.reference.baselines import conda, subspaces
from suite.reference.baselines.arithmetic import Arithmetic, IllConditionedError
from suite.reference.formats import STORED

#: With the singular values 2 and 1, and the singular vectors (1, 1) and (1, -1) over the root of 2.
SYMMETRIC = [1.5, 0.5, 0.5, 1.5]
WIDE = [[1.0, -0.25, 0.5, 0.75, 0.5, -1.0], [0.5, 0.75, -1.0, 0.25, -0.5, 1.0], [-0.75, 1.0, 0.5, 0.5, 0.25, 1.0]]


def run(gradients, shape, lr=0.5, theta=None, bases=None, **changes):
    """A tensor after some steps; ``bases`` is given the basis after each."""
    given = {**conda.DEFAULTS, "beta1": 0.5, "beta2": 0.75, "eps": 0.0, **changes}
    tensor = [mpf(x) for x in theta or [0.0] * len(gradients[0])]
    state = conda.begin(tensor, shape, given)
    for t, gradient in enumerate(gradients, 1):
        numbers = list(map(mpf, gradient))
        tensor = conda.step(tensor, numbers, state, t, mpf(lr), given, shape, Arithmetic(STORED["float64"]))
        if bases is not None:
            bases.append(state["p"])
    return tensor


def close(tensor, wanted):
    return max(abs(x - y) for x, y in zip(tensor, wanted, strict=True)) < 1e-14


def transposed(gradient):
    return [gradient[row * 3 + column] for column in range(3) for row in range(2)]


def test_a_first_step_by_hand():
    """Projected, the gradient is (2, 1; 2, -1) over the root of 2, of which signs are left. Adam's would be all 1."""
    assert close(run([SYMMETRIC], (2, 2)), [-sqrt(mpf(2)) / 2, 0, 0, -sqrt(mpf(2)) / 2])


def test_a_second_step_by_hand():
    """In the first basis, m is half of the first gradient's signs times singular values and v a quarter and 3/16 of
    their squares, where the second gradient has none."""
    start, end = (run(gradients, (2, 2)) for gradients in ([SYMMETRIC], [SYMMETRIC, [0.0] * 4]))
    size = mpf(0.5) * sqrt(1 - mpf(0.75) ** 2) / (1 - mpf(0.25)) * mpf(0.25) / sqrt(mpf(3) / 16)
    assert close([y - x for x, y in zip(start, end, strict=True)], [-size * sqrt(mpf(2)), 0, 0, -size * sqrt(mpf(2))])


def test_eps_is_added_to_the_uncorrected_root():
    """For a matrix of one element the basis is a sign: 0.5 · 4 / (0.5 · 4 + 2), times the root of 1/4 over 1/2."""
    assert close(run([[4.0]], (1, 1), eps=2.0), [-0.25])


def test_decay_follows_the_update_and_does_not_scale():
    moved = run([[4.0]], (1, 1), theta=[8.0], weight_decay=0.25, scale=3.0)
    assert close(moved, [(1 - mpf(0.125)) * (8 - mpf(1.5))])


@pytest.mark.parametrize(("gap", "new"), [(1, [1, 2, 3, 4, 5]), (2, [1, 3, 5]), (3, [1, 4]), (9, [1])])
def test_bases_are_new_at_the_first_step_and_every_gap_after_it(gap, new):
    bases = []
    run([WIDE[step % 3] for step in range(5)], (2, 3), bases=bases, update_proj_gap=gap)
    assert [step for step in range(1, 6) if step == 1 or bases[step - 1] is not bases[step - 2]] == new


def test_the_transpose_of_a_matrix_moves_as_its_transpose():
    wide = run(WIDE, (2, 3), update_proj_gap=2)
    tall = run([transposed(gradient) for gradient in WIDE], (3, 2), update_proj_gap=2)
    assert close(transposed(wide), tall)


def test_the_scale_of_gradients_does_not_matter():
    assert close(run(WIDE, (2, 3)), run([[1024 * g for g in gradient] for gradient in WIDE], (2, 3)))


def test_signs_of_singular_vectors_do_not_matter(monkeypatch):
    expected = run(WIDE, (2, 3), update_proj_gap=1)
    svd = subspaces.svd

    def turned(matrix, arithmetic):
        u, s, vt = svd(matrix, arithmetic)
        return [[row[0], -row[1]] for row in u], s, vt

    monkeypatch.setattr(subspaces, "svd", turned)
    assert close(run(WIDE, (2, 3), update_proj_gap=1), expected)


def test_equal_singular_values_are_refused():
    with pytest.raises(IllConditionedError):
        run([[1.0, 0.0, 0.0, 1.0]], (2, 2))
