"""Adam-mini for Keras: its partitions, and what it keeps."""

import keras
import numpy as np
import pytest

from alphaadam.keras.baselines import AdamMini

FUSED = (1, [(8, 2), (4, 1)])


def make_model():
    layers = [keras.Input((2,)), keras.layers.Embedding(6, 4), keras.layers.Dense(12, name="qkv")]
    return keras.Sequential([*layers, keras.layers.LayerNormalization()])


def test_a_second_moment_for_each_block_and_no_more():
    """The first expression that fits counts; what none fits is one block."""
    optimizer = AdamMini(blocks={"embeddings": (0, 1), "qkv/kernel": FUSED, "qkv": (0, 1)})
    optimizer.build(make_model().trainable_variables)
    seconds = [tuple(variable.shape) for variable in optimizer.variables[3::2]]
    assert seconds == [(6,), (8,), (12,), (), ()]


def test_a_first_step_divides_by_the_root_mean_square_of_each_block():
    gradient = np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32)
    variable = keras.Variable(np.zeros((4, 12), np.float32), name="kernel")
    optimizer = AdamMini(1.0, epsilon=0.0, blocks={"kernel": FUSED})
    optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    parts = np.split(gradient, np.cumsum([2, 2, 2, 2, 1, 1, 1]), axis=1)
    wanted = np.concatenate([-part / np.sqrt(np.mean(part**2)) for part in parts], axis=1)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), wanted, rtol=1e-5)


def test_partitions_are_part_of_a_saved_model(tmp_path):
    model = make_model()
    blocks = {"embeddings": (0, 1), "kernel": FUSED, "bias": None}
    model.compile(optimizer=AdamMini(blocks=blocks), loss="mse")
    x, y = np.ones((4, 2)), np.ones((4, 2, 12))
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert list(loaded.optimizer.blocks.items()) == list(model.optimizer.blocks.items())
    for ours, theirs in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(ours), keras.ops.convert_to_numpy(theirs))


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"kernel": (1, 5)}, r"blocks=\[1, 5\] for .*kernel of shape \(4, 12\), whose axis 1 has 12 indices"),
        ({"kernels": (1, 1)}, r"the expression 'kernels' of blocks fits no variable"),
    ],
)
def test_what_does_not_fit_the_variables_is_refused(blocks, message):
    with pytest.raises(ValueError, match=message):
        AdamMini(blocks=blocks).build(make_model().trainable_variables)


@pytest.mark.parametrize("blocks", [(0, 1), {"kernel": "rows"}, {"kernel": (0, 1.5)}])
def test_what_is_no_partition_is_refused(blocks):
    with pytest.raises(TypeError, match=r"^AdamMini: blocks=.* Pass "):
        AdamMini(blocks=blocks)
