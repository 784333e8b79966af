"""8-bit Adam: AdamW whose moments are kept in 8 bits."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from alphaadam import _hyperparameters as hyperparameters
from alphaadam._code_book import SIGNED, UNSIGNED
from alphaadam.optax import _checks as checks
from alphaadam.optax.baselines._baseline import AdamW, Number, baseline
from alphaadam.optax.baselines._blockwise import block_count, dequantized, quantized

__all__ = ["adam_8bit"]


class _Rule(AdamW):
    """AdamW with codes and the largest of each block in the place of moments."""

    def __init__(self, b1: Number, b2: Number, eps: Number, block_size: int) -> None:
        super().__init__(b1, b2, eps)
        self.block_size = block_size

    def begin(self, theta: jax.Array) -> dict[str, jax.Array]:
        blocks = block_count(theta.size, self.block_size)
        return {
            "mu": jnp.full(theta.shape, SIGNED.zero, jnp.uint8),
            "mu_absmax": jnp.zeros(blocks, theta.dtype),
            "nu": jnp.full(theta.shape, UNSIGNED.zero, jnp.uint8),
            "nu_absmax": jnp.zeros(blocks, theta.dtype),
        }

    def move(
        self, theta: jax.Array, gradient: jax.Array, slots: Mapping[str, jax.Array], count: jax.Array, rate: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        moments = {
            "mu": dequantized(slots["mu"], slots["mu_absmax"], SIGNED, self.block_size),
            "nu": dequantized(slots["nu"], slots["nu_absmax"], UNSIGNED, self.block_size),
        }
        move, moments = super().move(theta, gradient, moments, count, rate)
        mu, mu_absmax = quantized(moments["mu"], SIGNED, self.block_size)
        nu, nu_absmax = quantized(moments["nu"], UNSIGNED, self.block_size)
        return move, {"mu": mu, "mu_absmax": mu_absmax, "nu": nu, "nu_absmax": nu_absmax}


def adam_8bit(
    learning_rate: optax.ScalarOrSchedule = 1e-3,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    weight_decay: Number = 0.01,
    mask: Any | Callable[[optax.Params], Any] | None = None,
    *,
    min_8bit_size: int = 4096,
    block_size: int = 256,
    quantize: Any | Callable[[optax.Params], Any] | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""AdamW whose moments are kept in 8 bits: 2.03 bytes per parameter instead of 8.

    .. math::
        m_t = \beta_1 M_{t-1} + (1 - \beta_1) g_t, \qquad v_t = \beta_2 V_{t-1} + (1 - \beta_2) g_t^2, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    :math:`M_t` and :math:`V_t` are what comes back of :math:`m_t` and :math:`v_t` from dynamic quantisation: of each
    block the largest absolute value is kept in float32, and of each element one of 256 values, relative to it. They
    reach down to 5.5e-7 and 3.3e-7 times the largest one.

    It takes every leaf. One with fewer than ``min_8bit_size`` elements keeps its moments as AdamW does, and so does one
    that ``quantize`` leaves out, as the authors have it for embeddings: a row that was not seen for long has a second
    moment that comes back as 0 beside those of others.

    Args:
        learning_rate: A number, finite and >= 0, or a schedule of such numbers over the steps.
        b1: Decay rate of the first moment, in [0, 1).
        b2: Decay rate of the second moment, in [0, 1).
        eps: Added to the root of the second moment after bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        mask: Which leaves weight decay touches, as in ``optax.adamw``.
        min_8bit_size: Least number of elements of a leaf whose moments are quantised, a whole number >= 0.
        block_size: Number of elements of a block, in row-major order, a whole number >= 1.
        quantize: A pytree of bools like the parameters, or a function that makes one from them: which leaves are
            quantised, if they are large enough. None is all.

    Returns:
        A gradient transformation, whose ``update`` needs the parameters.

    Raises:
        TypeError: A hyperparameter is of the wrong type, such as an array for ``min_8bit_size`` or ``block_size``, or a
            parameter is not floating-point.
        ValueError: A hyperparameter is out of range (traced values are not looked at), or gradients and parameters do
            not match.

    Source: Dettmers et al. (2021), https://arxiv.org/abs/2110.02861; blocks of 256 as in their library, bitsandbytes.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from alphaadam.optax.baselines import adam_8bit
        >>> params, optimizer = jnp.ones((64, 64)), adam_8bit(0.1, weight_decay=0.0)
        >>> updates, state = optimizer.update(2 * params, optimizer.init(params), params)
        >>> print(optax.apply_updates(params, updates)[0, :2].round(4), state.slots["mu"].dtype)
        [0.9 0.9] uint8
    """
    checks.check_static("adam_8bit", min_8bit_size=min_8bit_size, block_size=block_size)
    b1 = checks.check_beta("b1", b1, "0.9", "adam_8bit")
    b2 = checks.check_beta("b2", b2, "0.999", "adam_8bit")
    eps = checks.check_nonnegative("eps", eps, "1e-8", "adam_8bit")
    hyperparameters.check_count("min_8bit_size", min_8bit_size, "4096", "adam_8bit", least=0)
    hyperparameters.check_count("block_size", block_size, "256", "adam_8bit")
    adamw, in_8_bits = AdamW(b1, b2, eps), _Rule(b1, b2, eps, block_size)

    def rule_of(params: optax.Params) -> Any:
        if quantize is None:
            chosen = jax.tree.map(lambda _: True, params)
        else:
            chosen = quantize(params) if callable(quantize) else quantize
        return jax.tree.map(
            lambda leaf, wanted: in_8_bits if wanted and jnp.size(leaf) >= min_8bit_size else adamw, params, chosen
        )

    return baseline("adam_8bit", rule_of, learning_rate, weight_decay, mask)
