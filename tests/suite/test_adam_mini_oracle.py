"""Adam-mini's oracle against partitions written out, a case computed by hand, and Adam."""

import pytest
from mpmath import mpf, sqrt

from suite.reference.baselines import adam_mini
from suite.reference.baselines.arithmetic import Arithmetic
from suite.reference.formats import STORED

EXACT = Arithmetic(STORED["float64"])


@pytest.mark.parametrize(
    ("shape", "blocks", "numbers"),
    [
        ((2, 3), None, [0, 0, 0, 0, 0, 0]),
        ((2, 3), [0, 1], [0, 0, 0, 1, 1, 1]),
        ((2, 3), [1, 1], [0, 1, 2, 0, 1, 2]),
        ((2, 4), [-1, 2], [0, 0, 1, 1, 0, 0, 1, 1]),
        ((4, 2), [0, 2], [0, 0, 0, 0, 1, 1, 1, 1]),
        ((2, 6), [1, [[4, 2], [2, 1]]], [0, 0, 1, 1, 2, 3] * 2),
        ((2, 1, 2), [2, 1], [0, 1, 0, 1]),
        ((3,), [0, 1], [0, 1, 2]),
        ((), [0, 1], [0]),
        ((0, 2), [0, 1], []),
    ],
)
def test_partitions_written_out(shape, blocks, numbers):
    assert adam_mini.blocks_of(shape, blocks) == numbers


@pytest.mark.parametrize("blocks", [[0, 2], [1, 3], [1, [[2, 1], [1, 1]]], [1, [[4, 3]]]])
def test_a_partition_that_does_not_fit_is_refused(blocks):
    with pytest.raises(ValueError, match="no partition"):
        adam_mini.blocks_of((3, 4), blocks)


def run(gradients, shape, blocks, **changes):
    given = {**adam_mini.DEFAULTS, "beta1": 0.5, "beta2": 0.5, "eps": 0.0, "blocks": blocks, **changes}
    tensor = [mpf(1)] * len(gradients[0])
    state = adam_mini.begin(tensor, shape, given)
    for t, gradient in enumerate(gradients, 1):
        tensor = adam_mini.step(tensor, list(map(mpf, gradient)), state, t, mpf(1), given, shape, EXACT)
    return tensor


def test_a_first_step_by_hand():
    """Moments and corrections cancel: the gradient over the root mean square of its row, 5 and 10."""
    moved = run([[1.0, 7.0, 14.0, -2.0]], (2, 2), [0, 1], weight_decay=0.25)
    wanted = [0.75 - 0.2, 0.75 - 1.4, 0.75 - 1.4, 0.75 + 0.2]
    assert all(abs(x - y) < 1e-15 for x, y in zip(moved, wanted, strict=True))


def test_a_second_step_by_hand():
    """m = (1/4, 7/4) + (1/2, 1/2) after the gradients (1, 7) and (1, 1), v = 25/4 + 1/2, both over 3/4."""
    start, end = (run(gradients, (1, 2), None) for gradients in ([[1.0, 7.0]], [[1.0, 7.0], [1.0, 1.0]]))
    root = sqrt(mpf(6.75) / mpf(0.75))
    wanted = [-mpf(0.75) / mpf(0.75) / root, -mpf(2.25) / mpf(0.75) / root]
    assert all(abs(y - x - w) < 1e-15 for x, y, w in zip(start, end, wanted, strict=True))


def test_of_tensors_each_has_its_own_partition():
    given = {**adam_mini.DEFAULTS, "blocks": [None, [0, 1]]}
    assert [adam_mini.of_tensor(given, index)["blocks"] for index in range(2)] == [None, [0, 1]]
    assert adam_mini.of_tensor(adam_mini.DEFAULTS, 1)["blocks"] is None


def test_blocks_in_the_transposed_matrix_are_those_of_the_other_axis():
    gradients = [[0.5, -1.0, 2.0, 0.25, 1.5, -0.75], [1.0, 0.5, -0.5, 2.0, 0.25, 1.0]]
    turned = [[g[0], g[3], g[1], g[4], g[2], g[5]] for g in gradients]
    a, b = run(gradients, (2, 3), [1, 1]), run(turned, (3, 2), [0, 1])
    assert [a[0], a[3], a[1], a[4], a[2], a[5]] == b
