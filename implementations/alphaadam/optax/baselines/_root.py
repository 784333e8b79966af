"""ROOT: Muon on a momentum without its outliers, with coefficients for the shape of the matrix."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax

from alphaadam import _hyperparameters as hyperparameters
from alphaadam._root_coefficients import ITERATIONS, Triple, check_coefficients, coefficients_for
from alphaadam.optax import _checks as checks
from alphaadam.optax.baselines._baseline import Number, baseline, fallback, split_by
from alphaadam.optax.baselines._counting import element_at

__all__ = ["root"]


class _Rule:
    def __init__(self, momentum: Number, nesterov: bool, quantile: float, coefficients: Any) -> None:
        self.momentum, self.nesterov = momentum, nesterov
        self.quantile, self.coefficients = quantile, coefficients

    def begin(self, theta: jax.Array) -> dict[str, jax.Array]:
        return {"trace": jnp.zeros_like(theta)}

    def move(
        self, theta: jax.Array, gradient: jax.Array, slots: Mapping[str, jax.Array], count: jax.Array, rate: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        trace = self.momentum * slots["trace"] + gradient
        if not theta.size:
            return jnp.zeros_like(theta), {"trace": trace}
        direction = gradient + self.momentum * trace if self.nesterov else trace
        threshold = _quantile(jnp.abs(direction), self.quantile) + 1e-9
        x = _orthogonalized(
            jnp.clip(direction, -threshold, threshold), coefficients_for(theta.shape, self.coefficients)
        )
        return -rate * 0.2 * math.sqrt(max(theta.shape)) * x, {"trace": trace}


def root(
    learning_rate: optax.ScalarOrSchedule = 1e-3,
    momentum: Number = 0.95,
    weight_decay: Number = 0.1,
    mask: Any | Callable[[optax.Params], Any] | None = None,
    *,
    matrices: Any | Callable[[optax.Params], Any] | None = None,
    nesterov: bool = True,
    quantile: float = 0.9,
    coefficients: str | Sequence[float] | Mapping[str, Sequence[float]] = "published",
    adamw_b1: Number = 0.9,
    adamw_b2: Number = 0.95,
    adamw_eps: Number = 1e-8,
) -> optax.GradientTransformationExtraArgs:
    r"""Robust orthogonalized momentum: outliers are clipped, then the singular values are brought near 1.

    For a matrix of :math:`m` rows and :math:`n` columns:

    .. math::
        M_t = \mu M_{t-1} + G_t, \qquad D = G_t + \mu M_t, \qquad B = \mathrm{clip}(D, \pm q_{0.9}(|D|)), \\
        X \leftarrow B / \|B\|_F, \qquad X \leftarrow a X + (b A + c A^2) X, \quad A = X X^\top,
            \quad \text{five times}, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} - 0.2\, \eta \sqrt{\max(m, n)}\, X

    Leaves that are not matrices, and those that ``matrices`` leaves out, get AdamW with the same rate and weight decay.
    A matrix whose gradients are nearly all zero has a quantile of zero, and is moved by signs: leave embeddings to
    AdamW.

    A step costs about as many operations as ten products of the leaf with a square matrix of its smaller side. They are
    carried out in float32 for half-precision leaves, on a GPU as ``jax_default_matmul_precision`` says.

    Args:
        learning_rate: A number, finite and >= 0, or a schedule of such numbers over the steps.
        momentum: Decay rate of the momentum, which is a sum, in [0, 1).
        weight_decay: Decoupled weight decay, finite and >= 0.
        mask: Which leaves weight decay touches, as in ``optax.adamw``.
        matrices: Which leaves the rule for matrices takes, of those with two dimensions: a pytree of bools, or a
            function that makes one from the parameters. It should leave out embeddings and the output layer. None
            takes all.
        nesterov: Whether the gradient is added once more, as in the paper's code; its text has ``D`` the momentum.
        quantile: Elements of a size above that of this part of the elements are clipped, in (0, 1]. 1 clips none.
        coefficients: Those of the iteration. ``"published"`` is the authors' for matrices of 2048×2048, 3072, 8192 and
            16384, and Muon's for others. ``"fitted"`` is for other shapes too, those of small GPT-2s, what
            ``python -m bench fit-root`` fitted to them. Else three numbers, or a dict of them by shape, such as
            ``{"128x384": [3.4445, -4.775, 2.0315]}``, the smaller side first; a shape that is missing has the published
            ones.
        adamw_b1: AdamW's decay rate of the first moment, in [0, 1).
        adamw_b2: AdamW's decay rate of the second moment, in [0, 1).
        adamw_eps: Added to the root of AdamW's second moment, after bias correction; finite and >= 0.

    Returns:
        A gradient transformation, whose ``update`` needs the parameters.

    Raises:
        TypeError: A hyperparameter is of the wrong type, such as an array for ``quantile``, or a parameter is not
            floating-point.
        ValueError: A hyperparameter is out of range (traced values are not looked at), or gradients and parameters do
            not match.

    Source: He et al. (2025), https://arxiv.org/abs/2511.20626, and its code.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> from alphaadam.optax.baselines import root
        >>> params, optimizer = jnp.array([[1.0, 2.0], [3.0, 5.0]]), root(0.1)
        >>> updates, state = optimizer.update(2 * params, optimizer.init(params), params)
        >>> print(jax.device_get(optax.apply_updates(params, updates)).round(4))
        [[1.0024 1.9629]
         [2.9532 4.9393]]
    """
    checks.check_static("root", quantile=quantile)
    momentum = checks.check_beta("momentum", momentum, "0.95", "root")
    hyperparameters.check_flag("nesterov", nesterov, "root")
    hyperparameters.check_fraction("quantile", quantile, "0.9", "root")
    check_coefficients(coefficients, "root")
    rule_of = split_by(
        matrices, _Rule(momentum, nesterov, quantile, coefficients), fallback("root", adamw_b1, adamw_b2, adamw_eps)
    )
    return baseline("root", rule_of, learning_rate, weight_decay, mask)


def _quantile(values: jax.Array, q: float) -> jax.Array:
    """The ``q``-quantile of elements that are not negative, between its two neighbours linearly.

    A NaN is larger than any number.
    """
    integer = jnp.dtype(f"int{values.dtype.itemsize * 8}")
    keys = jax.lax.bitcast_convert_type(values.ravel(), integer)  # in the order of the numbers, which have no sign
    place = q * (keys.size - 1)
    below = math.floor(place)
    low = element_at(below, keys, signed=False)
    larger = jnp.min(keys, where=keys > low, initial=jnp.iinfo(integer).max)
    high = jnp.where(jnp.sum(keys <= low, dtype=jnp.int32) > min(below + 1, keys.size - 1), low, larger)
    low, high = (jax.lax.bitcast_convert_type(key, values.dtype) for key in (low, high))
    return low + (place - below) * (high - low)


def _orthogonalized(matrix: jax.Array, triple: Triple) -> jax.Array:
    """The matrix after all iterations of Newton-Schulz."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (jnp.linalg.norm(x) + 1e-7)
    a, b, c = triple
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return x.T if tall else x
