import math

import ml_dtypes
import numpy as np
import pytest

from suite.compare import Course, apart, difference


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", ml_dtypes.bfloat16])
def test_neighbours_are_one_ulp_apart(dtype):
    expected = np.array([1.0, -3.0, 0.001, 0.0], dtype)
    actual = expected.copy()
    actual[1] = np.nextafter(actual[1], np.array(0, dtype))
    found = difference(actual, expected)
    assert (found.ulp, found.index, found.expected) == (1.0, (1,), -3.0)


def test_the_distance_is_in_ulps_of_the_expected_value():
    one = np.array([1.0], "float32")
    assert difference(one + np.float32(2**-20), one).ulp == 8


def test_next_to_zero_an_ulp_is_the_smallest_subnormal():
    assert difference(np.array([1e-45], "float32"), np.zeros(1, "float32")).ulp == 1


def test_the_absolute_floor_forgives_what_is_within_it():
    expected = np.array([1e-12, 1.0])
    assert difference(expected + 1e-13, expected, absolute=2e-13).ulp == 0
    assert difference(expected + 3e-13, expected, absolute=2e-13).ulp > 1000


@pytest.mark.parametrize(("actual", "expected"), [(np.nan, np.nan), (np.inf, np.inf), (-np.inf, -np.inf), (0.0, -0.0)])
def test_equal_values_are_equal(actual, expected):
    assert difference(np.array([actual]), np.array([expected])).ulp == 0


@pytest.mark.parametrize(
    ("actual", "expected"), [(np.nan, 1.0), (1.0, np.nan), (np.inf, 1e308), (1e308, np.inf), (np.inf, -np.inf)]
)
def test_a_finite_and_a_non_finite_value_are_infinitely_far(actual, expected):
    assert difference(np.array([actual]), np.array([expected]), absolute=1e300).ulp == np.inf


def test_empty_arrays_are_equal():
    assert difference(np.empty((0, 3)), np.empty((0, 3))).ulp == 0


def test_complex_numbers_are_compared_part_by_part():
    expected = np.array([1 + 1j, 2 - 8j], "complex64")
    actual = expected.copy()
    actual[1] += np.complex64(2**-20 * 1j)
    found = difference(actual, expected)
    assert (found.ulp, found.index) == (1.0, (1, 1))


def test_two_of_which_neither_was_expected_are_apart_in_ulps_of_the_larger():
    small, large = np.array([1.0, -0.75], "float32"), np.array([1.0, -3.0], "float32")
    assert apart(small, large) == apart(large, small) == 2.25 * 2**22  # an ulp of 3 is 2**-22
    assert apart(small, np.array([1.0, 0.0], "float32")) == 0.75 * 2**24  # and not of 0


def test_two_are_apart_part_by_part_and_beyond_the_absolute_floor():
    one = np.array([1 + 8j, 1e-9 + 1j], "complex64")
    other = one + np.array([2**-20 * 1j, 1e-9], "complex64")
    assert apart(one, other, absolute=2e-9) == apart(other, one, absolute=2e-9) == 1
    assert apart(one, other) > 1000


@pytest.mark.parametrize(
    ("one", "other", "expected"), [(np.nan, np.nan, 0), (np.nan, 1.0, np.inf), (np.inf, 1.0, np.inf)]
)
def test_two_that_are_not_finite(one, other, expected):
    assert apart(np.array([one]), np.array([other])) == apart(np.array([other]), np.array([one])) == expected


def test_the_way_of_a_tensor_is_what_a_distance_is_measured_by():
    course = Course([np.array([1.0, 2.0]), np.array([5.0])])
    assert course.relative([np.array([1.0, 2.0]), np.array([5.0])], [np.array([1.0, 2.0]), np.array([5.0])]) is None
    # The first tensor goes 4 and is 1 off, the second goes 0.5 and is 0.05 off.
    assert course.relative([np.array([5.0, 3.0]), np.array([5.45])], [np.array([5.0, 2.0]), np.array([5.5])]) == 0.25
    # What was off stays off, though the step after it is right.
    assert course.relative([np.array([1.0, 2.0]), np.array([5.5])], [np.array([1.0, 2.0]), np.array([5.5])]) == 0.25


@pytest.mark.parametrize(
    ("seen", "expected", "relative"),
    [
        ([np.nan], [2.0], math.inf),
        ([np.nan], [np.nan], None),  # as it should be, and nothing was to move
        ([1.5], [1.0], math.inf),  # it moved, and should not have
        ([np.inf], [np.inf], None),
    ],
)
def test_what_no_way_measures(seen, expected, relative):
    assert Course([np.array([1.0])]).relative([np.array(seen)], [np.array(expected)]) == relative


def test_the_way_of_either_is_that_of_the_one_that_goes_further():
    start, still, moved = np.array([1.0]), np.array([1.0]), np.array([5.0])
    for pair in ((still, moved), (moved, still)):
        assert Course([start], either=True).relative([pair[0]], [pair[1]]) == 1
    assert Course([start], either=True).relative([np.array([3.0])], [moved]) == 0.5
    assert Course([start], either=True).relative([moved], [np.array([3.0])]) == 0.5
    assert Course([start], either=True).relative([still], [still]) is None


def test_a_complex_element_goes_two_ways():
    course = Course([np.array([1 + 1j], np.complex64)])
    assert course.relative([np.array([3 + 2j], np.complex64)], [np.array([3 + 1j], np.complex64)]) == 0.5
