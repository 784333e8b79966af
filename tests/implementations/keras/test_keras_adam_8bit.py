"""8-bit Adam for Keras: what it keeps, and how near what comes back is."""

import keras
import numpy as np
import pytest

from alphaadam._code_book import SIGNED, UNSIGNED
from alphaadam.keras.baselines import Adam8bit
from alphaadam.keras.baselines._blockwise import dequantized, quantized


def kept(optimizer):
    """Dtype and size of what is kept, without the iteration and the learning rate."""
    return [(keras.backend.standardize_dtype(x.dtype), int(np.prod(x.shape))) for x in optimizer.variables[2:]]


@pytest.mark.parametrize("book", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
@pytest.mark.parametrize("block_size", [7, 256])
def test_every_code_is_the_nearest(book, block_size):
    """Against a search among all values, but for numbers that lie between two within rounding."""
    rng = np.random.default_rng(0)
    x = (10 ** rng.uniform(-8, 2, (70, 33)) * (rng.choice((-1, 1), (70, 33)) if book.zero else 1)).astype(np.float32)
    x.reshape(-1)[::100] = 0
    codes, largest = quantized(keras.ops.convert_to_tensor(x), book, block_size)
    returned = keras.ops.convert_to_numpy(dequantized(codes, largest, book, block_size))
    codes, largest = map(keras.ops.convert_to_numpy, (codes, largest))
    assert codes.dtype == np.uint8
    scale = np.repeat(largest, block_size)[: x.size].reshape(x.shape)
    fraction = x / scale
    values = np.asarray(book.values, np.float32)
    distance = np.abs(fraction[..., None] - values)
    chosen = np.take_along_axis(distance, codes[..., None].astype(int), -1)[..., 0]
    assert (chosen <= distance.min(-1) + 2e-6 * np.abs(fraction)).all()
    np.testing.assert_allclose(returned, values[codes] * scale, 1e-6)


def test_state_has_two_bytes_per_parameter_and_a_scale_for_each_block():
    optimizer = Adam8bit()
    optimizer.build([keras.Variable(np.ones((256, 64), np.float32))])
    assert sorted(kept(optimizer)) == [("float32", 64), ("float32", 64), ("uint8", 16384), ("uint8", 16384)]


def test_variables_may_keep_their_moments_as_they_are():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Embedding(64, 64), keras.layers.Dense(64)])
    optimizer = Adam8bit(exclude_layers=["embeddings"])
    optimizer.build(model.trainable_variables)
    dtypes = [dtype for dtype, size in kept(optimizer) if size == 64 * 64]
    assert dtypes == ["float32", "float32", "uint8", "uint8"]
    assert Adam8bit.from_config(optimizer.get_config()).exclude_layers == ["embeddings"]


def test_what_is_no_list_of_expressions_is_refused():
    with pytest.raises(TypeError, match=r"^Adam8bit: exclude_layers='head' is not valid"):
        Adam8bit(exclude_layers="head")


def test_it_trains_a_compiled_model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(64), keras.layers.Dense(1)])
    model.compile(optimizer=Adam8bit(learning_rate=0.01, min_8bit_size=64), loss="mse")
    x = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    losses = model.fit(x, x.sum(axis=1, keepdims=True), epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
