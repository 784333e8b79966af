"""MicroAdam: Adam on the largest gradients of late, and four bits of what is left of each."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from alphaadam import _microadam
from alphaadam._jax._rule import bias_correction
from alphaadam.optax import _checks as checks
from alphaadam.optax.baselines._baseline import Number, baseline

__all__ = ["microadam"]


class _Rule:
    def __init__(self, b1: Number, b2: Number, eps: Number, window: int, density: float, block_size: int) -> None:
        self.b1, self.b2, self.eps = b1, b2, eps
        self.window, self.density, self.block_size = window, density, block_size

    def _blocks(self, theta: jax.Array) -> _microadam.Blocks:
        return _microadam.Blocks.of(theta.size, self.density, self.block_size)

    def begin(self, theta: jax.Array) -> dict[str, jax.Array]:
        blocks = self._blocks(theta)
        ring = (self.window, blocks.number, blocks.kept)
        return {
            "places": jnp.zeros(ring, jnp.int16),
            "values": jnp.zeros(ring, jnp.bfloat16),
            "codes": jnp.zeros(blocks.bytes, jnp.uint8),
            "low": jnp.zeros((blocks.number, 1), theta.dtype),
            "spacing": jnp.zeros((blocks.number, 1), theta.dtype),
        }

    def move(
        self, theta: jax.Array, gradient: jax.Array, slots: Mapping[str, jax.Array], count: jax.Array, rate: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        blocks = self._blocks(theta)
        error = _unpacked(slots["codes"], blocks).astype(theta.dtype) * slots["spacing"] + slots["low"]
        total = error.reshape(-1)[: theta.size] + gradient.reshape(-1)
        total = jnp.pad(total, (0, blocks.elements - theta.size)).reshape(blocks.number, blocks.length)

        size = jnp.where(jnp.isnan(total), jnp.inf, jnp.abs(total))  # a NaN is kept, and shows
        latest = jax.lax.top_k(size, blocks.kept)[1]
        # The format is spelt out, since XLA may leave out a conversion to bfloat16 and back.
        kept = jax.lax.reduce_precision(jnp.take_along_axis(total, latest, axis=1), exponent_bits=8, mantissa_bits=7)
        # The latest first. A leaf that rests keeps what it has, which then counts as if no step had passed.
        places = jnp.concatenate([latest.astype(jnp.int16)[None], slots["places"][:-1]])
        values = jnp.concatenate([kept.astype(jnp.bfloat16)[None], slots["values"][:-1]])
        rest = total.at[jnp.arange(blocks.number)[:, None], latest].set(0, unique_indices=True)
        low, high = jnp.min(rest, axis=1, keepdims=True), jnp.max(rest, axis=1, keepdims=True)
        spacing = (high - low) / 15
        codes = jnp.round((rest - low) / jnp.where(spacing > 0, spacing, 1)).astype(jnp.uint8)

        m, v = self._sums(places, values, blocks, theta.dtype)
        m = m * ((1 - self.b1) / bias_correction(self.b1, count, theta.dtype))
        v = v * ((1 - self.b2) / bias_correction(self.b2, count, theta.dtype))
        move = (-rate * m / (jnp.sqrt(v) + self.eps)).reshape(-1)[: theta.size].reshape(theta.shape)
        packed = _packed(codes, blocks)
        return move, {"places": places, "values": values, "codes": packed, "low": low, "spacing": spacing}

    def _sums(
        self, places: jax.Array, values: jax.Array, blocks: _microadam.Blocks, dtype: Any
    ) -> tuple[jax.Array, jax.Array]:
        """Sums of the kept values and of their squares, by age. One gradient after the other: no two of a gradient's
        places are the same, so that the order of additions is fixed on every device."""
        weights = [jnp.asarray([b**age for age in range(self.window)], dtype) for b in (self.b1, self.b2)]
        rows = jnp.arange(blocks.number)[:, None]

        def add(age: Any, sums: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            x, at = values[age].astype(dtype), (rows, places[age].astype(jnp.int32))
            m = sums[0].at[at].add(weights[0][age] * x, unique_indices=True)
            return m, sums[1].at[at].add(weights[1][age] * jnp.square(x), unique_indices=True)

        zeros = jnp.zeros((blocks.number, blocks.length), dtype)
        return jax.lax.fori_loop(0, self.window, add, (zeros, zeros))


def _packed(codes: jax.Array, blocks: _microadam.Blocks) -> jax.Array:
    """Two codes of four bits in each byte."""
    pairs = jnp.pad(codes.reshape(-1), (0, 2 * blocks.bytes - blocks.elements)).reshape(-1, 2)
    return pairs[:, 0] | pairs[:, 1] << 4


def _unpacked(packed: jax.Array, blocks: _microadam.Blocks) -> jax.Array:
    pairs = jnp.stack([packed & 15, packed >> 4], axis=1)
    return pairs.reshape(-1)[: blocks.elements].reshape(blocks.number, blocks.length)


def microadam(
    learning_rate: optax.ScalarOrSchedule = 1e-3,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    mask: Any | Callable[[optax.Params], Any] | None = None,
    *,
    window: int = 10,
    density: float = 0.01,
    block_size: int = 4096,
) -> optax.GradientTransformationExtraArgs:
    r"""Adam on the largest one percent of the last ten gradients, with feedback of the rest in four bits.

    .. math::
        a &= g_t + Q^{-1}(e_{t-1}), \qquad V_t = a \text{ where } |a| \text{ is largest, else } 0, \qquad
            e_t = Q(a - V_t) \\
        \hat m &= \frac{1 - \beta_1}{1 - \beta_1^t} \sum_{i=0}^{w-1} \beta_1^i V_{t-i}, \qquad
            \hat v = \frac{1 - \beta_2}{1 - \beta_2^t} \sum_{i=0}^{w-1} \beta_2^i V_{t-i}^2 \\
        \theta_t &= (1 - \eta\lambda)\,\theta_{t-1} - \eta\, \hat m / (\sqrt{\hat v} + \epsilon)

    A tensor is cut into blocks of at most ``block_size`` elements. In each the part ``density`` is kept, as 16-bit
    places and bfloat16 values, and :math:`Q` rounds the others to 16 numbers, evenly from the block's smallest to its
    largest. That is about 0.9 bytes for each parameter with the defaults, where Adam has 8. It takes every leaf.

    Args:
        learning_rate: A number, finite and >= 0, or a schedule of such numbers over the steps.
        b1: Decay rate of the first moment, in [0, 1).
        b2: Decay rate of the second moment, in [0, 1).
        eps: Added to the root of the second moment after bias correction; finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        mask: Which leaves weight decay touches, as in ``optax.adamw``.
        window: How many gradients are kept, >= 1.
        density: The part of each block that is kept, in (0, 1], rounded up to whole elements.
        block_size: The most elements of a block, from 1 to 32768.

    Returns:
        A gradient transformation, whose ``update`` needs the parameters.

    Raises:
        TypeError: A hyperparameter is of the wrong type, such as an array for ``window``, ``density`` or
            ``block_size``, or a parameter is not floating-point.
        ValueError: A hyperparameter is out of range (traced values are not looked at), or gradients and parameters do
            not match.

    Source: Modoranu et al. (2024), https://arxiv.org/abs/2405.15593.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from alphaadam.optax.baselines import microadam
        >>> params, optimizer = jnp.array([1.0, -2.0]), microadam(0.1)
        >>> updates, state = optimizer.update(2 * params, optimizer.init(params), params)
        >>> print(optax.apply_updates(params, updates).round(4))  # one element of two is more than one percent
        [ 1.  -1.9]
    """
    checks.check_static("microadam", window=window, density=density, block_size=block_size)
    b1 = checks.check_beta("b1", b1, "0.9", "microadam")
    b2 = checks.check_beta("b2", b2, "0.999", "microadam")
    eps = checks.check_positive("eps", eps, "1e-8", "microadam")
    _microadam.check(window, density, block_size, "microadam")
    rule = _Rule(b1, b2, eps, window, density, block_size)
    return baseline("microadam", lambda params: jax.tree.map(lambda _: rule, params), learning_rate, weight_decay, mask)
