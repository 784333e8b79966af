"""Adapters for PyTorch: alphaadam.torch, and torch's own AdamW."""

import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import ml_dtypes
import numpy as np
import torch
from torch import Tensor

import alphaadam
import alphaadam.torch
from suite.adapters import Observation, UnsupportedError


class _Torch:
    """What the optimizers of PyTorch have in common. The prior state arrives as a checkpoint would."""

    optimizer: ClassVar[str]
    skips: ClassVar[Mapping[str, str]] = {"SharedStep": "PyTorch counts the steps of each parameter by itself"}
    first_moment: ClassVar[str] = "exp_avg"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        raise NotImplementedError

    def versions(self) -> dict[str, str]:
        return {"alphaadam": alphaadam.__version__, "torch": torch.__version__}

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        self._hyperparameters = dict(hyperparameters)
        if "beta1" in hyperparameters:
            betas = (self._hyperparameters.pop("beta1"), self._hyperparameters.pop("beta2"))
            self._hyperparameters["betas"] = betas
        self._make([torch.zeros(1)], dict(self._hyperparameters))

    def load(
        self,
        dtype: str,
        params: list[np.ndarray],
        m: list[np.ndarray] | None,
        v: list[np.ndarray] | None,
        step: int,
    ) -> None:
        self._params = [self._parameter(array) for array in params]
        self._optimizer = self._make(self._params, dict(self._hyperparameters))
        if m is not None:
            state = self._optimizer.state_dict()
            state["state"] = {index: {self.first_moment: tensor_of(first)} for index, first in enumerate(m)}
            for index, second in enumerate(v or ()):
                state["state"][index] |= {"step": torch.tensor(float(step)), "exp_avg_sq": tensor_of(second)}
            self._optimizer.load_state_dict(state)

    def add(self, params: list[np.ndarray]) -> None:
        late = [self._parameter(array) for array in params]
        self._optimizer.add_param_group({"params": late})
        self._params += late

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        for parameter, gradient in zip(self._params, gradients, strict=True):
            parameter.grad = None if gradient is None else self._gradient(gradient)
        self._optimizer.step()
        return Observation(
            params=[array_of(parameter) for parameter in self._params],
            m=[self._moment(parameter, self.first_moment) for parameter in self._params],
            v=[self._moment(parameter, "exp_avg_sq") for parameter in self._params],
        )

    def _parameter(self, array: np.ndarray) -> Tensor:
        return torch.nn.Parameter(tensor_of(array))

    def _gradient(self, array: np.ndarray) -> Tensor:
        return tensor_of(array)

    def _moment(self, parameter: Tensor, name: str) -> np.ndarray:
        """A moment; zero before the parameter's first step, when there is no state yet."""
        return array_of(self._optimizer.state[parameter].get(name, torch.zeros_like(parameter)))


class _Ours(_Torch):
    """What alphaadam.torch has beyond them: it shows what it decided."""

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        seen = super().step(gradients, lr)
        diagnostics = [self._optimizer.diagnostics.get(parameter) for parameter in self._params]  # type: ignore[attr-defined]
        mask = [item and item.mask.numpy() for item in diagnostics]
        return Observation(seen.params, seen.m, seen.v, mask, [item and item.alpha.item() for item in diagnostics])


class AlphaAdam(_Ours):
    """alphaadam.torch.AlphaAdam, as it is by default."""

    optimizer = "AlphaAdam"
    options: ClassVar[Mapping[str, Any]] = {"record_diagnostics": True}

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        return alphaadam.torch.AlphaAdam(params, **hyperparameters, **self.options)


class Loop(AlphaAdam):
    """Its plain loop."""

    options: ClassVar[Mapping[str, Any]] = {"foreach": False, "record_diagnostics": True}


class Foreach(AlphaAdam):
    """Its operations over lists of tensors."""

    options: ClassVar[Mapping[str, Any]] = {"foreach": True, "record_diagnostics": True}


class CapturableLoop(AlphaAdam):
    """Its plain loop with bias corrections computed on the device."""

    options: ClassVar[Mapping[str, Any]] = {"foreach": False, "capturable": True, "record_diagnostics": True}


class CapturableForeach(AlphaAdam):
    """Its operations over lists with bias corrections computed on the device."""

    options: ClassVar[Mapping[str, Any]] = {"foreach": True, "capturable": True, "record_diagnostics": True}


class Differentiable(AlphaAdam):
    """Its plain loop as autograd sees it."""

    options: ClassVar[Mapping[str, Any]] = {"differentiable": True, "record_diagnostics": True}

    def _parameter(self, array: np.ndarray) -> Tensor:
        return tensor_of(array)  # no leaf that autograd would protect from being changed

    def _gradient(self, array: np.ndarray) -> Tensor:
        return tensor_of(array).requires_grad_()  # what the step is recorded for


class Fused(_Torch):
    """Its compiled kernels in the one pass that training takes, which keeps no diagnostics."""

    optimizer = "AlphaAdam"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        return alphaadam.torch.AlphaAdam(params, **hyperparameters, fused=True)


class AlphaMaskSGD(_Ours):
    """alphaadam.torch.AlphaMask around torch.optim.SGD."""

    optimizer = "AlphaMaskSGD"
    first_moment = "momentum_buffer"

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        mask = {name: hyperparameters.pop(name) for name in ("masking", "alpha", "alpha_max")}
        return alphaadam.torch.AlphaMask(self._inner(params, hyperparameters), **mask, record_diagnostics=True)

    def _inner(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        return torch.optim.SGD(params, **hyperparameters)


class AlphaMaskLion(AlphaMaskSGD):
    """alphaadam.torch.AlphaMask around the Lion of lion-pytorch."""

    optimizer = "AlphaMaskLion"
    first_moment = "exp_avg"

    def versions(self) -> dict[str, str]:
        try:
            return {**super().versions(), "lion-pytorch": importlib.metadata.version("lion-pytorch")}
        except importlib.metadata.PackageNotFoundError:
            return super().versions()

    def _inner(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        try:
            from lion_pytorch import Lion
        except ImportError:
            raise UnsupportedError(
                "lion-pytorch is not installed. Run: python -m pip install -c constraints.txt lion-pytorch"
            ) from None
        if hyperparameters.pop("maximize"):
            raise UnsupportedError("lion-pytorch does not maximize")
        return Lion(params, **hyperparameters)


class CautiousAdamW(AlphaAdam):
    """Cautious AdamW as a setting of AlphaAdam."""

    optimizer = "CautiousAdamW"
    setting: ClassVar[Mapping[str, Any]] = {"masking": "sync", "alpha": "count"}

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        if hyperparameters.pop("eps_placement") != "after-bias-correction":
            raise UnsupportedError("AlphaAdam adds eps after bias correction")
        return super()._make(params, {**hyperparameters, **self.setting})


class AsAdamW(CautiousAdamW):
    """AdamW as a setting of AlphaAdam."""

    optimizer = "AdamW"
    setting: ClassVar[Mapping[str, Any]] = {"masking": "none", "alpha": 1.0}


class AdamW(_Torch):
    """torch.optim.AdamW, whose eps is added after bias correction whatever the vectors say."""

    optimizer = "AdamW"

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}

    def _make(self, params: Sequence[Tensor], hyperparameters: dict[str, Any]) -> torch.optim.Optimizer:
        del hyperparameters["eps_placement"]
        return torch.optim.AdamW(params, **hyperparameters, foreach=False)


def tensor_of(array: np.ndarray) -> Tensor:
    """A tensor of its own memory; torch reads bfloat16 from NumPy only as its bits."""
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.uint16).copy()).view(torch.bfloat16)
    return torch.from_numpy(array.copy())


def array_of(tensor: Tensor) -> np.ndarray:
    """A copy of its value."""
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.uint16).numpy().copy().view(ml_dtypes.bfloat16)
    return tensor.numpy().copy()
