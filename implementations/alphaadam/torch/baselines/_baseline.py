"""What the baselines have in common as PyTorch optimizers; a rule says what a tensor keeps and how it moves."""

import difflib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim.optimizer import Optimizer, ParamsT

from alphaadam import _hyperparameters as checks

__all__ = ["Baseline", "MatrixBaseline", "check_betas"]


class Baseline(Optimizer):
    """An optimizer whose tensors are stepped one by one, by :meth:`_move`.

    Arithmetic and state are float32 for half-precision parameters, else of the parameter's dtype; a parameter is
    rounded once in each step. A checkpoint holds tensors and numbers alone, loads with ``weights_only=True``, and
    keeps the dtypes that it was saved with, so that training continues bit by bit.

    Subclasses define :meth:`_check`, :meth:`_begin` and :meth:`_move`, and pass their hyperparameters as ``defaults``.
    """

    _others: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("beta1", "beta2", "beta_1", "beta_2", "b1", "b2"), "betas"),
        "learning_rate": "lr",
        "epsilon": "eps",
        "wd": "weight_decay",
        "decay": "weight_decay",
    }
    """What other libraries call hyperparameters: as a key of a group they would be ignored."""
    _optimizer_load_state_dict_pre_hooks: OrderedDict[int, Any]  # the base class's own

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self._check_group(defaults)
        super().__init__(params, defaults)

    def _check(self, group: Mapping[str, Any]) -> None:
        """Check the hyperparameters that only this rule has.

        Raises:
            TypeError: One is of the wrong type.
            ValueError: One is out of range.
        """

    def _begin(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        """The state of a parameter before its first step, beside ``step``."""
        raise NotImplementedError

    def _move(
        self, theta: Tensor, gradient: Tensor, state: dict[str, Any], step: int, group: Mapping[str, Any]
    ) -> None:
        """Carry out one step, decay included.

        Args:
            theta: The parameter in the dtype of the arithmetic, to be changed in place.
            gradient: Its gradient in the same dtype, negated when maximizing; not to be changed.
            state: What :meth:`_begin` made, to be changed in place or replaced key by key.
            step: The number of this step of the parameter, from 1.
            group: Its group; ``lr`` is a float.
        """
        raise NotImplementedError

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _check_group(self, group: Mapping[str, Any]) -> None:
        known = {"params", *self._defaults_of(group)}
        for key in group.keys() - known:
            # Schedulers keep keys of their own in the groups, such as max_momentum: only what is nearer is a mistake.
            close = {self._others.get(key)} & known or difflib.get_close_matches(str(key), known, 1, 0.85)
            if close:
                raise ValueError(
                    f"{self._name}: a parameter group has the key {key!r}, which would be ignored. Did you mean "
                    f"{next(iter(close))!r}?"
                )
        self._check_lr(group["lr"])
        checks.check_nonnegative("weight_decay", group["weight_decay"], "0.1", self._name)
        checks.check_flag("maximize", group["maximize"], self._name)
        self._check(group)

    def _defaults_of(self, group: Mapping[str, Any]) -> Mapping[str, Any]:
        return getattr(self, "defaults", group)

    def _check_lr(self, lr: Any) -> None:
        value = lr.item() if isinstance(lr, Tensor) and lr.numel() == 1 else lr
        checks.check_nonnegative("lr", value, "1e-3", self._name)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group; hyperparameters that it leaves out are the constructor's.

        Raises:
            TypeError: A hyperparameter is of the wrong type, or a parameter is complex.
            ValueError: A hyperparameter is out of range, or a key is another library's name for one.
        """
        if isinstance(param_group, dict):  # the base class explains any other type
            self._check_group({**self.defaults, **param_group})
        super().add_param_group(param_group)
        for parameter in self.param_groups[-1]["params"]:
            if parameter.is_complex() or not parameter.is_floating_point() or parameter.dtype.itemsize == 1:
                self.param_groups.pop()
                raise TypeError(
                    f"{self._name}: a parameter of shape {tuple(parameter.shape)} is {parameter.dtype}, which is not "
                    "supported. Pass float32, float64, bfloat16 or float16; of a complex one its real view, "
                    "torch.view_as_real."
                )

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
        for group in self.param_groups:
            self._check_lr(group["lr"])
        taking_part = []
        for group in self.param_groups:
            lr = group["lr"]
            settings = {**group, "lr": lr.item() if isinstance(lr, Tensor) else lr}
            taking_part += [(parameter, settings) for parameter in group["params"] if parameter.grad is not None]
        with torch.no_grad():
            self._step_all(taking_part)
        return loss

    def _step_all(self, taking_part: Sequence[tuple[Tensor, Mapping[str, Any]]]) -> None:
        """Step parameters that have gradients, each with its group, one by one."""
        for parameter, group in taking_part:
            gradient, state = self._receive(parameter, group)
            theta = parameter.to(gradient.dtype)
            self._move(theta, gradient, state, int(state["step"].item()), group)
            if theta is not parameter:
                parameter.copy_(theta)

    def _receive(self, parameter: Tensor, group: Mapping[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """The gradient in the dtype of the arithmetic, and the state, in which the step is counted."""
        given = parameter.grad
        assert given is not None
        if given.layout != torch.strided:
            raise RuntimeError(
                f"{self._name}: a gradient of layout {given.layout} (parameter of shape "
                f"{tuple(parameter.shape)}) is not supported. Make it dense: build torch.nn.Embedding with "
                "sparse=False, or call parameter.grad = parameter.grad.to_dense()."
            )
        gradient = given.to(torch.promote_types(parameter.dtype, torch.float32))
        if group["maximize"]:
            gradient = -gradient
        state = self._state_of(parameter, group)
        state["step"] += 1
        return gradient, state

    def _state_of(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Any]:
        """What is kept of a parameter, made if it has none yet."""
        state: dict[str, Any] = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state.update(self._begin(parameter, group))
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:  # type: ignore[override]
        """Load a state saved by an optimizer of this class. Nothing is changed if it cannot be used.

        Args:
            state_dict: What ``state_dict()`` returned.

        Raises:
            ValueError: The groups do not fit, a group lacks a hyperparameter, or a tensor's state is incomplete or of
                another shape.
        """
        hooks = self._optimizer_load_state_dict_pre_hooks
        for hook in hooks.values():  # what they return is what is checked, loaded and kept as it is
            state_dict = hook(self, dict(state_dict)) or state_dict
        groups = state_dict["param_groups"]
        for number, (group, own) in enumerate(zip(groups, self.param_groups, strict=False)):
            missing = [key for key in self.defaults if key not in group]
            if missing:
                raise ValueError(
                    f"{self._name}: the saved parameter group {number} lacks {', '.join(missing)}: it was saved by "
                    f"another optimizer. Load a state saved by {self._name}, or start with a fresh one."
                )
            self._check_group(group)
            for index, parameter in zip(group["params"], own["params"], strict=False):
                self._check_saved(index, state_dict["state"].get(index), parameter, group)
        self._optimizer_load_state_dict_pre_hooks = OrderedDict()  # they ran
        try:
            super().load_state_dict(dict(state_dict))
        finally:
            self._optimizer_load_state_dict_pre_hooks = hooks
        # The base class gives state the dtype of its parameter, which would round what is kept in float32, and turn
        # whole numbers into others.
        for group, own in zip(groups, self.param_groups, strict=True):
            for index, parameter in zip(group["params"], own["params"], strict=True):
                for key, value in state_dict["state"].get(index, {}).items():
                    if isinstance(value, Tensor):
                        device = "cpu" if key == "step" else parameter.device
                        self.state[parameter][key] = value.detach().clone().to(device)

    def _check_saved(
        self, index: Any, saved: Mapping[str, Any] | None, parameter: Tensor, group: Mapping[str, Any]
    ) -> None:
        if not saved:
            return
        fresh = {"step": torch.zeros(()), **self._begin(parameter.detach(), group)}
        problems = [f"lacks {key}" for key in fresh if key not in saved]
        problems += [f"has {key}, which is not known here" for key in saved if key not in fresh]
        found = {key: saved[key] for key in fresh if key in saved}
        problems += [f"has {key} that is no tensor" for key, value in found.items() if not isinstance(value, Tensor)]
        problems += [
            f"has {key} of shape {tuple(value.shape)} instead of {tuple(fresh[key].shape)}"
            for key, value in found.items()
            if isinstance(value, Tensor) and value.shape != fresh[key].shape
        ]
        if problems:
            raise ValueError(
                f"{self._name}: the saved state of parameter {index} {'; '.join(problems)}. Load a state saved by "
                f"{self._name} with the same parameters in the same order, or start with a fresh one."
            )


class MatrixBaseline(Baseline):
    """A rule for matrices; whatever else there is, and groups with ``adamw=True``, gets AdamW with the same rate.

    Subclasses define :meth:`_begin_matrix` and :meth:`_move_matrix`, as :meth:`_begin` and :meth:`_move`, and have
    ``adamw``, ``adamw_betas`` and ``adamw_eps`` among their hyperparameters.
    """

    def _check(self, group: Mapping[str, Any]) -> None:
        checks.check_flag("adamw", group["adamw"], self._name)
        check_betas("adamw_betas", group["adamw_betas"], self._name)
        checks.check_nonnegative("adamw_eps", group["adamw_eps"], "1e-8", self._name)

    def _begin_matrix(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        raise NotImplementedError

    def _move_matrix(
        self, theta: Tensor, gradient: Tensor, state: dict[str, Any], step: int, group: Mapping[str, Any]
    ) -> None:
        raise NotImplementedError

    def _begin(self, parameter: Tensor, group: Mapping[str, Any]) -> dict[str, Tensor]:
        if parameter.ndim == 2 and not group["adamw"]:
            return self._begin_matrix(parameter, group)
        return moments(parameter)

    def _move(
        self, theta: Tensor, gradient: Tensor, state: dict[str, Any], step: int, group: Mapping[str, Any]
    ) -> None:
        if theta.ndim == 2 and not group["adamw"]:
            self._move_matrix(theta, gradient, state, step, group)
            return
        beta1, beta2 = group["adamw_betas"]
        m = state["exp_avg"].lerp_(gradient, 1 - beta1)
        v = state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (v / (1 - beta2**step)).sqrt_().add_(group["adamw_eps"])
        theta.mul_(1 - group["lr"] * group["weight_decay"])
        theta.addcdiv_(m, root, value=-group["lr"] / (1 - beta1**step))


def zeros(parameter: Tensor) -> Tensor:
    """Zeros of a parameter's shape, in the dtype of the arithmetic on it."""
    compute = torch.promote_types(parameter.dtype, torch.float32)
    return torch.zeros_like(parameter, dtype=compute, memory_format=torch.preserve_format)


def moments(parameter: Tensor) -> dict[str, Tensor]:
    """Adam's two moments."""
    return {"exp_avg": zeros(parameter), "exp_avg_sq": zeros(parameter)}


def check_betas(name: str, value: Any, owner: str, example: tuple[float, ...] = (0.9, 0.999)) -> None:
    """Check decay rates, as many as ``example`` has."""
    if not isinstance(value, tuple | list) or len(value) != len(example):
        raise TypeError(
            f"{owner}: {name}={value!r} is not valid. Pass {len(example)} numbers, for example {name}={example}."
        )
    for index, beta in enumerate(value):
        checks.check_beta(f"{name}[{index}]", beta, "0.9", owner)
