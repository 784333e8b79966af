"""ROOT's oracle against cases computed by hand, and against properties of the rule."""

import pytest
from mpmath import mpf, sqrt

from suite.reference.baselines import root
from suite.reference.baselines.arithmetic import Arithmetic
from suite.reference.formats import STORED

EXACT = Arithmetic(STORED["float64"])
#: Iterations with these leave a matrix as it is, so that a step shows what it began from.
IDENTITY = [1.0, 0.0, 0.0]


def run(gradients, theta, shape, lr=1.0, **changes):
    """A tensor after some steps, without decay unless it is asked for."""
    given = {**root.DEFAULTS, "weight_decay": 0.0, **changes}
    tensor = list(map(mpf, theta))
    state = root.begin(tensor, shape, given)
    for t, gradient in enumerate(gradients, 1):
        tensor = root.step(tensor, list(map(mpf, gradient)), state, t, mpf(lr), given, shape, EXACT)
    return tensor


def close(tensor, wanted, distance=1e-12):
    return max(abs(x - y) for x, y in zip(tensor, wanted, strict=True)) < distance


def test_a_first_step_by_hand():
    """The sizes 1, 1, 2, 4 have their 0.9-quantile at place 2.7, 3.4; of (1, 1, 2, 3.4) the squares' sum is 17.56."""
    moved = run([[1, -1, 2, 4]], [0] * 4, (1, 4), momentum=0.0, coefficients=IDENTITY)
    assert close(moved, [-mpf(0.4) * x / sqrt(mpf(17.56)) for x in (1, -1, 2, 3.4)], 1e-7)


@pytest.mark.parametrize(("nesterov", "wanted"), [(True, (3, 1)), (False, (3, 2))])
def test_a_second_step_adds_to_the_momentum(nesterov, wanted):
    """The gradients (3, 4) and (1.5, 0) sum to (3, 2) at momentum 1/2; Nesterov's is (1.5, 0) and half of that."""
    kept = {"momentum": 0.5, "quantile": 1.0, "coefficients": IDENTITY, "nesterov": nesterov}
    start, end = (run(gradients, [0, 0], (1, 2), **kept) for gradients in ([(3, 4)], [(3, 4), (1.5, 0)]))
    size = sqrt(sum(mpf(x) ** 2 for x in wanted))
    assert close(
        [y - x for x, y in zip(start, end, strict=True)], [-mpf(0.2) * sqrt(2) * x / size for x in wanted], 1e-7
    )


def test_five_iterations_by_hand():
    """The only singular value of a row is its norm, 1: an iteration makes it 3 - 4.5 + 2 = 1/2, and another one
    3/2 - 4.5/8 + 2/32 = 1 again."""
    moved = run([[3, 4]], [0, 0], (1, 2), quantile=1.0, coefficients=[3, -4.5, 2])
    assert close(moved, [-mpf(0.2) * sqrt(2) * x / 2 for x in (mpf(3) / 5, mpf(4) / 5)], 1e-6)


def test_a_tall_matrix_moves_as_its_transpose():
    wide = run([[1, 2, 3, 5, 8, 13]], [0] * 6, (2, 3))
    tall = run([[1, 5, 2, 8, 3, 13]], [0] * 6, (3, 2))
    assert close([tall[2 * column + row] for row in range(2) for column in range(3)], wide)


def test_how_large_an_outlier_is_does_not_matter_once_it_is_clipped():
    """The ten sizes' 0.8-quantile lies between the eighth and ninth of them."""
    small, large = (
        run([[1, 2, -3, 4, 5, 6, 7, -8, 9, outlier]], [0] * 10, (2, 5), quantile=0.8) for outlier in (10, 1e6)
    )
    assert close(small, large)


def test_singular_values_come_near_one():
    gradient = [[1.0, 0.5, -0.25, 2.0], [0.5, -1.0, 1.5, 0.25], [0.75, 1.25, -0.5, -1.0]]
    flat = [x for row in gradient for x in row]
    moved = run([flat], [0] * 12, (3, 4), lr=-1 / 0.4, coefficients=[1.875, -1.25, 0.375])
    rows = [moved[4 * i : 4 * i + 4] for i in range(3)]
    for i, one in enumerate(rows):
        for j, other in enumerate(rows):
            assert abs(sum(x * y for x, y in zip(one, other, strict=True)) - (i == j)) < 1e-6


def test_decay_has_no_part_in_the_scale():
    assert close(run([[0] * 4], [1, 2, 3, 4], (2, 2), lr=0.5, weight_decay=0.5), [0.75 * x for x in (1, 2, 3, 4)])


@pytest.mark.parametrize(
    ("coefficients", "shape", "wanted"),
    [
        ("published", (8192, 2048), (2.9794, -3.6674, 1.6207)),
        ("published", (128, 384), (3.4445, -4.7750, 2.0315)),
        ([1.0, 2.0, 3.0], (3, 5), [1.0, 2.0, 3.0]),
        ({"3x5": [1.0, 2.0, 3.0]}, (5, 3), [1.0, 2.0, 3.0]),
        ({"3x5": [1.0, 2.0, 3.0]}, (3, 3), (3.4445, -4.7750, 2.0315)),
    ],
)
def test_coefficients_by_shape(coefficients, shape, wanted):
    assert root.triple_of(coefficients, shape) == wanted
