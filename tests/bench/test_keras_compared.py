"""Every optimizer that is compared trains in Keras on JAX, and takes the parameters that its record says."""

import pytest

pytest.importorskip("keras")

from bench.frameworks import keras as training  # chooses JAX where nothing else is chosen
from bench.frameworks.keras import LIBRARIES, MASKED, OPTIMIZERS, Training
from bench.names import COMPARED
from bench.tasks import Hyperparameters
from tests.bench import xla_training as tiny
from tests.bench.compared import MATRIX_RULES, assert_takes_what_it_should, assert_trains

if training.keras.backend.backend() != "jax":
    pytest.skip("another backend was chosen", allow_module_level=True)


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
    # Keras' own AdamW adds epsilon to another root than ours, which gradients near 1e-8 feel: without it both are one.
    given = tiny.inputs(hyperparameters=Hyperparameters(epsilon=1e-20))
    assert_takes_what_it_should(Training, given, optimizer)
