import ml_dtypes
import numpy as np
import pytest

from suite.compare import difference


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
