"""Adam-mini: Adam with one second moment for each block of a leaf."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from alphaadam._blocks import Partition, partition_of
from alphaadam._jax._rule import bias_correction
from alphaadam.optax import _checks as checks
from alphaadam.optax.baselines._baseline import Number, baseline

__all__ = ["adam_mini"]


class _Rule:
    def __init__(self, b1: Number, b2: Number, eps: Number, partition: Partition | None) -> None:
        self.b1, self.b2, self.eps, self.partition = b1, b2, eps, partition

    def begin(self, theta: jax.Array) -> dict[str, jax.Array]:
        shape = () if self.partition is None else (self.partition.blocks,)
        return {"mu": jnp.zeros_like(theta), "nu": jnp.zeros(shape, theta.dtype)}

    def move(
        self, theta: jax.Array, gradient: jax.Array, slots: Mapping[str, jax.Array], count: jax.Array, rate: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        mu = self.b1 * slots["mu"] + (1 - self.b1) * gradient
        nu = self.b2 * slots["nu"] + (1 - self.b2) * _means(jnp.square(gradient), self.partition)
        root = jnp.sqrt(nu / bias_correction(self.b2, count, theta.dtype)) + self.eps
        m_hat = mu / bias_correction(self.b1, count, theta.dtype)
        return -rate * m_hat / _spread(root, self.partition, theta.ndim), {"mu": mu, "nu": nu}


def adam_mini(
    learning_rate: optax.ScalarOrSchedule = 1e-3,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    mask: Any | Callable[[optax.Params], Any] | None = None,
    *,
    blocks: Any | Callable[[optax.Params], Any] | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Adam with one second moment for each block of a leaf: 4 bytes of state per parameter instead of 8.

    .. math::
        v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, \mathrm{mean}(g_t^2) \quad \text{of each block}, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    It takes every leaf. How they are partitioned is said by ``blocks``, which has for each leaf:

    - None: the leaf is one block. The authors have that for norms, and for networks that are no Transformers.
    - ``(axis, size)``: runs of ``size`` indices of an axis. ``(0, 1)`` is one block per row: the token's of an
      embedding, an element's of a vector, which is Adam. ``(1, 1)`` is one per output neuron of a kernel that is
      (inputs, outputs), and ``(1, head_width)`` one per head, which queries and keys must have.
    - ``(axis, [(length, size), ...])``: parts of an axis with runs of their own. A matrix of queries, keys and values
      side by side is ``(1, [(2 * width, head_width), (width, 1)])``.

    Training of a Transformer with one block per leaf may be unstable, as the authors found.

    Args:
        learning_rate: A number, finite and >= 0, or a schedule of such numbers over the steps.
        b1: Decay rate of the first moment, in [0, 1).
        b2: Decay rate of the second moment, in [0, 1).
        eps: Added to the root of the second moment after bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        mask: Which leaves weight decay touches, as in ``optax.adamw``.
        blocks: A pytree like the parameters with a partition in the place of each leaf, or a function that makes one
            from the parameters; None makes each leaf one block. Lengths add up to the axis, each a multiple of its
            size.

    Returns:
        A gradient transformation, whose ``update`` needs the parameters.

    Raises:
        TypeError: A hyperparameter is of the wrong type, or a parameter is not floating-point.
        ValueError: A hyperparameter is out of range (traced values are not looked at), a partition does not fit its
            leaf (when the state is made), or gradients and parameters do not match.

    Source: Zhang et al. (2024), https://arxiv.org/abs/2406.16793.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from alphaadam.optax.baselines import adam_mini
        >>> params = {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}
        >>> optimizer = adam_mini(0.1, blocks={"kernel": (1, 1), "bias": None})
        >>> updates, state = optimizer.update(params, optimizer.init(params), params)
        >>> print(optax.apply_updates(params, updates)["bias"], state.slots["kernel"]["nu"].shape)
        [0.9 0.9] (2,)
    """
    b1 = checks.check_beta("b1", b1, "0.9", "adam_mini")
    b2 = checks.check_beta("b2", b2, "0.999", "adam_mini")
    eps = checks.check_nonnegative("eps", eps, "1e-8", "adam_mini")

    def rule_of(params: optax.Params) -> Any:
        chosen = blocks(params) if callable(blocks) else blocks
        if chosen is None:
            return jax.tree.map(lambda _: _Rule(b1, b2, eps, None), params)

        def rule(path: Any, leaf: Any, own: Any) -> _Rule:
            return _Rule(b1, b2, eps, partition_of(own, jnp.shape(leaf), "adam_mini", jax.tree_util.keystr(path)))

        return jax.tree_util.tree_map_with_path(rule, params, chosen)

    return baseline("adam_mini", rule_of, learning_rate, weight_decay, mask)


def _means(x: jax.Array, partition: Partition | None) -> jax.Array:
    """The mean of each block."""
    if partition is None:
        return jnp.mean(x) if x.size else jnp.zeros([], x.dtype)
    line = jnp.mean(x, axis=tuple(axis for axis in range(x.ndim) if axis != partition.axis))
    means, start = [], 0
    for number, size in partition.runs:
        part = line[start : start + number * size]
        means.append(jnp.mean(part.reshape(number, size), axis=1))
        start += number * size
    return jnp.concatenate(means)


def _spread(values: jax.Array, partition: Partition | None, dimensions: int) -> jax.Array:
    """Values of blocks in a shape that broadcasts over the leaf."""
    if partition is None:
        return values
    parts, start = [], 0
    for number, size in partition.runs:
        parts.append(jnp.repeat(values[start : start + number], size))
        start += number
    return jnp.concatenate(parts).reshape([-1 if axis == partition.axis else 1 for axis in range(dimensions)])
