"""Adam-mini for Optax: its partitions, and what it keeps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alphaadam.optax.baselines import adam_mini

SHAPES = {"whole": (6, 4), "rows": (6, 4), "heads": (4, 6), "fused": (4, 12), "vector": (7,), "scalar": ()}
BLOCKS = {"whole": None, "rows": (0, 1), "heads": (-1, 3), "fused": (1, [(8, 2), (4, 1)]), "vector": (0, 1)}
BLOCKS["scalar"] = (0, 1)
COUNTS = {"whole": (), "rows": (6,), "heads": (2,), "fused": (8,), "vector": (7,), "scalar": ()}


def params_of(shapes):
    return {name: jnp.ones(shape) for name, shape in shapes.items()}


@pytest.mark.parametrize("blocks", [BLOCKS, lambda params: {name: BLOCKS[name] for name in params}])
def test_a_second_moment_for_each_block_and_no_more(blocks):
    slots = adam_mini(blocks=blocks).init(params_of(SHAPES)).slots
    assert {name: slot["nu"].shape for name, slot in slots.items()} == COUNTS
    assert {name: slot["mu"].shape for name, slot in slots.items()} == SHAPES


def test_a_first_step_divides_by_the_root_mean_square_of_each_block():
    gradient = np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32)
    optimizer = adam_mini(1.0, eps=0.0, blocks=(BLOCKS["fused"],))
    params = (jnp.ones((4, 12)),)
    (updates,), _ = jax.jit(optimizer.update)((gradient,), optimizer.init(params), params)
    sizes = [2, 2, 2, 2, 1, 1, 1, 1]
    parts = np.split(gradient, np.cumsum(sizes)[:-1], axis=1)
    wanted = np.concatenate([-part / np.sqrt(np.mean(part**2)) for part in parts], axis=1)
    np.testing.assert_allclose(updates, wanted, rtol=1e-5)


def test_a_partition_that_does_not_fit_names_its_leaf():
    with pytest.raises(ValueError, match=r"^adam_mini: blocks=\(0, 4\) for \['rows'\] of shape \(6, 4\), whose axis 0"):
        adam_mini(blocks={**BLOCKS, "rows": (0, 4)}).init(params_of(SHAPES))


@pytest.mark.parametrize("blocks", ["rows", (0,), (0, 1.5)])
def test_what_is_no_partition_is_refused(blocks):
    with pytest.raises(TypeError, match=r"^adam_mini: blocks=.* Pass None for one block, "):
        adam_mini(blocks=[blocks]).init([jnp.ones((2, 2))])
