"""What the tests of the PyTorch ecosystem train: a few tensors and a small model, with every variant of the step."""

import copy
from collections.abc import Mapping

import torch
from torch import nn

from alphaadam.torch._numba_kernels import WHOLE

#: Name -> the arguments that choose the variant. The default takes the fused path where it can.
VARIANTS = {
    "loop": {"foreach": False},
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "default": {},
}
SHAPES = ((3, 4), (5,), (), (2, 1, 3), (0, 2))
#: The kernels divide a tensor among threads from here on.
SHARED = WHOLE + 12_345


def make_parameters(dtype=torch.float32, shapes=SHAPES):
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(draw(shape, dtype, generator)) for shape in shapes]


def draw(shape, dtype, generator):
    wide = torch.complex128 if dtype.is_complex else torch.float64
    return torch.randn(shape, generator=generator, dtype=wide).to(dtype)


def set_gradients(parameters, seed):
    """Random gradients; in odd steps the second tensor has none."""
    generator = torch.Generator().manual_seed(1000 + seed)
    for index, parameter in enumerate(parameters):
        gradient = draw(parameter.shape, parameter.dtype, generator)
        parameter.grad = None if index == 1 and seed % 2 else gradient


def train(optimizer, parameters, first, last):
    for step in range(first, last):
        set_gradients(parameters, step)
        optimizer.step()


def make_model(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))


def make_batch(step, size=6):
    """Inputs and labels."""
    generator = torch.Generator().manual_seed(step)
    return torch.randn(size, 4, generator=generator), torch.randint(0, 3, (size,), generator=generator)


def make_loss(model, step, size=6):
    inputs, labels = make_batch(step, size)
    return nn.functional.cross_entropy(model(inputs), labels)


def train_model(model, optimizer, first, last):
    for step in range(first, last):
        optimizer.zero_grad()
        make_loss(model, step).backward()
        optimizer.step()


def snapshot(optimizer):
    """Parameters and state, copied."""
    return copy.deepcopy([(p.detach(), dict(optimizer.state[p])) for g in optimizer.param_groups for p in g["params"]])


def assert_identical(actual, expected):
    """Bit for bit, in any nest of lists, tuples and dicts."""
    torch.testing.assert_close(_comparable(actual), _comparable(expected), rtol=0, atol=0, equal_nan=True)


def _comparable(value):
    """The same with text as numbers, which assert_close can compare."""
    if isinstance(value, Mapping):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_comparable(item) for item in value]
    return list(value.encode()) if isinstance(value, str) else value
