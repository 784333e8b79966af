"""MicroAdam's oracle: steps by hand, and what it has in common with Adam."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmath import mpf

from suite.cases.baselines.shared import trajectory
from suite.reference.baselines import adamw, microadam
from suite.reference.baselines.arithmetic import Arithmetic, IllConditionedError
from suite.reference.formats import STORED

EXACT = Arithmetic(STORED["float64"])
BFLOAT16 = STORED["bfloat16"]


def run(params, gradients, **changes):
    """The tensor after the steps, and the state."""
    hyperparameters = {**microadam.DEFAULTS, "lr": 0.5, **changes}
    theta = list(map(mpf, params))
    state = microadam.begin(theta, (len(theta),), hyperparameters)
    for t, gradient in enumerate(gradients, start=1):
        arguments = list(map(mpf, gradient)), state, t, mpf(hyperparameters["lr"]), hyperparameters
        theta = microadam.step(theta, *arguments, (len(theta),), EXACT)
    return theta, state


def test_two_steps_by_hand():
    gradients = [[-8.0, 1.0, 3.0, -1.1], [0.5, 0.0, 6.0, 0.0]]
    given = {"density": 0.25, "eps": 1e-30, "beta1": 0.5, "beta2": 0.75}
    theta, state = run([8.0] * 4, gradients[:1], **given)
    assert list(map(float, theta)) == [8.5, 8, 8, 8]
    assert [list(map(float, row)) for row in state["kept"]] == [[-8, 0, 0, 0]]
    # What is left, (0, 1, 3, -1.1), lies from -1.1 to 3 in steps of 4.1 / 15: codes 4, 8, 15, 0.
    assert list(map(float, state["error"])) == pytest.approx([-1.1 + 4 * 4.1 / 15, -1.1 + 8 * 4.1 / 15, 3, -1.1])
    theta, state = run([8.0] * 4, gradients, **given)
    assert [list(map(float, row)) for row in state["kept"]] == [[0, 0, 9, 0], [-8, 0, 0, 0]]
    # First: m = 1/2 * 1/2 * -8 / (3/4), v = 1/4 * 3/4 * 64 / (7/16). Third: m = 1/2 * 9 / (3/4), v = 1/4 * 81 / (7/16).
    first, third = (-8 / 3) / (192 / 7) ** 0.5, 6 / (324 / 7) ** 0.5
    assert list(map(float, theta)) == pytest.approx([8.5 - first / 2, 8, 8 - third / 2, 8])


def test_the_window_forgets():
    """An element that was large once moves for as many steps as the window has, and then rests."""
    gradients = [[8.0, 0.0]] + [[0.0, 1.0]] * 4
    given = {"density": 0.5, "window": 3}
    after = [float(run([1.0, 1.0], gradients[:steps], **given)[0][0]) for steps in range(1, 6)]
    assert after[0] > after[1] > after[2] == after[3] == after[4]


@pytest.mark.parametrize(
    ("size", "block_size", "density", "expected"),
    [
        (10, 4, 0.5, [(4, 2), (4, 2), (2, 2)]),
        (9, 4, 0.5, [(3, 2), (3, 2), (3, 2)]),
        (1, 4096, 0.01, [(1, 1)]),
        (4096, 4096, 0.01, [(4096, 41)]),
        (4097, 4096, 0.01, [(2049, 21), (2048, 21)]),
        (5, 1, 1.0, [(1, 1)] * 5),
    ],
)
def test_blocks_are_as_equal_as_can_be(size, block_size, density, expected):
    hyperparameters = {"block_size": block_size, "density": density}
    blocks = list(microadam._blocks([mpf(i) for i in range(size)], hyperparameters))
    assert [(len(block), count) for block, count in blocks] == expected
    assert [x for block, _ in blocks for x in block] == list(range(size))


def test_with_all_elements_it_is_adam_on_bfloat16_gradients():
    params, gradients = trajectory(1, 6, ((5,),))
    data = [step[0].data for step in gradients]
    theta, state = run(params[0].data, data, density=1.0)
    assert state["error"] == [0] * 5
    hyperparameters = {"weight_decay": 0.0, **adamw.DEFAULTS}
    expected = list(map(mpf, params[0].data))
    moments = adamw.begin(expected)
    for t, gradient in enumerate(data, start=1):
        rounded = [BFLOAT16.round(mpf(x)) for x in gradient]
        expected = adamw.step(expected, rounded, moments, t, mpf(0.5), hyperparameters, EXACT)
    assert max(abs(x - y) for x, y in zip(theta, expected, strict=True)) < 1e-12


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=2, max_size=20))
def test_what_is_not_kept_is_in_the_error_to_half_a_step(gradient):
    try:
        _, state = run([1.0] * len(gradient), [gradient], density=0.25, block_size=8)
    except IllConditionedError:
        return
    kept, error = state["kept"][0], state["error"]
    half = (max(0, *gradient) - min(0, *gradient)) / 15 / 2 + 1e-12
    for x, k, e in zip(gradient, kept, error, strict=True):
        assert abs((0 if k else x) - e) <= half
        assert k == 0 or k == BFLOAT16.round(mpf(x))
