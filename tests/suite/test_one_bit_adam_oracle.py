"""1-bit Adam's oracle against cases computed by hand, and against properties of the rule."""

import random

import pytest
from mpmath import mpf, sqrt

from suite.reference.baselines import one_bit_adam
from suite.reference.baselines.arithmetic import Arithmetic, IllConditionedError
from suite.reference.formats import STORED


def run(steps, theta=None, lr=1, **changes):
    """A tensor after each step, and the state at the end; a step is the gradients of all workers.

    Unless changed, m is the gradient, and after a first step with gradients of 1 the root of v is 1.
    """
    given = {**one_bit_adam.DEFAULTS, "beta1": 0.0, "beta2": 0.0, "eps": 0.0, "freeze_step": 1, **changes}
    tensor = [mpf(x) for x in theta or [0.0] * len(steps[0][0])]
    shape = (len(tensor),)
    state = one_bit_adam.begin(tensor, shape, given)
    tensors = []
    for t, gradients in enumerate(steps, 1):
        first, *others = [list(map(mpf, gradient)) for gradient in gradients]
        inputs = {f"gradients{worker}": gradient for worker, gradient in enumerate(others, 2)}
        arithmetic = Arithmetic(STORED["float64"])
        tensor = one_bit_adam.step(tensor, first, state, t, mpf(lr), given, shape, arithmetic, **inputs)
        tensors.append(tensor)
    return tensors, state


def close(tensor, wanted):
    return max(abs(x - y) for x, y in zip(tensor, wanted, strict=True)) < 1e-14


def moved(tensors):
    return [x - y for x, y in zip(tensors[-1], tensors[-2], strict=True)]


def drawn(workers, steps, elements=11):
    generator = random.Random(3)
    return [[[generator.uniform(-1, 1) for _ in range(elements)] for _ in range(workers)] for _ in range(steps)]


def test_one_worker_by_hand():
    """The sign of 0 is +; what is left of (3, 4, 0) turns the sign of the third."""
    ones, gradient, nothing = [[1, 1, 1]], [[3, 4, 0]], [[0, 0, 0]]
    s = 5 / sqrt(mpf(3))
    assert close(moved(run([ones, gradient])[0]), [-s, -s, -s])
    s = sqrt((50 - 14 * s) / 3)  # of (3 - s, 4 - s, -s)
    assert close(moved(run([ones, gradient, nothing])[0]), [-s, -s, s])


def test_two_workers_by_hand():
    """Chunks of two elements and of one; the second worker has nothing to lose, nor has a server."""
    ones, gradients = [[2, 2, 2], [0, 0, 0]], [[3, 4, 0], [-1, -1, 1]]
    s = 5 / sqrt(mpf(3))
    assert close(moved(run([ones, gradients])[0]), [-(s - 1) / 2, -(s - 1) / 2, -(s + 1) / 2])
    s = sqrt((50 - 14 * s) / 3)
    again = moved(run([ones, gradients, [[0, 0, 0], [-1, -1, 1]]])[0])
    assert close(again, [-(s - 1) / 2, -(s - 1) / 2, (s - 1) / 2])


def test_a_server_keeps_its_own_error_by_hand():
    """The averages of the first chunk are 2 and -1, those of the second 2 and 2."""
    ones, gradients = [[1, 1, 1, 1]] * 2, [[1, 1, 1, 1], [3, -3, 3, 3]]
    s = sqrt(mpf(5) / 2)
    assert close(moved(run([ones, gradients])[0]), [-s, s, -2, -2])
    s = sqrt(((4 - s) ** 2 + (s - 2) ** 2) / 2)
    assert close(moved(run([ones, gradients, gradients])[0]), [-s, s, -2, -2])


def test_a_warm_up_is_adam_on_the_average():
    gradients = [[0.5, -3.0], [1.5, 1.0]]
    (plain,), _ = run([gradients], beta1=0.5, beta2=0.75, freeze_step=9)
    assert close(plain, [-1, 1])  # half of 1 over the root of a quarter of 1, and of -1
    (corrected,), _ = run([gradients], beta1=0.75, beta2=0.75, freeze_step=9, bias_correction=True)
    assert close(corrected, [-1, 1])


def test_the_second_moment_and_its_correction_stay_as_they_were():
    setting = {"beta1": 0.5, "beta2": 0.5, "freeze_step": 1, "bias_correction": True}
    tensors, state = run([[[1.0]], [[100.0]], [[100.0]]], **setting)
    assert close(state["v"], [0.5])
    assert close(moved(tensors), [-(0.125 + 25 + 50) / mpf(0.875)])


def test_a_coordinate_without_second_moment_stays_but_for_decay():
    steps = [[[1, 0]], [[1, 1]], [[1, -1]]]
    tensors, _ = run(steps, theta=[2, 2], weight_decay=0.5, eps=1e-8)
    assert close([tensor[1] for tensor in tensors], [1, 0.5, 0.25])


def test_workers_with_the_same_gradients_are_one():
    alone = drawn(1, 5)
    (expected, _), (actual, _) = run(alone, beta1=0.5), run([step * 4 for step in alone], beta1=0.5)
    for x, y in zip(actual, expected, strict=True):
        assert close(x, y)


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 13])
def test_nothing_is_lost(workers):
    """What is sent and the errors after it are the average of the momenta and the errors before it."""
    steps = drawn(workers, 6)

    def left(state):
        own = [sum(errors) / workers for errors in zip(*state["worker_errors"].values(), strict=True)]
        return [x + y for x, y in zip(own or [mpf(0)] * 11, state["server_errors"], strict=True)]

    for last in range(1, 6):
        before, after = (run(steps[:number], beta1=0.5)[1] for number in (last, last + 1))
        average = [sum(map(mpf, gradients)) / workers for gradients in zip(*steps[last], strict=True)]
        came = [m / 2 + g / 2 + e for m, g, e in zip(before["m"], average, left(before), strict=True)]
        assert close([x + y for x, y in zip(after["m"], left(after), strict=True)], came)


def test_one_worker_leaves_its_server_nothing():
    assert max(map(abs, run(drawn(1, 6), beta1=0.5)[1]["server_errors"])) < 1e-30


def test_a_sign_that_rounding_may_turn_is_refused():
    with pytest.raises(IllConditionedError):
        run([[[1, 1]], [[1, 1]], [[-0.75, -0.7501]]], beta1=0.5)
