"""The optimizer class: what PyTorch knows of AlphaAdam. ``_paths`` chooses the module that does the arithmetic."""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

from alphaadam.torch import _checkpoint, _groups, _loop, _paths, _sharded
from alphaadam.torch._settings import Settings, StepDiagnostics, Tensors

__all__ = ["AlphaAdam"]


class _Batch(NamedTuple):
    """Parameters that are stepped together: of one group, on one device, of one dtype."""

    parameters: list[Tensor]  # as the user knows them; `tensors` has their real views or shards
    tensors: Tensors
    settings: Settings
    path: ModuleType


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
    ``torch.optim.AdamW``. A gradient that is not finite is never hidden by the mask: with ``alpha="norm"`` it makes
    its whole tensor NaN, else its coordinate. For sharded tensors (``DTensor``) alpha is that of the whole logical
    tensor: what each shard's mask keeps and drops is added up in one all-reduce for each step.

    Paths. The result is the same up to the rounding of single operations; the default is the fastest that is there.

    ========== ========================== =========================================================================
    path       chosen by                  what it is
    ========== ========================== =========================================================================
    fused      ``fused=True``, default    Two passes over memory in compiled kernels: Triton on CUDA, Numba on the
                                          CPU (extra ``numba``). Scratch memory is one bit per element.
    foreach    ``foreach=True``, default  PyTorch's own operations over lists of tensors. Temporaries are over four
               on CUDA without Triton     times the bytes of the parameters.
    plain loop ``foreach=False``, default PyTorch's own operations, tensor by tensor.
               elsewhere
    ========== ========================== =========================================================================

    Args:
        params: Parameters, named parameters, or dicts that define parameter groups.
        lr: Learning rate, finite and >= 0; a float or a one-element tensor. A tensor is read at each step without
            recompiling a compiled step or recapturing a CUDA graph.
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
        foreach: Whether to take the foreach path; ``None`` leaves the choice to the optimizer.
        capturable: Keep ``step`` on the parameter's device and never wait for that device, so that a CUDA graph can
            capture the step. Fused steps on CUDA always do so.
        differentiable: Let autograd record the step. Takes the plain loop.
        fused: Whether to take the fused path; ``None`` leaves the choice to the optimizer. With ``True``, a
            ``torch.amp.GradScaler`` leaves unscaling, and skipping a step whose gradients overflowed, to the kernels.
        record_diagnostics: Keep alpha and the mask of the last step in :attr:`diagnostics`, one byte per element.

    Attributes:
        diagnostics: ``{parameter: StepDiagnostics}`` of the last step, emptied and filled anew by each; empty unless
            ``record_diagnostics``.

    Raises:
        TypeError: A hyperparameter is of the wrong type.
        ValueError: A hyperparameter is out of range, or a group has a key that looks like a misspelt one.
        RuntimeError: Paths exclude one another, or ``fused=True`` is not available for a parameter.

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
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        record_diagnostics: bool = False,
    ) -> None:
        _groups.check_flag("record_diagnostics", record_diagnostics)
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
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
        }
        _groups.check(defaults)
        super().__init__(params, defaults)
        if fused:  # a GradScaler asks for this attribute
            self._step_supports_amp_scaling = True

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group; hyperparameters that it leaves out are the constructor's.

        Raises:
            TypeError: A hyperparameter of the group is of the wrong type.
            ValueError: A hyperparameter of the group is out of range, or a key looks like a misspelt one.
            RuntimeError: The group asks for ``fused=True``, which is not available for one of its parameters.
        """
        if isinstance(param_group, dict):  # the base class explains any other type
            _groups.check({**self.defaults, **param_group})
        super().add_param_group(param_group)
        added = self.param_groups[-1]
        if added["fused"]:
            try:
                for parameter in added["params"]:
                    if parameter.device.type != "meta":  # where it will be is not known yet
                        _paths.require_fused(parameter.device, parameter.dtype)
            except RuntimeError:
                self.param_groups.pop()
                raise

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: Optional function that reevaluates the model and returns the loss.

        Returns:
            What ``closure`` returned, or None.

        Raises:
            RuntimeError: A gradient is sparse, or a parameter has a dtype without arithmetic (float8).
            ValueError: A group's learning rate is negative or not finite, or a group has a misspelt key.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            self._step()
        return loss

    def _step(self) -> None:
        self.diagnostics.clear()  # the same dict for ever: a compiled step cannot assign an optimizer's attributes
        batches = [self._batches(group) for group in self.param_groups]  # what is wrong with one shows before any step
        measured = []  # sharded tensors whose alpha depends on all shards, whether this rank has a gradient or not
        waiting = []
        for group, of_group in zip(self.param_groups, batches, strict=True):
            sharded = [parameter for parameter in group["params"] if _sharded.is_sharded(parameter)]
            if group["masking"] != "none" and isinstance(group["alpha"], str):
                measured += sharded
            for batch in of_group:
                if sharded and batch.settings.measures:
                    waiting.append((batch, batch.path.begin(batch.tensors, batch.settings)))
                else:
                    self._keep(batch, batch.path.step(batch.tensors, batch.settings))
        if not measured:
            return
        sums = {
            parameter: row
            for batch, begun in waiting
            for parameter, row in zip(batch.parameters, begun.sums.unbind(), strict=True)
        }
        totals = _sharded.add_up(measured, sums)
        for batch, begun in waiting:
            self._keep(batch, begun.finish(torch.stack([totals[parameter] for parameter in batch.parameters])))

    def _keep(self, batch: _Batch, diagnostics: list[StepDiagnostics] | None) -> None:
        if diagnostics is not None:
            self.diagnostics.update(zip(batch.parameters, diagnostics, strict=True))

    def _batches(self, group: dict[str, Any]) -> list[_Batch]:
        """A group's parameters that have a gradient, by device and dtype, each with the path it takes."""
        params: list[Tensor] = []
        columns: tuple[list[Tensor], ...] = ([], [], [], [])
        self._init_group(group, params, *columns)
        if not params:
            return []
        tensors = [params, *columns]
        if any(_sharded.is_dtensor(parameter) for parameter in params):
            if group["differentiable"]:
                raise RuntimeError(
                    "AlphaAdam: differentiable=True is not available for DTensor parameters, whose shards are updated "
                    "in place. Differentiate through a step of whole tensors: parameter.full_tensor()."
                )
            tensors[1] = [_sharded.placed_like(*pair) for pair in zip(tensors[1], params, strict=True)]
            tensors = [[_sharded.shard(tensor) for tensor in column] for column in tensors]
        if any(torch.is_complex(parameter) for parameter in params):  # parts are coordinates of their own
            tensors = [
                [torch.view_as_real(t.resolve_conj()) if t.is_complex() else t for t in column] for column in tensors
            ]
        first = tensors[0][0]
        alike = all(p.dtype == first.dtype and p.device == first.device for p in tensors[0])
        if alike:
            return self._by_path(group, params, Tensors(*tensors))
        rows_of: dict[tuple[torch.device, torch.dtype], list[int]] = {}
        for row, parameter in enumerate(tensors[0]):
            rows_of.setdefault((parameter.device, parameter.dtype), []).append(row)
        return [
            batch
            for rows in rows_of.values()
            for batch in self._by_path(group, *_select(rows, params, Tensors(*tensors)))
        ]

    def _by_path(self, group: dict[str, Any], params: list[Tensor], tensors: Tensors) -> list[_Batch]:
        """Tensors of one device and dtype; those that kernels cannot address go through the plain loop."""
        path = _paths.choose(group, tensors.params[0].device, tensors.params[0].dtype)
        if not _paths.is_fused(path):
            settings = self._settings(group, tensors, fused=False)
            return [] if settings is None else [_Batch(params, tensors, settings, path)]
        fits = [_paths.is_addressable(*one) for one in zip(*tensors[:4], strict=True)]
        batches = []
        for wanted, chosen in ((True, path), (False, _loop)):
            rows = [row for row, fit in enumerate(fits) if fit is wanted]
            if not rows:
                continue
            some, selected = (params, tensors) if len(rows) == len(params) else _select(rows, params, tensors)
            settings = self._settings(group, selected, fused=wanted)
            if settings is not None:
                batches.append(_Batch(some, selected, settings, chosen))
        return batches

    def _settings(self, group: dict[str, Any], tensors: Tensors, *, fused: bool) -> Settings | None:
        """How a batch is to be stepped; None if a GradScaler found that it must not be."""
        device = tensors.params[0].device
        scale, found_inf = getattr(self, "grad_scale", None), getattr(self, "found_inf", None)
        if found_inf is not None and not (fused and device.type == "cuda"):
            if found_inf.item():
                return None
            found_inf = None
        elif found_inf is not None:
            found_inf = found_inf.to(device, non_blocking=True)
        if scale is not None and not fused:
            torch._foreach_mul_(list(tensors.grads), float(scale.double().reciprocal().float()))
            scale = None
        elif scale is not None:
            scale = scale.to(device, non_blocking=True)
        by_tensor = group["capturable"] or group["differentiable"] or torch.compiler.is_compiling()
        lr = group["lr"]
        if isinstance(lr, Tensor) and not (fused and device.type == "cuda"):
            lr = lr.to(torch.float64).reshape(()) if by_tensor else lr.item()
        return Settings(
            lr=lr,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            masking=group["masking"],
            alpha=group["alpha"],
            alpha_max=group["alpha_max"],
            maximize=group["maximize"],
            by_tensor=by_tensor,
            differentiable=group["differentiable"],
            record=self.record_diagnostics,
            grad_scale=scale,
            found_inf=found_inf,
        )

    def _init_group(
        self,
        group: dict[str, Any],
        params: list[Tensor],
        grads: list[Tensor],
        exp_avgs: list[Tensor],
        exp_avg_sqs: list[Tensor],
        steps: list[Tensor],
    ) -> bool:
        """Append the group's parameters that have a gradient and what belongs to them; create missing state.

        ``torch.compile`` knows this method of an optimizer by its name and runs it outside the graph.

        Returns:
            Whether there are complex parameters.
        """
        _groups.check_before_step(group)
        has_complex = False
        for parameter in group["params"]:
            gradient = parameter.grad
            if gradient is None:
                continue
            _groups.check_gradient(parameter, gradient)
            has_complex |= parameter.is_complex()
            state = self.state[parameter]
            if not state:
                _groups.check_dtype(parameter)
                state["step"] = torch.zeros((), dtype=torch.float32, device=_step_device(group, parameter))
                state["exp_avg"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
                state["exp_avg_sq"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            params.append(parameter)
            grads.append(gradient)
            exp_avgs.append(state["exp_avg"])
            exp_avg_sqs.append(state["exp_avg_sq"])
            steps.append(state["step"])
        return has_complex

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:  # type: ignore[override]
        """Load a state saved by AlphaAdam or by ``torch.optim.AdamW``.

        Groups saved by AdamW know nothing of ``masking``, ``alpha`` and ``alpha_max``; these keep the values this
        optimizer was built with, and so do, always, ``foreach``, ``fused``, ``capturable`` and ``differentiable``,
        which belong to the machine and not to the training. A parameter without saved state starts afresh. Nothing
        is changed if the state cannot be used.

        Args:
            state_dict: What ``state_dict()`` of one of these optimizers returned.

        Raises:
            ValueError: The state was saved with amsgrad or with coupled (L2) weight decay, a tensor's state is
                incomplete or of another shape, or the groups do not fit.
        """
        super().load_state_dict(_checkpoint.usable(state_dict, self.param_groups, self.defaults))
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state.get(parameter)
                if state:  # AdamW keeps an int in old versions, and with fused=True a tensor on the device
                    state["step"] = torch.as_tensor(
                        state["step"], dtype=torch.float32, device=_step_device(group, parameter)
                    )

    def __getstate__(self) -> dict[str, Any]:
        own = {"record_diagnostics": self.record_diagnostics, "diagnostics": self.diagnostics}
        if hasattr(self, "_step_supports_amp_scaling"):
            own["_step_supports_amp_scaling"] = self._step_supports_amp_scaling
        return {**super().__getstate__(), **own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # pickled before the keys existed
            for key, value in _groups.EXECUTION_DEFAULTS.items():
                group.setdefault(key, value)


def _step_device(group: dict[str, Any], parameter: Tensor) -> torch.device:
    """Where a parameter's ``step`` lives: on the CPU, where reading it waits for nothing, unless kernels read it."""
    if group["capturable"] or (
        parameter.device.type == "cuda" and _paths.is_fused(_paths.choose(group, parameter.device, parameter.dtype))
    ):
        return parameter.device
    return torch.device("cpu")


def _select(rows: list[int], params: list[Tensor], tensors: Tensors) -> tuple[list[Tensor], Tensors]:
    return [params[row] for row in rows], Tensors(*([column[row] for row in rows] for column in tensors))
