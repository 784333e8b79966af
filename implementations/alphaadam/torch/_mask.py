"""Masking and alpha around another optimizer: what the inner one does to a tensor is read from the tensor itself."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import LBFGS, SGD, RMSprop
from torch.optim.optimizer import Optimizer

from alphaadam import _hyperparameters as checks
from alphaadam.torch import _sharded
from alphaadam.torch._alphaadam import AlphaAdam
from alphaadam.torch._loop import agree, compute_dtype
from alphaadam.torch._settings import StepDiagnostics, measured_strengths

__all__ = ["AlphaMask"]

# Where optimizers keep their momentum: SGD, Muon and RMSprop; Adam and its relatives, Lion.
_MOMENTUM_KEYS = ("momentum_buffer", "exp_avg")

_ATTRIBUTES = ("optimizer", "momentum_key", "record_diagnostics", "diagnostics", "_keys", "_defaults")


class _Pending(NamedTuple):
    """A parameter whose inner step is under way: what it was, and the mask if that is known already."""

    parameter: Tensor
    group: dict[str, Any]
    before: Tensor  # of a DTensor, here and everywhere below, this rank's shard
    mask: Tensor | None


class AlphaMask(Optimizer):
    r"""AlphaAdam's mask and alpha around any optimizer with a momentum buffer.

    The inner optimizer, run without weight decay, would move a parameter tensor :math:`\theta` to :math:`\theta_I`.
    With its momentum :math:`m`, the gradient :math:`g_t` and :math:`u = (\theta - \theta_I) / \eta`:

    .. math::
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} - \eta\,\alpha\,(A \odot u), \qquad
        A_i = 1 \text{ if } m_{t-1,i} = 0 \text{ or } m_{t-1,i}\, g_{t,i} > 0 \text{, else } 0

    Mask and :math:`\alpha` are :class:`AlphaAdam`'s, and around Adam this is AlphaAdam up to rounding. Weight decay is
    decoupled, whatever the inner optimizer makes of it: its ``weight_decay`` is 0 while it steps. With
    ``masking="none", alpha=1.0`` and no decay a step is the inner optimizer's own, bit for bit.

    The parameter groups and the state are the inner optimizer's, the same objects: schedulers work on either
    optimizer, checkpoints of the bare inner optimizer load here, and back. No second momentum is kept. During a step
    there is a copy of every parameter that has a gradient, a mask of one byte for each of their elements, and a few
    temporaries of one tensor's size.

    The update is read through the parameter's dtype, so it is known to half an ulp of :math:`\theta_I`. In float32 and
    float64 that does not matter. A half-precision parameter loses updates that are small beside it, as it does under
    the inner optimizer, and alpha is computed from what is left: keep such parameters in float32 if you can.
    The rest is computed in float32 and rounded once. Complex tensors are treated as pairs of reals. For sharded tensors
    (``DTensor``) alpha is that of the whole logical tensor, at the cost of one all-reduce for each step; the inner
    optimizer must be able to step them.

    Args:
        optimizer: The inner optimizer: ``torch.optim.SGD`` with momentum, ``Muon``, ``Adam``, ``NAdam``, ``RAdam``,
            ``Adamax``, ``RMSprop`` with momentum, ``lion_pytorch.Lion``, ``alphaadam.torch.baselines.Adan``, or any
            other that moves parameters in ``step()`` and keeps a momentum of their shape in its state. Call ``step`` on
            the ``AlphaMask`` only.
        masking: ``"async"`` masks by the momentum before this step and the gradient, ``"sync"`` by the momentum after
            it, ``"none"`` not at all.
        alpha: ``"norm"`` for ``min(||u|| / ||A*u||, alpha_max)``, ``"count"`` for ``min(n / sum(A), alpha_max)``, or
            a finite number > 0.
        alpha_max: Cap of the rule, finite and >= 1. ``None`` is the rule's own cap: 2 for ``"norm"``, 1000 for
            ``"count"``. With a number as ``alpha`` it must be ``None``.
        momentum_key: Name of the momentum in the inner optimizer's state. ``None`` takes the first that is there of
            ``"momentum_buffer"`` and ``"exp_avg"``.
        record_diagnostics: Keep alpha and the mask of the last step in :attr:`diagnostics`, one byte per element.

    ``masking``, ``alpha`` and ``alpha_max`` stand in the parameter groups, and a group may have its own. Where the
    inner optimizer has a hyperparameter of that name, as ``RMSprop`` has ``alpha``, the key is ``mask_alpha``.

    Attributes:
        optimizer: The inner optimizer.
        diagnostics: ``{parameter: StepDiagnostics}`` of the last step; empty unless ``record_diagnostics``.

    Raises:
        TypeError: ``optimizer`` is no optimizer or one that cannot be wrapped (``LBFGS``, which evaluates the model
            several times in a step; ``AlphaAdam`` and ``AlphaMask``, which mask by themselves), or a hyperparameter is
            of the wrong type.
        ValueError: A hyperparameter is out of range, or the inner optimizer keeps no momentum.

    Source: Chang, Li and Yuan (2025), https://arxiv.org/abs/2501.18094, sections 3.2 and 4.4. The paper masks Adam;
    the form for other optimizers is this project's.

    Example:
        >>> import torch
        >>> from alphaadam.torch import AlphaMask
        >>> parameter = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
        >>> optimizer = AlphaMask(torch.optim.SGD([parameter], lr=0.1, momentum=0.5))
        >>> for gradient in ([1.0, 1.0], [0.5, -0.5]):  # the second coordinate disagrees in step 2
        ...     parameter.grad = torch.tensor(gradient)
        ...     optimizer.step()
        >>> parameter.data
        tensor([0.8000, 0.9000])
    """

    optimizer: Optimizer

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        masking: str = "async",
        alpha: str | float = "norm",
        alpha_max: float | None = None,
        momentum_key: str | None = None,
        record_diagnostics: bool = False,
    ) -> None:
        _check_optimizer(optimizer)
        checks.check_flag("record_diagnostics", record_diagnostics)
        if not isinstance(momentum_key, str | None):
            raise TypeError(
                f"AlphaMask: momentum_key={momentum_key!r} is not valid. Pass the name of the momentum in the inner "
                "optimizer's state, for example 'exp_avg', or None."
            )
        self.optimizer = optimizer
        self.momentum_key = momentum_key
        self.record_diagnostics = record_diagnostics
        self.diagnostics: dict[Tensor, StepDiagnostics] = {}
        settings = {"masking": masking, "alpha": alpha, "alpha_max": alpha_max}
        self._keys = {name: f"mask_{name}" if name in optimizer.defaults else name for name in settings}
        self._defaults = {self._keys[name]: value for name, value in settings.items()}
        for number, group in enumerate(self.param_groups):
            self._check_group({**self._defaults, **group}, number)
        self._complete_groups()
        super().__setstate__({})  # hooks and profiling; a state and groups of its own it must not have

    # The inner optimizer may get new groups and a new state at any time, from a checkpoint: look there each time.

    @property
    def param_groups(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The inner optimizer's parameter groups."""
        return self.optimizer.param_groups

    @property
    def state(self) -> Any:  # type: ignore[override]
        """The inner optimizer's state."""
        return self.optimizer.state

    @property
    def defaults(self) -> dict[str, Any]:  # type: ignore[override]
        """The inner optimizer's defaults, and those of the mask."""
        return {**self.optimizer.defaults, **self._defaults}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group to the inner optimizer; hyperparameters that it leaves out are the constructors'.

        Raises:
            TypeError: A hyperparameter of the group is of the wrong type.
            ValueError: A hyperparameter of the group is out of range.
        """
        if isinstance(param_group, dict):  # the inner optimizer explains any other type
            self._check_group({**self.defaults, **param_group}, len(self.param_groups))
        self.optimizer.add_param_group(param_group)
        self._complete_groups()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients, as the inner optimizer does."""
        self.optimizer.zero_grad(set_to_none)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Let the inner optimizer step, then mask and rescale what it did to every parameter that has a gradient.

        Args:
            closure: Optional function that reevaluates the model and returns the loss. It is called once, here; the
                inner optimizer gets none.

        Returns:
            What ``closure`` returned, or None.

        Raises:
            RuntimeError: A gradient is sparse.
            ValueError: The inner optimizer keeps no momentum (the parameters are then left as they were), or a
                group's hyperparameter has turned bad.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.diagnostics = {}
        self._complete_groups()
        for number, group in enumerate(self.param_groups):
            self._check_group(group, number)
        pending = [
            self._prepare(parameter, group)
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        with self._without_decay():
            self.optimizer.step()
        self._require_momentum(pending)
        totals = self._totals(pending)
        pending.reverse()
        while pending:  # each copy is freed as soon as it has served
            self._finish(pending.pop(), totals)
        return loss

    def _prepare(self, parameter: Tensor, group: dict[str, Any]) -> _Pending:
        """Copy what the inner step overwrites, and decide the mask where the momentum before the step does that."""
        gradient = parameter.grad
        assert gradient is not None
        if gradient.layout != torch.strided:
            raise RuntimeError(
                f"AlphaMask: a gradient of layout {gradient.layout} (parameter of shape {tuple(parameter.shape)}) is "
                "not supported, since masking needs every coordinate. Make it dense: build torch.nn.Embedding with "
                "sparse=False, or call parameter.grad = parameter.grad.to_dense()."
            )
        mask = None
        if group[self._keys["masking"]] == "async":
            momentum = self._momentum(parameter)
            if momentum is not None:
                m = _as_real(_sharded.shard(_sharded.placed_like(momentum, parameter)))
                mask = agree(m, self._gradient(parameter, group)).logical_or_(m == 0)
        return _Pending(parameter, group, _sharded.shard(parameter.detach()).clone(), mask)

    @contextmanager
    def _without_decay(self) -> Iterator[None]:
        """Weight decay is ours: hide it from the inner optimizer."""
        decays = [(group, group["weight_decay"]) for group in self.param_groups if "weight_decay" in group]
        try:
            for group, _ in decays:
                group["weight_decay"] = 0.0
            yield
        finally:
            for group, decay in decays:
                group["weight_decay"] = decay

    def _require_momentum(self, pending: list[_Pending]) -> None:
        """Undo the inner step unless there is a momentum wherever masking needs one."""
        for parameter, group, *_ in pending:
            if group[self._keys["masking"]] != "none" and self._momentum(parameter) is None:
                for each in pending:
                    _sharded.shard(each.parameter).copy_(each.before)
                held = ", ".join(map(str, self.state.get(parameter, ()))) or "nothing"
                wanted = "momentum" if self.momentum_key is None else f"{self.momentum_key!r}"
                raise ValueError(
                    f"AlphaMask: {type(self.optimizer).__name__} keeps no {wanted} to mask by: its state of a "
                    f"parameter holds {held}. Wrap an optimizer that has one, for example "
                    "torch.optim.SGD(params, momentum=0.9), or name its buffer with momentum_key."
                )

    def _totals(self, pending: list[_Pending]) -> dict[Tensor, Tensor]:
        """What the masks of sharded parameters keep and drop, over all shards."""
        measured = {
            parameter: None
            for group in self.param_groups
            if group[self._keys["masking"]] != "none" and isinstance(group[self._keys["alpha"]], str)
            for parameter in group["params"]
            if _sharded.is_sharded(parameter)
        }
        if not measured:
            return {}
        sums = {}
        for each in pending:
            if each.parameter in measured:
                mask, delta = self._decided(each)
                sums[each.parameter] = _sums(each.group[self._keys["alpha"]], mask, delta, delta * mask)
        return _sharded.add_up(measured, sums)

    def _decided(self, pending: _Pending) -> tuple[Tensor, Tensor]:
        """The mask, and what the inner optimizer added to the parameter."""
        parameter, group, before, mask = pending
        stored = _as_real(_sharded.shard(parameter.detach()))
        if group[self._keys["masking"]] == "sync":
            momentum = self._momentum(parameter)
            assert momentum is not None
            m = _as_real(_sharded.shard(_sharded.placed_like(momentum, parameter)))
            mask = agree(m, self._gradient(parameter, group))
        elif mask is None:  # no mask, or no history
            mask = torch.ones_like(stored, dtype=torch.bool)
        compute = compute_dtype(stored.dtype)
        return mask, stored.to(compute) - _as_real(before).to(compute)  # -lr * u; lr cancels in alpha

    def _finish(self, pending: _Pending, totals: Mapping[Tensor, Tensor]) -> None:
        """Replace the inner optimizer's step on one parameter by the masked and rescaled one."""
        parameter, group = pending.parameter, pending.group
        masking, alpha, alpha_max = (group[self._keys[name]] for name in ("masking", "alpha", "alpha_max"))
        decay = float(group["lr"]) * float(group.get("weight_decay", 0.0))
        mask, delta = self._decided(pending)
        # A*u is a product, not a selection: a NaN stays loud where the mask is 0.
        masked = delta * mask
        if not isinstance(alpha, str) or masking == "none":
            strength = torch.full((), 1.0 if isinstance(alpha, str) else alpha, dtype=torch.float64, device=mask.device)
        else:
            sums = totals[parameter] if parameter in totals else _sums(alpha, mask, delta, masked)
            strength = measured_strengths(sums, alpha, checks.alpha_cap(alpha, alpha_max))
        stored = _as_real(_sharded.shard(parameter.detach()))
        theta = _as_real(pending.before).to(delta.dtype)
        moved = (theta if decay == 0 else theta * (1 - decay)).add(masked.mul_(strength.to(delta.dtype)))
        if decay == 0:
            # theta + (inner - theta) need not be inner, and where alpha changes nothing it should be.
            moved = torch.where(mask & (strength == 1), stored.to(delta.dtype), moved)
        stored.copy_(moved)
        if self.record_diagnostics:
            self.diagnostics[parameter] = StepDiagnostics(strength, mask)

    def _momentum(self, parameter: Tensor) -> Tensor | None:
        """The inner optimizer's momentum of a parameter, None where there is none (yet)."""
        state = self.state.get(parameter, {})
        keys = _MOMENTUM_KEYS if self.momentum_key is None else (self.momentum_key,)
        for key in keys:
            momentum = state.get(key)
            if momentum is None:
                continue
            if not isinstance(momentum, Tensor) or momentum.shape != parameter.shape or not _is_inexact(momentum):
                what = (
                    f"a tensor of shape {tuple(momentum.shape)} and {momentum.dtype}"
                    if isinstance(momentum, Tensor)
                    else repr(momentum)
                )
                raise ValueError(
                    f"AlphaMask: {key!r} in the state of {type(self.optimizer).__name__} is {what}, no momentum of a "
                    f"parameter of shape {tuple(parameter.shape)}. Name the right one with momentum_key; an optimizer "
                    "that keeps its momentum projected or quantized cannot be wrapped."
                )
            return momentum
        return None

    @staticmethod
    def _gradient(parameter: Tensor, group: dict[str, Any]) -> Tensor:
        """The gradient as the inner optimizer's momentum gathers it: negated when maximizing."""
        assert parameter.grad is not None
        gradient = _as_real(_sharded.shard(_sharded.placed_like(parameter.grad, parameter)))
        return -gradient if group.get("maximize", False) else gradient

    def state_dict(self) -> dict[str, Any]:
        """Return the inner optimizer's state, its groups with the keys ``masking``, ``alpha`` and ``alpha_max``."""
        for pre_hook in self._optimizer_state_dict_pre_hooks.values():
            pre_hook(self)
        self._complete_groups()
        state_dict = self.optimizer.state_dict()
        for post_hook in self._optimizer_state_dict_post_hooks.values():
            state_dict = post_hook(self, state_dict) or state_dict
        return state_dict

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:  # type: ignore[override]
        """Load a state saved by an AlphaMask or by the inner optimizer alone.

        Groups saved by the inner optimizer alone know nothing of ``masking``, ``alpha`` and ``alpha_max``; these keep
        the values that they have here.

        Args:
            state_dict: What ``state_dict()`` of one of these optimizers returned.

        Raises:
            TypeError: A saved hyperparameter is of the wrong type.
            ValueError: A saved hyperparameter is out of range, or the groups do not fit.
        """
        state_dict = dict(state_dict)
        for pre_hook in self._optimizer_load_state_dict_pre_hooks.values():
            state_dict = pre_hook(self, state_dict) or state_dict
        self._complete_groups()
        groups = [dict(group) for group in state_dict["param_groups"]]
        for number, (group, own) in enumerate(zip(groups, self.param_groups, strict=False)):
            for key in self._defaults:
                group.setdefault(key, own[key])
            self._check_group(group, number)
        self.optimizer.load_state_dict({**state_dict, "param_groups": groups})
        for post_hook in self._optimizer_load_state_dict_post_hooks.values():
            post_hook(self)

    def _complete_groups(self) -> None:
        """Write the mask's keys into groups that lack them: those that the inner optimizer got by itself."""
        for group in self.param_groups:
            for key, value in self._defaults.items():
                group.setdefault(key, value)

    def _check_group(self, group: dict[str, Any], number: int) -> None:
        masking, alpha, alpha_max = (group[self._keys[name]] for name in ("masking", "alpha", "alpha_max"))
        checks.check_masking(masking)
        checks.check_alpha(alpha, alpha_max)
        checks.check_nonnegative("lr", _number(group.get("lr")), "1e-3")
        checks.check_nonnegative("weight_decay", _number(group.get("weight_decay", 0.0)), "0.01")
        # Others have momentum whatever its factor is, or show at the first step that they have none.
        if masking != "none" and isinstance(self.optimizer, SGD | RMSprop) and group["momentum"] == 0:
            raise ValueError(
                f"AlphaMask: {type(self.optimizer).__name__} keeps no momentum in parameter group {number}, where "
                "momentum=0, and without one there is nothing to mask by. Set momentum to 0.9, for example, or "
                "masking to 'none'."
            )

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _ATTRIBUTES}  # hooks do not travel, as in the base class


def _check_optimizer(optimizer: object) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(
            f"AlphaMask: {optimizer!r} is no torch.optim.Optimizer. Pass an instance, for example "
            "AlphaMask(torch.optim.SGD(params, lr=0.1, momentum=0.9))."
        )
    if isinstance(optimizer, LBFGS):
        raise TypeError(
            "AlphaMask: LBFGS evaluates the model several times in one step and keeps no momentum. Wrap a first-order "
            "optimizer, for example torch.optim.SGD(params, momentum=0.9)."
        )
    if isinstance(optimizer, AlphaAdam | AlphaMask):
        raise TypeError(
            f"AlphaMask: {type(optimizer).__name__} masks by itself. Set its own masking, alpha and alpha_max instead."
        )


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, Tensor) and value.numel() == 1 else value


def _as_real(tensor: Tensor) -> Tensor:
    """Real and imaginary parts are coordinates of their own."""
    return torch.view_as_real(tensor) if torch.is_complex(tensor) else tensor


def _is_inexact(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _sums(alpha: str, mask: Tensor, delta: Tensor, masked: Tensor) -> Tensor:
    """What the mask keeps and what it drops: two float64 numbers on the tensor's device."""
    if alpha == "count":
        kept = mask.sum(dtype=torch.float64)
        return torch.stack([kept, mask.numel() - kept])
    # Squares of float32 values are exact in float64 and do not underflow. What the mask keeps and drops, rather than
    # the whole: alpha is exactly 1 if it drops nothing, and never less.
    norms = [torch.linalg.vector_norm(part, dtype=torch.float64) for part in (masked, delta - masked)]
    return torch.stack(norms).square()
