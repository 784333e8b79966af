"""Adam-mini of its authors' adam-mini and of pytorch-optimizer. Both read the partition off names of parameters."""

import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from suite.adapters.libraries.torch_library import TorchLibrary


class _Named(TorchLibrary):
    """Driven by names that stand for the partitions of the vectors."""

    optimizer = "AdamMini"
    module: str

    def construct(self, hyperparameters: dict[str, Any]) -> None:
        if importlib.util.find_spec(self.module) is None:
            self.unsupported(f"not installed: python -m pip install -c constraints.txt {self.distribution}")
        self._given = hyperparameters

    def load(self, dtype: str, params: list[np.ndarray], m: None, v: None, step: int) -> None:
        self._params = [torch.nn.Parameter(torch.from_numpy(array)) for array in params]
        blocks = self._given["blocks"] or [None] * len(params)
        kinds = [self._kind(param, own) for param, own in zip(self._params, blocks, strict=True)]
        widths = {own[1] * param[0].numel() for param, own in zip(self._params, blocks, strict=True) if _in_heads(own)}
        if len(widths) > 1:
            self.unsupported("it has one size of heads for all parameters")
        self._optimizer = self._make_named(kinds, widths.pop() if widths else 1)

    def _kind(self, param: torch.nn.Parameter, blocks: Any) -> str:
        """A part of a name that stands for the partition."""
        if blocks is None or not param.ndim:
            return "other"
        axis, size = blocks
        if axis % param.ndim or not isinstance(size, int) or (param.ndim != 2 and size != 1):
            self.unsupported("it cuts along the first axis of matrices alone, and into equal parts")
        if _in_heads(blocks):
            return "wq"
        return "rows" if param.ndim == 2 else "element"

    def _make_named(self, kinds: Sequence[str], head: int) -> torch.optim.Optimizer:
        """The optimizer of ``self._params``; ``head`` is the number of elements of a head."""
        raise NotImplementedError


class AdamMini(_Named):
    """adam_mini.Adam_mini."""

    distribution = "adam-mini"
    module = "adam_mini"

    def _make_named(self, kinds: Sequence[str], head: int) -> torch.optim.Optimizer:
        from adam_mini import Adam_mini

        given = self._given
        if given["weight_decay"] and "element" in kinds:
            self.unsupported("it has a second moment per element for biases alone, which it does not decay")
        names = {"other": "other", "wq": "wq", "rows": "mlp", "element": "bias"}
        named = [
            (f"{index}.{names[kind]}", param)
            for index, (kind, param) in enumerate(zip(kinds, self._params, strict=True))
        ]
        # Elements of a head are dim * dim / n_heads.
        settings = {name: given[name] for name in ("lr", "eps", "weight_decay")}
        betas = (given["beta1"], given["beta2"])
        return Adam_mini(named, betas=betas, dim=head, n_heads=head, verbose=False, **settings)


class PytorchOptimizer(_Named):
    """pytorch_optimizer.AdamMini: it knows no blocks of rows but for heads."""

    distribution = "pytorch-optimizer"
    module = "pytorch_optimizer"

    def load(self, dtype: str, params: list[np.ndarray], m: None, v: None, step: int) -> None:
        if dtype == "float64":
            self.unsupported("its arithmetic and state are float32")
        super().load(dtype, params, m, v, step)

    def _make_named(self, kinds: Sequence[str], head: int) -> torch.optim.Optimizer:
        from pytorch_optimizer import AdamMini

        names = {"other": "other", "wq": "wq", "rows": "mlp", "element": "embed"}
        model = torch.nn.Module()
        for index, (kind, param) in enumerate(zip(kinds, self._params, strict=True)):
            part = torch.nn.Module()
            part.register_parameter("weight", param)
            holder = torch.nn.Module()
            holder.add_module(names[kind], part)
            model.add_module(f"{index}", holder)
        given = self._given
        settings = {name: given[name] for name in ("lr", "eps", "weight_decay")}
        betas = (given["beta1"], given["beta2"])
        return AdamMini(model, betas=betas, num_embeds=head, num_heads=head, **settings)


def _in_heads(blocks: Any) -> bool:
    return blocks is not None and isinstance(blocks[1], int) and blocks[1] > 1
