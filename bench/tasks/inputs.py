"""What a task's settings give rise to: initial weights, batches, learning rates and the task's digest."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.tasks.data import Data, load_data
from bench.tasks.gpt2 import parameter_shapes
from bench.tasks.task import Task

ADDED_SETTINGS = {"data": "bible-bytes", "precision": "float32"}
"""Fields of a task that came later, with the value that every task had before: with it they have no part in the
digest, so that a task's digest stays what it was."""


class Inputs:
    """Everything that a trial reads, the same for every framework and optimizer.

    Args:
        task: The task.
        data: Its tokens; None is what `bench.tasks.data.load_data` finds under the task's name for them.

    Raises:
        FileNotFoundError: The data is missing.
        ValueError: The data is shorter than a window, or has tokens that are not in the model's vocabulary.
    """

    def __init__(self, task: Task, data: Data | None = None) -> None:
        self.task = task
        self.data = data = load_data(task.data) if data is None else data
        if data.largest_token >= task.model.vocabulary:
            raise ValueError(
                f"{data.name} has the token {data.largest_token}, and {task.name} a vocabulary of"
                f" {task.model.vocabulary}; make the data with the tokenizer that the task is defined on"
            )
        for part, tokens in (("training", data.training), ("validation", data.validation)):
            if len(tokens) <= task.model.context:
                raise ValueError(
                    f"{data.name} has {len(tokens)} tokens for {part}, and {task.name} reads windows of"
                    f" {task.model.context + 1}; make the data of more text"
                )

    def _generator(self, stream: int) -> np.random.Generator:
        """Independent streams of random numbers from the task's one seed."""
        return np.random.Generator(np.random.PCG64([self.task.seed, stream]))

    @property
    def initial_parameters(self) -> dict[str, npt.NDArray[np.float32]]:
        """GPT-2's initialisation: N(0, 0.02²), for the projections into the residual stream N(0, 0.02²/(2 layers)).

        Biases are 0, layer-norm weights 1. They are drawn anew for each reader, since gpt2-large's take 3 GB.
        """
        return dict(self._draw_parameters())

    def _draw_parameters(self) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
        generator = self._generator(0)
        for name, shape in parameter_shapes(self.task.model).items():
            if len(shape) == 1:
                values = np.full(shape, 1.0 if name.endswith("weight") else 0.0)
            else:
                deviation = 0.02
                if name.endswith("c_proj.weight"):
                    deviation /= math.sqrt(2 * self.task.model.layers)
                values = deviation * generator.standard_normal(shape)
            yield name, values.astype(np.float32)

    @cached_property
    def _training_offsets(self) -> npt.NDArray[np.int64]:
        last = len(self.data.training) - self.task.model.context - 1
        size = (self.task.steps, self.task.batch_size)
        return self._generator(1).integers(0, last, size, np.int64, endpoint=True)

    @cached_property
    def _validation_offsets(self) -> npt.NDArray[np.int64]:
        """Windows spread evenly over the validation text."""
        last = len(self.data.validation) - self.task.model.context - 1
        size = (self.task.validation_batches, self.task.batch_size)
        return np.linspace(0, last, num=size[0] * size[1]).astype(np.int64).reshape(size)

    def _windows(self, tokens: npt.NDArray[Any], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        return tokens[offsets[:, None] + np.arange(self.task.model.context + 1)].astype(np.int32)

    def training_batch(self, step: int) -> npt.NDArray[np.int32]:
        """Tokens of shape (batch_size, context + 1): inputs and, one further on, targets. Steps count from 0."""
        return self._windows(self.data.training, self._training_offsets[step])

    def validation_batches(self) -> list[npt.NDArray[np.int32]]:
        """The fixed validation batches, each shaped like a training batch."""
        return [self._windows(self.data.validation, offsets) for offsets in self._validation_offsets]

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
        for name, value in ADDED_SETTINGS.items():
            if settings[name] == value:
                del settings[name]
        weights = hashlib.sha256()
        for name, values in self._draw_parameters():
            weights.update(name.encode())
            weights.update(values.astype("<f4").tobytes())
        content = {
            "settings": settings,
            **self.data.digest,
            "initial_parameters": weights.hexdigest(),
            "training_offsets": _digest_of_integers(self._training_offsets),
            "validation_offsets": _digest_of_integers(self._validation_offsets),
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def make_inputs(task: Task, data_folder: str | Path | None = None) -> Inputs:
    """A task's inputs, with its data from a folder.

    Args:
        task: The task.
        data_folder: Folder of ``train.bin`` and ``val.bin``; None is the one that the variable BENCH_DATA names. A
            task on text that comes with a package has no use for it.

    Raises:
        FileNotFoundError: The data is missing.
        ValueError: The data does not fit the task, or the task has no use for a folder.
    """
    return Inputs(task, load_data(task.data, data_folder))


def _digest_of_integers(values: npt.NDArray[np.int64]) -> str:
    return hashlib.sha256(values.astype("<i8").tobytes()).hexdigest()
