"""The rules that project on singular vectors: when these are computed, and what is kept."""

import keras
import numpy as np
import pytest
from keras import ops

from alphaadam.keras.baselines import Conda, GaLore
from tests.implementations.keras.training import apply, fit, make_model, only_on, values

both = pytest.mark.parametrize("optimizer_class", [Conda, GaLore])


def make_variables():
    return [keras.Variable(np.random.default_rng(0).normal(size=shape)) for shape in ((3, 5), (5, 3))]


def bases(optimizer):
    return [ops.convert_to_numpy(x) for x in optimizer.variables if x.path.endswith("_basis")]


@both
def test_bases_are_new_in_the_steps_that_refresh_alone(optimizer_class):
    variables, optimizer = make_variables(), optimizer_class(update_proj_gap=2)
    optimizer.build(variables)
    new = []
    for step in range(1, 4):
        before = bases(optimizer)
        apply(optimizer, variables, step)
        changed = [not np.array_equal(x, y) for x, y in zip(before, bases(optimizer), strict=True)]
        assert len(set(changed)) == 1
        new += [step] * changed[0]
    assert new == [1, 3]
    for basis in bases(optimizer):
        np.testing.assert_allclose(basis.T @ basis, np.eye(3), rtol=0, atol=1e-6)


def test_state_is_as_small_as_the_rank():
    optimizer = GaLore(rank=2)
    optimizer.build(make_variables())
    assert sum(np.prod(x.shape) for x in optimizer.variables if len(x.shape)) == 2 * 2 * (3 + 2 * 5)


@both
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_shows(optimizer_class, bad):
    variables, optimizer = make_variables(), optimizer_class()
    gradient = np.ones((3, 5), "float32")
    gradient[1, 2] = bad
    optimizer.apply([ops.convert_to_tensor(gradient)], variables[:1])
    assert np.isnan(values(variables)[0][:, 2]).all()


@both
@only_on("tensorflow", reason="XLA has a decomposition of its own there")
def test_xla_has_the_singular_vectors_too(optimizer_class):
    """Those of a side of 8 are right to 1e-5."""
    weights = []
    for jit_compile in (False, True):
        model = make_model()
        optimizer = optimizer_class(learning_rate=0.01, update_proj_gap=2)
        model.compile(optimizer=optimizer, loss="mse", jit_compile=jit_compile)
        fit(model)
        weights.append(model.get_weights())
    for plain, compiled in zip(*weights, strict=True):
        np.testing.assert_allclose(compiled, plain, rtol=0, atol=1e-5)


@both
def test_a_first_gradient_of_zeros_fixes_no_basis(optimizer_class):
    variables, optimizer = make_variables(), optimizer_class(learning_rate=0.1, weight_decay=0.0)
    optimizer.apply([ops.zeros(variable.shape) for variable in variables], variables)
    assert not any(basis.any() for basis in bases(optimizer))
    before = values(variables)
    apply(optimizer, variables, 1)
    assert all((now != then).all() for now, then in zip(values(variables), before, strict=True))
