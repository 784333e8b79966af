"""Run by torchrun in test_torch_parallel.py: trains a tiny task in each way named and writes what came of it."""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from bench.frameworks.torch import Training
from tests.bench.tiny import STEPS, WAYS, tiny_inputs

torch.set_num_threads(1)
for name, (optimizer, precision, execution) in WAYS.items():
    inputs = tiny_inputs(precision)
    training = Training(inputs, optimizer, 1e-3, execution)
    losses = [training.step(inputs.training_batch(step), observe=step == STEPS - 1) for step in range(STEPS)]
    validation = training.loss(inputs.validation_batches()[0])
    observation = training.observation()
    figures = {
        "losses": losses,
        "validation": validation,
        "gradientNorm": observation["gradientNorm"],
        "updateNorm": observation["updateNorm"],
        "masks": [[tensor["maskFraction"] or 0, tensor["alpha"] or 0] for tensor in observation["tensors"].values()],
    }
    parameters = training.parameters()
    every = [None] * dist.get_world_size()
    dist.all_gather_object(every, (losses, validation, observation))
    assert all(of_rank == every[0] for of_rank in every), f"{name}: the processes do not agree"
    if dist.get_rank() == 0:
        np.savez(Path(sys.argv[1], f"{name}.npz"), **figures, **parameters)
