"""8-bit Adam's oracle against its code written out, a case computed by hand, and properties of quantisation."""

import pytest
from mpmath import mpf, sqrt

from suite.reference.baselines import adam_8bit
from suite.reference.baselines.arithmetic import Arithmetic, IllConditionedError
from suite.reference.formats import STORED

EXACT = Arithmetic(STORED["float64"])


def close(a, b):
    return abs(a - b) < 1e-15 * abs(b)


@pytest.mark.parametrize(
    ("signed", "smallest", "largest_below_1", "zero"),
    [(True, 5.5e-7, 1 - 0.45 / 64, 127), (False, 3.25e-7, 1 - 0.45 / 128, 0)],
    ids=["signed", "unsigned"],
)
def test_the_code_has_256_values_of_which_the_decades_have_twice_as_many_each(signed, smallest, largest_below_1, zero):
    values = adam_8bit.code_book(signed)
    assert len(values) == len(set(values)) == 256
    assert values[zero] == 0
    assert values[-1] == 1
    assert close(values[zero + 1], smallest)
    assert close(values[-2], largest_below_1)
    decades = [sum(10.0 ** (e - 7) < x < 10.0 ** (e - 6) for x in values) for e in range(7)]
    assert decades == [2**e * (1 if signed else 2) for e in range(7)]


def test_negative_values_mirror_positive_ones_but_for_1():
    values = adam_8bit.code_book(True)
    assert [-x for x in values[126::-1]] == values[128:255]


@pytest.mark.parametrize(("signed", "bound"), [(True, 0.45 / 6.4), (False, 0.45 / 12.8)], ids=["signed", "unsigned"])
def test_numbers_of_the_largest_decade_come_back_within_half_a_step(signed, bound):
    """Half a step is 0.45 / 64 of the largest number, so relative to one tenth of it ten times as much."""
    numbers = [mpf(x) / 977 for x in range(100, 978, 7)] + [mpf(1)]
    returned = adam_8bit.quantised(numbers, signed, len(numbers), EXACT)
    assert max(abs(x - y) / x for x, y in zip(numbers, returned, strict=True)) <= bound


def test_each_block_has_a_scale_of_its_own_and_the_last_may_be_short():
    numbers = [mpf(x) for x in (4, 1, 1e-5, 4e-5, 7)]
    blocks = numbers[:2], numbers[2:4], numbers[4:]
    apart = [x for block in blocks for x in adam_8bit.quantised(block, True, 2, EXACT)]
    assert adam_8bit.quantised(numbers, True, 2, EXACT) == apart
    assert adam_8bit.quantised(numbers, True, 5, EXACT) != apart


def test_zeros_and_the_largest_come_back_exactly():
    assert adam_8bit.quantised([mpf(0)] * 3, True, 2, EXACT) == [0, 0, 0]
    assert adam_8bit.quantised([mpf(3), mpf(0)], True, 2, EXACT) == [3, 0]


def test_a_number_in_the_middle_between_two_codes_is_refused():
    values = adam_8bit.code_book(False)
    with pytest.raises(IllConditionedError):
        adam_8bit.quantised([mpf(1), (values[200] + values[201]) / 2], False, 2, EXACT)


def run(gradients, **changes):
    given = {**adam_8bit.DEFAULTS, "beta1": 0.5, "beta2": 0.5, "eps": 0.0, "weight_decay": 0.0, **changes}
    tensor = [mpf(0)] * len(gradients[0])
    state = adam_8bit.begin(tensor, (len(tensor),), given)
    for t, gradient in enumerate(gradients, 1):
        tensor = adam_8bit.step(tensor, list(map(mpf, gradient)), state, t, mpf(1), given, (len(tensor),), EXACT)
    return tensor


def test_two_steps_by_hand():
    """Alone in its block a positive moment is kept exactly; a negative one comes back as 0.99296875 of itself.

    The first step uses no state, so it is -sign(g). Then m = M/2 + g/2 with M = ±1 and v = V/2 + g²/2 with V = 2.
    """
    up, down = (run([[sign * 2.0], [sign * 1.0]], min_8bit_size=0)[0] for sign in (1, -1))
    root = sqrt(mpf(1.5) / mpf(0.75))
    assert close(up, -1 - mpf(1) / mpf(0.75) / root)
    assert close(down, 1 + (mpf(0.99296875) / 2 + mpf(0.5)) / mpf(0.75) / root)


def test_a_tensor_that_is_too_small_is_not_quantised():
    gradients = [[1.0, 0.3], [0.2, -0.7], [0.4, 0.1]]
    assert run(gradients, min_8bit_size=3) == run(gradients, min_8bit_size=4096)
    assert run(gradients, min_8bit_size=2) != run(gradients, min_8bit_size=3)
