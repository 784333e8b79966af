"""1-bit Adam: Adam whose workers exchange one bit per parameter once its second moment has settled."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.sharding import PartitionSpec

from alphaadam import _hyperparameters as hyperparameters
from alphaadam._jax._rule import bias_correction as correction
from alphaadam.optax import _checks as checks
from alphaadam.optax.baselines._baseline import BaselineState, Number, baseline
from alphaadam.optax.baselines._one_bit_exchange import chunk_size, compress, exchange

__all__ = ["one_bit_adam", "one_bit_adam_specs"]

_ERRORS = ("worker_error", "server_error")


class _Rule:
    def __init__(
        self, b1: Number, b2: Number, eps: Number, freeze_step: int, bias_correction: bool, axis_name: str | None
    ) -> None:
        self.b1, self.b2, self.eps, self.freeze_step = b1, b2, eps, freeze_step
        self.bias_correction, self.axis_name = bias_correction, axis_name

    def begin(self, theta: jax.Array) -> dict[str, jax.Array]:
        moments = {"mu": jnp.zeros_like(theta), "nu": jnp.zeros_like(theta)}
        if self.axis_name is None:
            return {**moments, "worker_error": jnp.zeros_like(theta)}
        try:
            sizes = theta.size, chunk_size(theta.size, self.axis_name)
        except NameError:
            raise ValueError(
                f"one_bit_adam: axis_name={self.axis_name!r} is no axis here. Call init and update inside "
                "jax.shard_map over a mesh that has it, or leave axis_name out where there is one worker."
            ) from None
        errors = [jax.lax.pcast(jnp.zeros(size, theta.dtype), self.axis_name, to="varying") for size in sizes]
        return {**moments, **dict(zip(_ERRORS, errors, strict=True))}

    def move(
        self, theta: jax.Array, gradient: jax.Array, slots: Mapping[str, jax.Array], count: jax.Array, rate: Any
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        self._refuse_summed(gradient)
        if not gradient.size:
            return jnp.zeros_like(theta), dict(slots)
        kept = jax.lax.cond(count <= self.freeze_step, self._adam, self._compressed, gradient, dict(slots))
        mu, nu = kept["mu"], kept["nu"]
        if self.bias_correction:
            mu = mu / correction(self.b1, count, theta.dtype)
            nu = nu / correction(self.b2, jnp.minimum(count, self.freeze_step), theta.dtype)
        return -rate * (mu / (jnp.sqrt(nu) + self.eps)), kept

    def _adam(self, gradient: jax.Array, slots: dict[str, jax.Array]) -> dict[str, jax.Array]:
        if self.axis_name is not None:
            gradient = jax.lax.pmean(gradient, self.axis_name)
        mu = self.b1 * slots["mu"] + (1 - self.b1) * gradient
        nu = self.b2 * slots["nu"] + (1 - self.b2) * jnp.square(gradient)
        return {**slots, "mu": mu, "nu": nu}

    def _compressed(self, gradient: jax.Array, slots: dict[str, jax.Array]) -> dict[str, jax.Array]:
        mu, nu = self.b1 * slots["mu"] + (1 - self.b1) * gradient, slots["nu"]
        if self.axis_name is None:
            # The server would compress what is +scale or -scale already.
            bits, scale, error = compress(mu + slots["worker_error"])
            mu, errors = jnp.where(bits, scale, -scale), {"worker_error": error}
        else:
            mu, worker, server = exchange(mu, slots["worker_error"], slots["server_error"], self.axis_name)
            errors = {"worker_error": worker, "server_error": server}
        # mu - mu is 0, or NaN.
        return {"mu": jnp.where(nu == 0, mu - mu, mu), "nu": nu, **errors}

    def _refuse_summed(self, gradient: jax.Array) -> None:
        """Refuse gradients that JAX knows to be the same on all devices, where it keeps track of that."""
        if self.axis_name is None:
            return
        tracked, differing = (
            self.axis_name in jax.typeof(x).manual_axis_type.varying
            for x in (jax.lax.axis_index(self.axis_name), gradient)
        )
        if tracked and not differing:
            raise ValueError(
                f"one_bit_adam: the gradients are the same on all devices of {self.axis_name!r}: JAX sums those of "
                "parameters that are. Take the gradients of parameters that are not: "
                f"jax.lax.pcast(params, {self.axis_name!r}, to='varying')."
            )


def one_bit_adam(
    learning_rate: optax.ScalarOrSchedule = 1e-3,
    b1: Number = 0.9,
    b2: Number = 0.999,
    eps: Number = 1e-8,
    weight_decay: Number = 0.0,
    mask: Any | Callable[[optax.Params], Any] | None = None,
    *,
    freeze_step: int = 1000,
    bias_correction: bool = False,
    axis_name: str | None = None,
) -> optax.GradientTransformationExtraArgs:
    r"""Adam up to a step, and from then on with a fixed second moment and a momentum compressed to signs.

    Up to step :math:`T` (``freeze_step``) the gradients are averaged over the workers, the devices of a mesh axis, and
    both moments are Adam's. Afterwards :math:`v` stays as it is, and each worker :math:`w` of :math:`W` sends the signs
    of its momentum and one scale; what that loses is added to what it sends next. The worker that serves a chunk of the
    leaf averages the chunks that it receives, and sends the average in the same way:

    .. math::
        c_w &= \beta_1 m_{t-1} + (1 - \beta_1) g_w + \delta_w, & \hat c_w &= C(c_w), &
            \delta_w &\leftarrow c_w - \hat c_w, \\
        \bar c &= \frac 1 W \sum_w \hat c_w + \bar\delta, & m_t &= C(\bar c), &
            \bar\delta &\leftarrow \bar c - m_t, \\
        \theta_t &= (1 - \eta\lambda)\,\theta_{t-1} - \eta\, \frac{m_t}{\sqrt{v_T} + \epsilon}, &
            C(c) &= \pm \frac{\lVert c \rVert_2}{\sqrt n}

    It takes every leaf. A coordinate that had no gradient up to step :math:`T` does not move afterwards: one bit cannot
    say 0.

    With ``axis_name``, ``init`` and ``update`` are to be called inside ``jax.shard_map``, with parameters that are
    replicated and gradients that each device has from its own part of the batch, not averaged. The errors differ from
    device to device; :func:`one_bit_adam_specs` says how to shard the state.

    Args:
        learning_rate: A number, finite and >= 0, or a schedule of such numbers over the steps.
        b1: Decay rate of the first moment, in [0, 1).
        b2: Decay rate of the second moment, in [0, 1).
        eps: Added to the root of the second moment, finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        mask: Which leaves weight decay touches, as in ``optax.adamw``.
        freeze_step: Number of steps of Adam before the second moment is frozen, >= 1; the paper takes about 15 to 20 %
            of the training. Less than ``1 / (1 - b2)`` needs ``bias_correction``, or all later steps are long.
        bias_correction: Divide the moments by :math:`1 - \beta^t` as AdamW does, the second by that of step
            :math:`T` after it. The paper does not.
        axis_name: Name of the mesh axis whose devices are the workers; None is one worker.

    Returns:
        A gradient transformation, whose ``update`` needs the parameters.

    Raises:
        TypeError: A hyperparameter is of the wrong type, such as an array for ``freeze_step``, or a parameter is not
            floating-point.
        ValueError: A hyperparameter is out of range (traced values are not looked at), gradients and parameters do not
            match, ``axis_name`` is no axis where ``init`` is called, or the gradients are the same on all its devices.

    Source: Tang et al. (2021), https://arxiv.org/abs/2102.02888, algorithm 1.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> from alphaadam.optax.baselines import one_bit_adam
        >>> params, optimizer = jnp.array([1.0, -2.0]), one_bit_adam(0.1, freeze_step=1, bias_correction=True)
        >>> state = optimizer.init(params)
        >>> for _ in range(2):
        ...     updates, state = optimizer.update(2 * params, state, params)
        ...     params = optax.apply_updates(params, updates)
        >>> print(jax.device_get(params).round(4))
        [ 0.7469 -1.8234]
    """
    owner = "one_bit_adam"
    checks.check_static(owner, freeze_step=freeze_step)
    b1 = checks.check_beta("b1", b1, "0.9", owner)
    b2 = checks.check_beta("b2", b2, "0.999", owner)
    eps = checks.check_positive("eps", eps, "1e-8", owner)
    hyperparameters.check_count("freeze_step", freeze_step, "1000", owner)
    hyperparameters.check_flag("bias_correction", bias_correction, owner)
    if not (axis_name is None or isinstance(axis_name, str)):
        raise TypeError(
            f'{owner}: axis_name={axis_name!r} is not valid. Pass the name of a mesh axis, for example "data", or None.'
        )
    rule = _Rule(b1, b2, eps, freeze_step, bias_correction, axis_name)
    return baseline(owner, lambda params: jax.tree.map(lambda _: rule, params), learning_rate, weight_decay, mask)


def one_bit_adam_specs(params: optax.Params, axis_name: str) -> Any:
    """How the state of :func:`one_bit_adam` is sharded: each device has its own errors, all have the same moments.

    Args:
        params: The parameters, or arrays of their shapes.
        axis_name: As in :func:`one_bit_adam`.

    Returns:
        A state with a ``jax.sharding.PartitionSpec`` in the place of each array, for ``jax.shard_map``.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jax.sharding import PartitionSpec as P
        >>> from alphaadam.optax.baselines import one_bit_adam, one_bit_adam_specs
        >>> params, optimizer = jnp.ones(4), one_bit_adam(0.1, axis_name="data")
        >>> mesh, specs = jax.make_mesh((jax.device_count(),), ("data",)), one_bit_adam_specs(params, "data")
        >>> init = jax.jit(jax.shard_map(optimizer.init, mesh=mesh, in_specs=P(), out_specs=specs))
        >>> state = init(params)
        >>> specs.slots["worker_error"] == P("data")
        True
    """
    whole, own = PartitionSpec(), PartitionSpec(axis_name)
    slots = {"mu": whole, "nu": whole, **dict.fromkeys(_ERRORS, own)}
    return BaselineState(whole, jax.tree.map(lambda _: dict(slots), params))  # type: ignore[arg-type]
