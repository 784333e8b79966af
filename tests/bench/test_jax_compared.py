"""Every optimizer that is compared trains in JAX, and takes the parameters that its record says."""

import pytest

pytest.importorskip("jax")

from bench.frameworks.jax import LIBRARIES, MASKED, OPTIMIZERS, Training
from bench.names import COMPARED
from tests.bench import xla_training as tiny
from tests.bench.compared import MATRIX_RULES, assert_takes_what_it_should, assert_trains


@pytest.fixture(scope="module", autouse=True)
def compiled_quickly():
    with tiny.compiling():
        yield


def test_every_optimizer_that_is_compared_is_there():
    assert set(OPTIMIZERS) == set(COMPARED) >= {*LIBRARIES, *MASKED}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_trains(optimizer):
    assert_trains(Training, tiny.inputs(), optimizer)


@pytest.mark.parametrize("optimizer", MATRIX_RULES)
def test_hidden_matrices_are_its_own_and_the_rest_adamws(optimizer):
    assert_takes_what_it_should(Training, tiny.inputs(), optimizer)
