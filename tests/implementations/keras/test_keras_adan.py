"""What is special about Adan: its form of weight decay, and AlphaAdam's mask around it."""

import keras
import numpy as np

from alphaadam.keras import AlphaMask
from alphaadam.keras.baselines import Adan
from tests.implementations.keras.training import JIT, apply, assert_identical, fit, make_model, state, tensors, values


def make_variables():
    start = [np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3), np.ones(4, "float32")]
    return [keras.Variable(x, name=name) for x, name in zip(start, "ab", strict=True)]


def test_the_proximal_decay_touches_what_is_not_excluded():
    plain, decayed = make_variables(), make_variables()
    apply(Adan(0.125), plain, 0)
    optimizer = Adan(0.125, weight_decay=2.0)
    optimizer.exclude_from_weight_decay(var_names=["b"])
    apply(optimizer, decayed, 0)
    (a, b), moved = values(plain), values(decayed)
    np.testing.assert_allclose(moved[0], a / 1.25, rtol=0, atol=1e-6)
    np.testing.assert_allclose(moved[1], b, rtol=0, atol=1e-6)


def test_the_mask_around_it_goes_by_its_average_of_gradients():
    variable = keras.Variable(np.zeros(3, "float32"))
    optimizer = AlphaMask(Adan(0.125, 0.75, 0.5, 0.5), record_diagnostics=True)
    for gradient, mask in (([1.0, 1.0, 0.0], [True] * 3), ([-0.5, 0.5, 1.0], [False, True, True])):
        optimizer.apply(tensors([np.array(gradient, "float32")]), [variable])
        assert values([optimizer.diagnostics(variable).mask])[0].tolist() == mask
    assert values([optimizer.diagnostics(variable).alpha])[0] > 1


def test_without_a_mask_it_is_adan():
    ours, theirs = make_variables(), make_variables()
    masked, bare = AlphaMask(Adan(0.01), masking="none", alpha=1.0), Adan(0.01)
    for seed in range(3):
        apply(masked, ours, seed)
        apply(bare, theirs, seed)
    assert_identical(values(ours), values(theirs))


def test_a_saved_model_with_both_resumes_bit_for_bit(tmp_path):
    model = make_model()
    model.compile(AlphaMask(Adan(0.01, weight_decay=0.02, no_prox=True)), "mse", jit_compile=JIT)
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer.inner, Adan)
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert_identical(state(loaded), state(model))
    fit(model)
    fit(loaded)
    assert_identical(state(loaded), state(model))
