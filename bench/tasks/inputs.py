"""What a task's settings give rise to: initial weights, batches, learning rates and the task's digest."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bench.tasks.gpt2 import parameter_shapes
from bench.tasks.task import Task
from bench.tasks.text import bible_text

TRAINING_PART = 0.9
"""Part of the text, from its beginning, that training batches are drawn from; the rest is for validation."""


class Inputs:
    """Everything that a trial reads, the same for every framework and optimizer.

    Args:
        task: The task.
        text: The text to train on, one token a byte.
    """

    def __init__(self, task: Task, text: bytes | None = None) -> None:
        self.task = task
        self._text = bible_text() if text is None else text
        tokens = np.frombuffer(self._text, np.uint8)
        split = int(len(tokens) * TRAINING_PART)
        self._training, self._validation = tokens[:split], tokens[split:]

    def _generator(self, stream: int) -> np.random.Generator:
        """Independent streams of random numbers from the task's one seed."""
        return np.random.Generator(np.random.PCG64([self.task.seed, stream]))

    @cached_property
    def initial_parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """GPT-2's initialisation: N(0, 0.02²), for the projections into the residual stream N(0, 0.02²/(2 layers)).

        Biases are 0, layer-norm weights 1.
        """
        generator = self._generator(0)
        parameters = {}
        for name, shape in parameter_shapes(self.task.model).items():
            if len(shape) == 1:
                values = np.full(shape, 1.0 if name.endswith("weight") else 0.0)
            else:
                deviation = 0.02
                if name.endswith("c_proj.weight"):
                    deviation /= math.sqrt(2 * self.task.model.layers)
                values = deviation * generator.standard_normal(shape)
            parameters[name] = values.astype(np.float32)
        return parameters

    @cached_property
    def _training_offsets(self) -> npt.NDArray[np.int64]:
        last = len(self._training) - self.task.model.context - 1
        size = (self.task.steps, self.task.batch_size)
        return self._generator(1).integers(0, last, size, np.int64, endpoint=True)

    @cached_property
    def _validation_offsets(self) -> npt.NDArray[np.int64]:
        """Windows spread evenly over the validation text."""
        last = len(self._validation) - self.task.model.context - 1
        size = (self.task.validation_batches, self.task.batch_size)
        return np.linspace(0, last, num=size[0] * size[1]).astype(np.int64).reshape(size)

    def _windows(self, tokens: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        return tokens[offsets[:, None] + np.arange(self.task.model.context + 1)].astype(np.int32)

    def training_batch(self, step: int) -> npt.NDArray[np.int32]:
        """Tokens of shape (batch_size, context + 1): inputs and, one further on, targets. Steps count from 0."""
        return self._windows(self._training, self._training_offsets[step])

    def validation_batches(self) -> list[npt.NDArray[np.int32]]:
        """The fixed validation batches, each shaped like a training batch."""
        return [self._windows(self._validation, offsets) for offsets in self._validation_offsets]

    def learning_rates(self, peak: float) -> npt.NDArray[np.float32]:
        """The learning rate of each step: linear warm-up to `peak`, then half a cosine down to the final rate.

        A table rather than a formula, so that each framework's schedule reads the same float32 numbers.
        """
        task = self.task
        step = np.arange(task.steps)
        progress = (step - task.warmup_steps) / max(1, task.steps - task.warmup_steps)
        cosine = task.final_rate + (1 - task.final_rate) * 0.5 * (1 + np.cos(np.pi * progress))
        warmup = (step + 1) / max(1, task.warmup_steps)
        return (peak * np.where(step < task.warmup_steps, warmup, cosine)).astype(np.float32)

    def digest(self) -> str:
        """SHA-256 over the settings and the bytes they give rise to: two tasks are one if their digests agree."""
        settings = asdict(replace(self.task, learning_rates={}))
        del settings["learning_rates"]
        weights = hashlib.sha256()
        for name, values in self.initial_parameters.items():
            weights.update(name.encode())
            weights.update(values.astype("<f4").tobytes())
        content = {
            "settings": settings,
            "training_part": TRAINING_PART,
            "text": hashlib.sha256(self._text).hexdigest(),
            "initial_parameters": weights.hexdigest(),
            "training_offsets": _digest_of_integers(self._training_offsets),
            "validation_offsets": _digest_of_integers(self._validation_offsets),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _digest_of_integers(values: npt.NDArray[np.int64]) -> str:
    return hashlib.sha256(values.astype("<i8").tobytes()).hexdigest()
