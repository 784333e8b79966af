"""Adapter for alphaadam.torch."""

from typing import Any

import numpy as np
import torch

import alphaadam
from alphaadam.torch import AlphaAdam
from suite.adapters import Observation


class Adapter:
    """AlphaAdam on PyTorch. The prior state arrives as an AdamW checkpoint would."""

    def versions(self) -> dict[str, str]:
        return {"alphaadam": alphaadam.__version__, "torch": torch.__version__}

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        given = dict(hyperparameters)
        given["betas"] = (given.pop("beta1"), given.pop("beta2"))
        self._arguments = given
        self._optimizer = AlphaAdam([torch.zeros(1)], **given)

    def load(
        self,
        dtype: str,
        params: list[np.ndarray],
        m: list[np.ndarray] | None,
        v: list[np.ndarray] | None,
        step: int,
    ) -> None:
        self._params = [torch.nn.Parameter(torch.from_numpy(array)) for array in params]
        self._optimizer = AlphaAdam(self._params, **self._arguments, record_diagnostics=True)
        if m is not None and v is not None:
            state = self._optimizer.state_dict()
            state["state"] = {
                index: {
                    "step": torch.tensor(float(step)),
                    "exp_avg": torch.from_numpy(first),
                    "exp_avg_sq": torch.from_numpy(second),
                }
                for index, (first, second) in enumerate(zip(m, v, strict=True))
            }
            self._optimizer.load_state_dict(state)

    def step(self, gradients: list[np.ndarray | None], lr: float) -> Observation:
        self._optimizer.param_groups[0]["lr"] = lr
        for parameter, gradient in zip(self._params, gradients, strict=True):
            parameter.grad = None if gradient is None else torch.from_numpy(gradient)
        self._optimizer.step()
        states = [self._optimizer.state[parameter] for parameter in self._params]
        diagnostics = [self._optimizer.diagnostics[parameter] for parameter in self._params]
        return Observation(
            params=[parameter.detach().numpy().copy() for parameter in self._params],
            m=[state["exp_avg"].numpy().copy() for state in states],
            v=[state["exp_avg_sq"].numpy().copy() for state in states],
            mask=[item.mask.numpy() for item in diagnostics],
            alpha=[item.alpha.item() for item in diagnostics],
        )
