"""GPT-2 and a training step in PyTorch; the optimizer's step alone is in `bench.frameworks.torch_step`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.frameworks import torch_parallel
from bench.frameworks.torch_curvature import Curvature
from bench.frameworks.torch_optimizers import LIBRARIES, OPTIMIZERS, make_optimizer, masks, record_masks
from bench.frameworks.torch_step import OptimizerStep
from bench.tasks import GPT2Config
from bench.tasks.execution import Execution
from bench.tasks.inputs import Inputs

__all__ = ["GPT2", "LIBRARIES", "OPTIMIZERS", "OptimizerStep", "Training", "versions"]

DEFAULT_EXECUTION = Execution()


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

    def products(self) -> list[nn.Module]:
        """The parts that compute matrix products, but for the head."""
        return [module for module in self.modules() if isinstance(module, (Attention, MLP))]

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (batch, length) → logits (batch, length, vocabulary)."""
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.h:
            x = block(x)
        return functional.linear(self.ln_f(x), self.wte.weight)


class NextTokenLoss(nn.Module):
    """The mean loss of predicting each token of windows from those before it, in float32.

    Args:
        model: The model.
        reduced: Whether matrix products are computed in bfloat16.
    """

    def __init__(self, model: GPT2, reduced: bool) -> None:
        super().__init__()
        self.model = model
        self.reduced = reduced

    def forward(self, windows: Tensor) -> Tensor:
        """Token ids (batch, context + 1) → the loss, in nats per token."""
        return functional.cross_entropy(self.logits(windows).flatten(0, 1), windows[:, 1:].flatten())

    def logits(self, windows: Tensor) -> Tensor:
        """Token ids (batch, context + 1) → logits of all but the first (batch, context, vocabulary), in float32."""
        with torch.autocast(windows.device.type, torch.bfloat16, enabled=self.reduced):
            logits = self.model(windows[:, :-1])
        return logits.float()


class Training:
    """A model in training.

    With several processes each gets the whole batch, computes its part of it, and returns the same figures.

    Args:
        inputs: What the task gives.
        optimizer: A key of `OPTIMIZERS`.
        learning_rate: Peak learning rate.
        execution: Device, compilation, and how a batch is cut and shared.

    Raises:
        ValueError: The batch cannot be cut in so many parts, or PyTorch does not share a step in this way.
        RuntimeError: The device or the other processes are not there.
        ModuleNotFoundError: The optimizer's library is not installed.
    """

    def __init__(
        self, inputs: Inputs, optimizer: str, learning_rate: float, execution: Execution = DEFAULT_EXECUTION
    ) -> None:
        task = inputs.task
        self._device = torch_parallel.device_of(execution)
        self._rank, self._processes = torch_parallel.begin(execution, self._device)
        self._parts = execution.micro_batches
        if self._parts < 1 or task.batch_size % (self._processes * self._parts):
            raise ValueError(
                f"a batch of {task.batch_size} sequences cannot be cut into {self._parts} equal parts for each of"
                f" {self._processes} processes; choose a number of micro-batches and processes that divides it"
            )
        self.model = GPT2(task.model, inputs.initial_parameters).to(self._device)
        reduced = task.precision == "bfloat16"
        loss = NextTokenLoss(self.model, reduced)
        products = self.model.products()
        if execution.compile:
            for module in products if execution.parallel == "fsdp" else (loss,):
                module.compile()
        self._loss = torch_parallel.share(loss, products, execution, reduced)
        self._clip_norm = task.clip_norm
        self._rates = iter(inputs.learning_rates(learning_rate).tolist())
        named = dict(self.model.named_parameters())
        self._optimizer = make_optimizer(optimizer, named, learning_rate, task.hyperparameters, task)
        shared = execution.parallel != "none"
        self._curvature = Curvature(optimizer, self._optimizer, task, [*named.values()], loss.logits, shared)
        self._observation: dict[str, Any] | None = None

    def step(self, tokens: npt.NDArray[np.int32], observe: bool = False) -> float:
        """Trains on one batch.

        Args:
            tokens: A batch of `inputs`.
            observe: Whether to keep what `observation` tells of this step. It costs a copy of the parameters and a
                byte for each, and changes nothing of the training.

        Returns:
            The loss of the batch before the update, in nats per token.
        """
        rate = next(self._rates)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        parts = self._cut(tokens)
        loss = torch_parallel.backward(self._loss, (partial(self._loss, part) for part in parts), len(parts))
        parameters = list(self.model.parameters())
        # Where it clips, PyTorch adds 1e-6 to the norm and the other frameworks do not: at most 1e-6 relative.
        norm = nn.utils.clip_grad_norm_(parameters, self._clip_norm)
        before = [p.detach().clone() for p in parameters] if observe else []
        record_masks(self._optimizer, observe)
        self._curvature.before_step(parts)
        self._optimizer.step()
        self._observation = self._observed(norm, before) if observe else None
        return torch_parallel.mean(loss).item()

    @torch.no_grad()
    def loss(self, tokens: npt.NDArray[np.int32]) -> float:
        """The loss on one batch."""
        parts = [self._loss(part) for part in self._cut(tokens)]
        return torch_parallel.mean(parts[0] if len(parts) == 1 else torch.stack(parts).mean()).item()

    def observation(self) -> dict[str, Any]:
        """What the last step did.

        Returns:
            "gradientNorm", the gradient's global norm before clipping; "updateNorm", the global norm of the change
            of the parameters, decay included; and "tensors", for each parameter by name the part of its coordinates
            that the mask kept, "maskFraction", and "alpha"; null where the optimizer has no mask.

        Raises:
            RuntimeError: The last step was not observed.
        """
        if self._observation is None:
            raise RuntimeError("the last step was not observed; take it with step(tokens, observe=True)")
        return self._observation

    def parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """The parameters by name. Where FSDP shards them, every process must ask."""
        whole = {name: torch_parallel.whole(p.detach()) for name, p in self.model.named_parameters()}
        return {name: p.cpu().numpy() for name, p in whole.items()}

    def _cut(self, tokens: npt.NDArray[np.int32]) -> Sequence[Tensor]:
        """This process' part of a batch, in micro-batches."""
        share = len(tokens) // self._processes
        own = torch.from_numpy(tokens[self._rank * share :][:share]).to(self._device).long()
        return own.chunk(self._parts)

    @torch.no_grad()
    def _observed(self, norm: Tensor, before: list[Tensor]) -> dict[str, Any]:
        named = dict(self.model.named_parameters())
        changes = [p - old for p, old in zip(named.values(), before, strict=True)]
        return {
            "gradientNorm": torch_parallel.whole(norm).item(),
            "updateNorm": torch_parallel.whole(nn.utils.get_total_norm(changes)).item(),
            "tensors": masks(self._optimizer, named),
        }
