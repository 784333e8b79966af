"""How much memory a trial needs, so that no more run at a time than the machine holds."""

from __future__ import annotations

import math

from bench.compare.trials import Trial
from bench.tasks import parameter_shapes

PROCESS_BYTES = 700e6
"""A Python process with a framework loaded; Keras on JAX, the largest, takes about so much."""
NUMBERS_PER_PARAMETER = 8
"""Parameter, gradient, two moments; as many again for the initial values, scratch of the step and observation."""
TENSORS_PER_BLOCK = 34
"""Activations that a block keeps for the backward pass, in units of batch · context · width, and their gradients."""


def trial_bytes(trial: Trial) -> float:
    """An estimate from above of the memory that a trial takes."""
    task = trial.task
    model = task.model
    parameters = sum(math.prod(shape) for shape in parameter_shapes(model).values())
    sequences = max(1, task.batch_size // trial.execution.micro_batches)
    tokens = sequences * model.context
    # Attention may be computed with its whole matrix, one for each head, before and after the softmax.
    block = TENSORS_PER_BLOCK * tokens * model.width + 3 * tokens * model.heads * model.context
    activations = model.layers * block + 4 * tokens * model.vocabulary
    passes = 3 if trial.directions else 1  # a Hessian-vector product differentiates the gradient's computation again
    copies = 4 if trial.directions else 0
    return PROCESS_BYTES + 4 * (parameters * (NUMBERS_PER_PARAMETER + copies) + activations * passes)
