"""AlphaMask around Keras' optimizers: the rule against NumPy, what it takes over, and what it refuses."""

import keras
import numpy as np
import pytest
from keras import ops

from alphaadam.keras import AlphaAdam, AlphaMask
from tests.implementations.keras.training import (
    JIT,
    apply,
    assert_identical,
    compiled,
    fit,
    gradients,
    make_model,
    state,
    tensors,
    values,
)

K = keras.optimizers
LR = 0.01

INNER = {
    "sgd": lambda **given: K.SGD(LR, momentum=0.9, **given),
    "nesterov": lambda **given: K.SGD(LR, momentum=0.9, nesterov=True, **given),
    "lion": lambda **given: K.Lion(LR, **given),
    "adam": lambda **given: K.Adam(LR, **given),
    "adamw": lambda **given: K.AdamW(LR, **given),
    "adamax": lambda **given: K.Adamax(LR, **given),
    "rmsprop": lambda **given: K.RMSprop(LR, momentum=0.9, **given),
}


def direction(kind, t, g, m, v):
    """The momentum and second moment after a step in float64, and minus what the inner optimizer adds, over LR."""
    if kind in ("sgd", "nesterov"):
        m = 0.9 * m + g
        return m, v, m if kind == "sgd" else g + 0.9 * m
    if kind == "lion":
        return 0.99 * m + 0.01 * g, v, np.sign(0.9 * m + 0.1 * g)
    if kind == "rmsprop":
        v = 0.9 * v + 0.1 * g * g
        m = 0.9 * m + g / np.sqrt(v + 1e-7)
        return m, v, m
    m = 0.9 * m + 0.1 * g
    if kind == "adamax":
        v = np.maximum(0.999 * v, abs(g))
        return m, v, m / (1 - 0.9**t) / (v + 1e-7)
    v = 0.999 * v + 0.001 * g * g
    return m, v, np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)


def strength(alpha, mask, u):
    if alpha == "norm":
        return min(np.linalg.norm(u) / np.linalg.norm(mask * u), 2.0)
    return min(u.size / mask.sum(), 1000.0) if alpha == "count" else alpha


@pytest.mark.parametrize(("masking", "alpha"), [("async", "norm"), ("sync", "count"), ("none", 1.0), ("async", 0.5)])
@pytest.mark.parametrize("kind", INNER)
def test_a_step_is_the_rule_around_the_inner_optimizer(kind, masking, alpha):
    """Masks exactly; the rest to the roundings of float32."""
    decay = 0.1
    theta = np.linspace(-0.5, 0.5, 24)
    m, v = np.zeros(24), np.zeros(24)
    variable = keras.Variable(theta.astype("float32"))
    optimizer = AlphaMask(INNER[kind](weight_decay=decay), masking=masking, alpha=alpha, record_diagnostics=True)
    dropped = 0
    for t in range(1, 5):
        g = gradients([theta], t)[0]
        old = m
        m, v, u = direction(kind, t, g.astype("float64"), m, v)
        mask = {"async": (old == 0) | (old * g > 0), "sync": m * g > 0, "none": np.ones(24, bool)}[masking]
        a = strength(alpha, mask, u)
        theta = (1 - LR * decay) * theta - LR * a * mask * u
        dropped += (~mask).sum()
        optimizer.apply(tensors([g]), [variable])
        seen = optimizer.diagnostics(variable)
        np.testing.assert_array_equal(values([seen.mask])[0], mask)
        # A move of 1e-2 is read from a variable of 0.5 to 3e-8; Adam's bias correction costs 1e-5 in float32.
        np.testing.assert_allclose(values([seen.alpha])[0], a, rtol=3e-5)
    assert dropped or masking == "none"
    np.testing.assert_allclose(values([variable])[0], theta, rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_without_mask_alpha_and_decay_it_is_the_inner_optimizer_bit_for_bit(kind):
    both = [keras.Variable(np.linspace(-1, 1, 6, dtype="float32")) for _ in range(2)]
    plain = type(INNER[kind]())  # on PyTorch update_step, as in AlphaMask, is not what `apply` takes
    inner, ours = plain.from_config(INNER[kind]().get_config()), AlphaMask(INNER[kind](), masking="none", alpha=1.0)
    inner.build([both[0]])
    for seed in range(3):
        (g,) = tensors(gradients([both[0]], seed))
        inner.update_step(g, both[0], inner.learning_rate)
        inner.iterations.assign_add(1)
        ours.apply([g], [both[1]])
    assert_identical(values(both[1:]), values(both[:1]))


def test_decay_is_applied_once_and_not_where_the_inner_optimizer_excluded_it():
    """Exact: applied twice it would be 0.765625."""
    decayed, excluded = keras.Variable([1.0, -2.0]), keras.Variable([1.0], name="bias")
    inner = K.SGD(0.5, momentum=0.5, weight_decay=0.25)
    inner.exclude_from_weight_decay(var_names=["bias"])
    AlphaMask(inner).apply([ops.zeros(2), ops.zeros(1)], [decayed, excluded])
    assert_identical(values([decayed, excluded]), [np.float32([0.875, -1.75]), np.float32([1.0])])


def test_gradients_are_clipped_before_the_mask():
    variable = keras.Variable([0.0, 0.0])
    AlphaMask(K.SGD(0.5, momentum=0.5, clipvalue=1.0)).apply([ops.array([8.0, -0.5])], [variable])
    assert_identical(values([variable]), [np.float32([-0.5, 0.25])])


@pytest.mark.parametrize("compiling", [False, True])
def test_a_nan_that_the_mask_drops_is_loud(compiling):
    variable = keras.Variable([1.0, 1.0, 1.0])
    optimizer = AlphaMask(INNER["sgd"](), alpha=1.0)
    optimizer.build([variable])
    step = compiled(optimizer, [variable]) if compiling else lambda g: optimizer.apply([g], [variable])
    step(ops.ones(3))
    step(ops.convert_to_tensor(np.float32([1.0, np.nan, -1.0])))
    np.testing.assert_array_equal(np.isnan(values([variable])[0]), [False, True, False])


def test_an_infinity_makes_the_variable_nan_under_the_norm():
    variable = keras.Variable([1.0, 1.0])
    optimizer = AlphaMask(INNER["sgd"]())
    apply(optimizer, [variable], 0)
    optimizer.apply([ops.convert_to_tensor(np.float32([np.inf, 1.0]))], [variable])
    assert np.isnan(values([variable])[0]).all()


@pytest.mark.parametrize(
    ("kind", "around"),
    [
        ("adam", {"global_clipnorm": 0.5, "weight_decay": 0.01}),
        ("sgd", {"gradient_accumulation_steps": 3}),
        ("lion", {"use_ema": True, "ema_momentum": 0.5}),
    ],
)
def test_a_saved_model_resumes_bit_for_bit(kind, around, tmp_path):
    model = make_model()
    model.compile(AlphaMask(INNER[kind](**around), record_diagnostics=True), "mse", jit_compile=JIT)
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    before = values(model.trainable_variables)
    fit(model)
    fit(loaded)
    assert_identical(state(loaded), state(model))
    assert any((a != b).any() for a, b in zip(values(model.trainable_variables), before, strict=True))


def test_every_variable_is_there_once_and_kept_where_it_is_when_a_schedule_is_assigned():
    variables = [keras.Variable([1.0]), keras.Variable([1.0, 2.0])]
    optimizer = AlphaMask(INNER["adam"]())
    optimizer.build(variables)
    names = ["iteration", "learning_rate"]
    assert [v.name.rsplit("_", 1)[-1] for v in optimizer.variables] == [
        name.rsplit("_", 1)[-1] for name in [*names, *names, *["momentum", "velocity"] * 2]
    ]
    optimizer.learning_rate = K.schedules.CosineDecay(0.1, 10)
    apply(optimizer, variables, 0)
    assert all((values([m])[0] != 0).all() for m in optimizer.variables[3:])


def test_the_config_makes_the_same_optimizer():
    inner = K.AdamW(K.schedules.CosineDecay(0.1, 10), weight_decay=0.2, clipnorm=1.0)
    optimizer = AlphaMask(inner, masking="sync", alpha="count", alpha_max=3.0, name="mine")
    again = K.deserialize(K.serialize(optimizer))
    assert again.get_config() == optimizer.get_config()
    assert (again.weight_decay, again.clipnorm, again.name, again.inner.clipnorm) == (0.2, 1.0, "mine", None)
    assert optimizer.get_config()["inner"]["module"] == "keras.optimizers"  # which every backend knows


@pytest.mark.parametrize(
    ("inner", "error", "message"),
    [
        (lambda: "sgd", TypeError, "'sgd' is no optimizer that can be wrapped"),
        (lambda: K.SGD(0.1), ValueError, "SGD keeps no momentum.*Set momentum to 0.9"),
        (lambda: K.RMSprop(0.1), ValueError, "RMSprop keeps no momentum"),
        *[
            (cls, TypeError, f"{cls.__name__} is no optimizer that can be wrapped")
            for cls in (K.Adafactor, K.Ftrl, K.Adagrad, K.Adadelta, K.Nadam)
        ],
        (lambda: K.LossScaleOptimizer(K.Adam()), TypeError, "belongs outside"),
        (AlphaAdam, TypeError, "masks by itself"),
        (lambda: AlphaMask(K.Adam()), TypeError, "masks by itself"),
        (lambda: K.Adam(-1.0), ValueError, "learning_rate=-1.0"),
        (lambda: K.Adam(weight_decay=-1.0), ValueError, "weight_decay=-1.0"),
    ],
)
def test_what_cannot_be_wrapped_is_refused(inner, error, message):
    with pytest.raises(error, match=message):
        AlphaMask(inner())


def test_an_optimizer_that_has_been_used_is_refused():
    inner = K.Adam()
    inner.build([keras.Variable([1.0])])
    with pytest.raises(ValueError, match="its state would be lost"):
        AlphaMask(inner)
