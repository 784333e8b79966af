"""The baselines of this room, with the settings of their rows, on a few small tensors."""

import torch

from alphaadam.torch import baselines
from suite.adapters.torch_baselines import arguments
from tests.implementations.baselines import settings
from tests.implementations.torch.training import make_parameters, train

#: A wide and a tall matrix, and tensors that a rule for matrices leaves to AdamW. The second has no gradient in odd
#: steps, see ``set_gradients``.
SHAPES = ((4, 6), (7, 3), (5,), (), (2, 1, 3))


def make(name, parameters, **changes):
    """A baseline with the settings of its row; ``changes`` have PyTorch's names."""
    return getattr(baselines, name)(parameters, **{**arguments(settings(name)), **changes})


def parameters_of(dtype=torch.float32):
    return make_parameters(dtype, SHAPES)


def trained(name, steps, dtype=torch.float32, **changes):
    parameters = parameters_of(dtype)
    optimizer = make(name, parameters, **changes)
    train(optimizer, parameters, 0, steps)
    return optimizer, parameters


def values(parameters):
    return [parameter.detach().clone() for parameter in parameters]
