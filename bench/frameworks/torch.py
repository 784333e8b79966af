"""GPT-2, a training step and an optimizer step in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from alphaadam.torch import AlphaAdam
from bench.tasks import GPT2Config, Hyperparameters
from bench.tasks.inputs import Inputs

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "alphaadam": AlphaAdam,  # as AdamW below in its fastest form, which its defaults choose
    "adamw": partial(torch.optim.AdamW, fused=True),  # the fastest of PyTorch's own forms
    "cautious-adamw": partial(AlphaAdam, masking="sync", alpha="count"),
}


def versions() -> dict[str, str]:
    """Versions of what is measured."""
    return {"torch": torch.__version__}


class Projection(nn.Module):
    """x·weight + bias, the weight laid out as GPT-2's: (inputs, outputs)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.empty(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias, x.flatten(0, -2), self.weight).unflatten(0, x.shape[:-1])


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.c_attn = Projection(config.width, 3 * config.width)
        self.c_proj = Projection(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.c_attn(x).chunk(3, -1)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.c_proj(mixed.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Two projections with a tanh GELU between them."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.c_fc = Projection(config.width, 4 * config.width)
        self.c_proj = Projection(4 * config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(functional.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    """One pre-norm transformer block."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.width, config.layer_norm_epsilon)
        self.attn = Attention(config)
        self.ln_2 = nn.LayerNorm(config.width, config.layer_norm_epsilon)
        self.mlp = MLP(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT2(nn.Module):
    """GPT-2 with its head tied to the token embedding.

    Args:
        config: Sizes.
        parameters: Initial values by name.
    """

    def __init__(self, config: GPT2Config, parameters: Mapping[str, npt.NDArray[np.float32]]) -> None:
        super().__init__()
        self.wte = nn.Embedding(config.vocabulary, config.width)
        self.wpe = nn.Embedding(config.context, config.width)
        self.h = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.ln_f = nn.LayerNorm(config.width, config.layer_norm_epsilon)
        self.load_state_dict({name: torch.from_numpy(values) for name, values in parameters.items()})

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (batch, length) → logits (batch, length, vocabulary)."""
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            x = block(x)
        return functional.linear(self.ln_f(x), self.wte.weight)


class Training:
    """A model in training.

    Args:
        inputs: What the task gives.
        optimizer: A key of `OPTIMIZERS`.
        learning_rate: Peak learning rate.
    """

    def __init__(self, inputs: Inputs, optimizer: str, learning_rate: float) -> None:
        task = inputs.task
        self.model = GPT2(task.model, inputs.initial_parameters)
        self._clip_norm = task.clip_norm
        self._rates = iter(inputs.learning_rates(learning_rate).tolist())
        parameters = list(self.model.parameters())
        groups = [
            {"params": [p for p in parameters if p.ndim >= 2]},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        self._optimizer = _optimizer(optimizer, groups, learning_rate, task.hyperparameters)

    def step(self, tokens: npt.NDArray[np.int32]) -> float:
        """Trains on one batch; returns its loss before the update, in nats per token."""
        rate = next(self._rates)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        loss = self._loss(tokens)
        loss.backward()
        # Where it clips, PyTorch adds 1e-6 to the norm and the other frameworks do not: at most 1e-6 relative.
        nn.utils.clip_grad_norm_(self.model.parameters(), self._clip_norm)
        self._optimizer.step()
        return loss.item()

    @torch.no_grad()
    def loss(self, tokens: npt.NDArray[np.int32]) -> float:
        """The loss on one batch."""
        return self._loss(tokens).item()

    def parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """The parameters by name."""
        return {name: p.detach().numpy() for name, p in self.model.named_parameters()}

    def _loss(self, tokens: npt.NDArray[np.int32]) -> Tensor:
        batch = torch.from_numpy(tokens).long()
        return functional.cross_entropy(self.model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())


class OptimizerStep:
    """The optimizer alone, on tensors of given values.

    Args:
        optimizer: A key of `OPTIMIZERS`.
        parameters: Initial values.
        learning_rate: Learning rate.
        hyperparameters: The optimizer's other settings.
    """

    def __init__(
        self,
        optimizer: str,
        parameters: Sequence[npt.NDArray[np.float32]],
        learning_rate: float,
        hyperparameters: Hyperparameters,
    ) -> None:
        self._parameters = [nn.Parameter(torch.tensor(values)) for values in parameters]
        self._optimizer = _optimizer(optimizer, self._parameters, learning_rate, hyperparameters)

    @staticmethod
    def gradients(values: Sequence[npt.NDArray[np.float32]]) -> list[Tensor]:
        """The framework's arrays for `take`."""
        return [torch.from_numpy(value) for value in values]

    def take(self, gradients: Sequence[Tensor]) -> None:
        """Gives the gradients of the next step, so that handing them over is no part of its time."""
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient

    def run(self) -> None:
        """One step; returns when it is done."""
        self._optimizer.step()

    def state_bytes(self) -> int:
        """Bytes that the optimizer keeps from step to step. PyTorch's optimizers make their state in the first."""
        if not self._optimizer.state:
            self.take([torch.zeros_like(parameter) for parameter in self._parameters])
            self.run()
        tensors = [value for state in self._optimizer.state.values() for value in state.values()]
        return sum(tensor.nbytes for tensor in tensors)


def _optimizer(
    name: str, parameters: list, learning_rate: float, hyperparameters: Hyperparameters
) -> torch.optim.Optimizer:
    return OPTIMIZERS[name](
        parameters,
        lr=learning_rate,
        betas=(hyperparameters.beta1, hyperparameters.beta2),
        eps=hyperparameters.epsilon,
        weight_decay=hyperparameters.weight_decay,
    )
