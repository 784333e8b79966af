"""The optimizer class: what PyTorch knows of AlphaAdam. The arithmetic of one tensor stands in ``_step.py``."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

from alphaadam import _hyperparameters as checks
from alphaadam.torch._step import StepDiagnostics, step_tensor

__all__ = ["AlphaAdam", "StepDiagnostics"]

# Keys that AdamW writes into its param groups and AlphaAdam has no use for.
_ADAMW_ONLY = ("amsgrad", "foreach", "capturable", "differentiable", "fused", "decoupled_weight_decay")
_STATE = ("step", "exp_avg", "exp_avg_sq")


class AlphaAdam(Optimizer):
    r"""AdamW whose update is masked per coordinate and rescaled per tensor.

    For each parameter tensor :math:`\theta` with gradient :math:`g_t` and Adam's direction
    :math:`u = \hat m_t / (\sqrt{\hat v_t} + \epsilon)`:

    .. math::
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} - \eta\,\alpha\,(A \odot u), \qquad
        A_i = 1 \text{ if } m_{t-1,i} = 0 \text{ or } m_{t-1,i}\, g_{t,i} > 0 \text{, else } 0

    A coordinate is updated where its gradient agrees in sign with its history; :math:`\alpha` makes up for the
    length that masking takes away. With ``masking="none", alpha=1.0`` this is AdamW; with
    ``masking="sync", alpha="count"`` it is Cautious AdamW.

    The state is AdamW's (``step``, ``exp_avg``, ``exp_avg_sq``), so a ``torch.optim.AdamW`` checkpoint loads and
    continues here, and back. Half-precision tensors are computed in float32 and rounded once when stored; float16
    keeps no second moment for gradients below about 5e-3. Complex tensors are treated as pairs of reals, as in
    ``torch.optim.AdamW``.

    Args:
        params: Parameters, named parameters, or dicts that define parameter groups.
        lr: Learning rate, finite and >= 0; a float or a one-element tensor.
        betas: Decay rates of the first and second moment, each in [0, 1).
        eps: Added to the root of the second moment after bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0. It reaches every coordinate, masked or not.
        masking: ``"async"`` masks by the moment before this step and the gradient, ``"sync"`` by the moment after it,
            ``"none"`` not at all.
        alpha: ``"norm"`` for ``min(||u|| / ||A*u||, alpha_max)``, ``"count"`` for ``min(n / sum(A), alpha_max)``, or
            a finite number > 0.
        alpha_max: Cap of the rule, finite and >= 1. ``None`` is the rule's own cap: 2 for ``"norm"``, 1000 for
            ``"count"``. With a number as ``alpha`` it must be ``None``.
        maximize: Ascend instead of descend.
        record_diagnostics: Keep alpha and the mask of the last step in :attr:`diagnostics`, one byte per element.

    Attributes:
        diagnostics: ``{parameter: StepDiagnostics}`` of the last step; empty unless ``record_diagnostics``.

    Raises:
        TypeError: A hyperparameter is of the wrong type.
        ValueError: A hyperparameter is out of range.

    Source: Chang, Li and Yuan (2025), https://arxiv.org/abs/2501.18094, sections 3.2 and 4.4, appendices C, E and F.

    Example:
        >>> import torch
        >>> from alphaadam.torch import AlphaAdam
        >>> parameter = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
        >>> optimizer = AlphaAdam([parameter], lr=0.1, weight_decay=0.0)
        >>> for gradient in ([1.0, 1.0], [1.0, -1.0]):  # the second coordinate disagrees in step 2
        ...     parameter.grad = torch.tensor(gradient)
        ...     optimizer.step()
        >>> parameter.data
        tensor([0.7999, 0.9000])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        *,
        masking: str = "async",
        alpha: str | float = "norm",
        alpha_max: float | None = None,
        maximize: bool = False,
        record_diagnostics: bool = False,
    ) -> None:
        checks.check_flag("record_diagnostics", record_diagnostics)
        self.record_diagnostics = record_diagnostics
        self.diagnostics: dict[Tensor, StepDiagnostics] = {}
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "masking": masking,
            "alpha": alpha,
            "alpha_max": alpha_max,
            "maximize": maximize,
        }
        _check_group(defaults)
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group; hyperparameters that it leaves out are the constructor's.

        Raises:
            TypeError: A hyperparameter of the group is of the wrong type.
            ValueError: A hyperparameter of the group is out of range.
        """
        if isinstance(param_group, dict):  # the base class explains any other type
            _check_group({**self.defaults, **param_group})
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: Optional function that reevaluates the model and returns the loss.

        Returns:
            What ``closure`` returned, or None.

        Raises:
            RuntimeError: A gradient is sparse.
            ValueError: A group's learning rate is negative or not finite.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.diagnostics = {}
        for group in self.param_groups:
            _check_lr(group["lr"])
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step_parameter(parameter, group)
        return loss

    def _step_parameter(self, parameter: Tensor, group: dict[str, Any]) -> None:
        if parameter.grad.layout != torch.strided:  # type: ignore[union-attr]
            raise RuntimeError(
                f"AlphaAdam: a gradient of layout {parameter.grad.layout} (parameter of shape "  # type: ignore[union-attr]
                f"{tuple(parameter.shape)}) is not supported, since masking needs every coordinate. Make it dense: "
                "build torch.nn.Embedding with sparse=False, or call parameter.grad = parameter.grad.to_dense()."
            )
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)  # on the CPU: reading it must not wait for a device
            state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            state["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        state["step"] += 1
        diagnostics = step_tensor(
            parameter,
            parameter.grad,  # type: ignore[arg-type]
            state["exp_avg"],
            state["exp_avg_sq"],
            step=int(state["step"].item()),
            lr=float(group["lr"]),
            betas=group["betas"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            masking=group["masking"],
            alpha=group["alpha"],
            alpha_max=group["alpha_max"],
            maximize=group["maximize"],
        )
        if self.record_diagnostics:
            self.diagnostics[parameter] = diagnostics

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:  # type: ignore[override]
        """Load a state saved by AlphaAdam or by ``torch.optim.AdamW``.

        Groups saved by AdamW know nothing of ``masking``, ``alpha`` and ``alpha_max``; these keep the values this
        optimizer was built with. Nothing is changed if the state cannot be used.

        Args:
            state_dict: What ``state_dict()`` of one of these optimizers returned.

        Raises:
            ValueError: The state was saved with amsgrad or with coupled (L2) weight decay, a tensor's state is
                incomplete, or the groups do not fit.
        """
        groups = [dict(group) for group in state_dict["param_groups"]]
        for number, (group, own) in enumerate(zip(groups, self.param_groups, strict=False)):
            if group.get("amsgrad"):
                raise ValueError(
                    f"AlphaAdam: parameter group {number} was saved with amsgrad=True, which AlphaAdam does not have. "
                    "Continue with torch.optim.AdamW, or start AlphaAdam with a fresh state."
                )
            if group.get("decoupled_weight_decay") is False and group.get("weight_decay"):
                raise ValueError(
                    f"AlphaAdam: parameter group {number} was saved by torch.optim.Adam with coupled weight decay "
                    f"(weight_decay={group['weight_decay']}), AlphaAdam's is decoupled. Set the saved group's "
                    "weight_decay to 0 and choose a decoupled one after loading."
                )
            for key in _ADAMW_ONLY:
                group.pop(key, None)
            for key in self.defaults:
                group.setdefault(key, own[key])
            _check_group(group)
        for index, state in state_dict["state"].items():
            missing = [key for key in _STATE if key not in state]
            if state and missing:
                raise ValueError(
                    f"AlphaAdam: the saved state of parameter {index} lacks {', '.join(missing)}. Load a state saved "
                    "by AlphaAdam or torch.optim.AdamW, or start with a fresh one."
                )
        super().load_state_dict({**state_dict, "param_groups": groups})
        for state in self.state.values():
            # AdamW keeps an int in old versions, and with fused=True a tensor on the device.
            state["step"] = torch.as_tensor(state["step"], dtype=torch.float32, device="cpu")

    def __getstate__(self) -> dict[str, Any]:
        own = {"record_diagnostics": self.record_diagnostics, "diagnostics": self.diagnostics}
        return {**super().__getstate__(), **own}


def _check_lr(lr: float | Tensor) -> None:
    checks.check_nonnegative("lr", lr.item() if isinstance(lr, Tensor) and lr.numel() == 1 else lr, "1e-3")


def _check_group(group: dict[str, Any]) -> None:
    _check_lr(group["lr"])
    betas = group["betas"]
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise TypeError(
            f"AlphaAdam: betas={betas!r} is not valid. Pass a pair of numbers, for example betas=(0.9, 0.999)."
        )
    checks.check_beta("betas[0]", betas[0], "0.9")
    checks.check_beta("betas[1]", betas[1], "0.999")
    checks.check_nonnegative("eps", group["eps"], "1e-8")
    checks.check_nonnegative("weight_decay", group["weight_decay"], "0.01")
    checks.check_masking(group["masking"])
    checks.check_alpha(group["alpha"], group["alpha_max"])
    checks.check_flag("maximize", group["maximize"])
