"""Checks of 1-bit Adam, whose workers are the processes of a group."""

import contextlib
import copy
import functools
import io
import json
import math
from pathlib import Path
from typing import ClassVar
from unittest import mock

import torch
import torch.distributed as dist
from torch import nn

from alphaadam.torch.baselines import OneBitAdam
from suite import check as suite_check
from suite import load
from suite.adapters import torch_baselines
from tests.implementations.torch.distributed.registry import check, raises

#: More elements than fit into a byte for each server, fewer, one, and none for some servers; bits that fill up bytes.
SHAPES = ((5, 7), (64, 4), (3,), (), (0, 2))
#: Large enough that the scales of a step hardly count.
MODEL = ((512, 257), (1024, 128), (1024,), (33,), ())

COLLECTIVES = (
    "all_gather",
    "all_gather_into_tensor",
    "all_gather_single",
    "all_reduce",
    "all_to_all",
    "all_to_all_single",
    "broadcast",
    "gather",
    "isend",
    "reduce",
    "reduce_scatter",
    "reduce_scatter_tensor",
    "scatter",
    "send",
)


class Worker(torch_baselines.OneBitAdam):
    """A worker of a group, which takes its own gradients of those that a step of the vectors has."""

    skips: ClassVar = {}

    def __init__(self, group=None):
        self._group = group

    def _make(self, params, hyperparameters):
        return OneBitAdam(params, **hyperparameters, process_group=self._group)

    def step(self, gradients, lr, **others):
        everyones = [gradients, *(others[name] for name in sorted(others))]
        seen = super().step(everyones[dist.get_rank(self._group)], lr)
        assert_same_on_every_rank(self._params, self._group)
        return seen


@functools.cache
def vectors():
    return load.load(load.VECTORS / "one-bit-adam.json")


def assert_passes_the_vectors(group, workers):
    tests = [t for t in suite_check.all_tests([vectors()]) if t.test["id"].startswith(f"{workers}-workers/")]
    assert len(tests) == 4  # two cases in two dtypes
    for test in tests:
        outcome = suite_check.check(Worker(group), test)
        assert outcome.outcome == "pass", (test.test["id"], outcome.message)


def everyones(tensor, group=None):
    """The values that a tensor of one shape has on the ranks, as bytes would be compared."""
    flat = tensor.detach().reshape(-1)
    found = [torch.empty_like(flat) for _ in range(dist.get_world_size(group))]
    dist.all_gather(found, flat, group=group)
    return found


def assert_same_on_every_rank(tensors, group=None):
    for tensor in tensors:
        first, *others = everyones(tensor, group)
        assert all(torch.equal(first, other) for other in others)


def parameters_of(shapes=SHAPES, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator).to(dtype)) for shape in shapes]


def train(optimizer, parameters, first, last):
    """Steps with gradients that differ from rank to rank."""
    for step in range(first, last):
        generator = torch.Generator().manual_seed(1000 * step + dist.get_rank() + 1)
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator).to(parameter.dtype)
        optimizer.step()


def assert_identical(optimizers, tensors):
    for p, q in zip(*tensors, strict=True):
        assert torch.equal(p, q)
        assert optimizers[0].state[p].keys() == optimizers[1].state[q].keys()
        for key, value in optimizers[0].state[p].items():
            other = optimizers[1].state[q][key]
            assert value.dtype == other.dtype
            assert torch.equal(value, other), key


@check(2)
@check(4)
def one_bit_workers_equal_the_vectors():
    assert_passes_the_vectors(None, dist.get_world_size())


@check(4)
def one_bit_workers_may_be_a_part_of_the_processes():
    groups = [dist.new_group(ranks) for ranks in ([0, 1], [2, 3])]
    mine = groups[dist.get_rank() // 2]
    assert_passes_the_vectors(mine, 2)
    others = Worker(groups[1 - dist.get_rank() // 2])
    raises(TypeError, "process_group=.*Pass a group that this process is in", others._make, parameters_of(), {})
    raises(TypeError, "pickle", copy.deepcopy, OneBitAdam(parameters_of(), process_group=mine))


@check(2)
@check(4)
def one_bit_parameters_are_the_same_on_every_rank_bit_by_bit():
    """Tensors of several dtypes, in groups of which one is compressed while another is not yet."""
    parameters = parameters_of() + parameters_of(dtype=torch.float64) + parameters_of(dtype=torch.bfloat16)
    groups = [{"params": parameters[::2], "freeze_step": 2}, {"params": parameters[1::2], "freeze_step": 4}]
    optimizer = OneBitAdam(groups, lr=0.01, weight_decay=0.1)
    for step in range(8):
        train(optimizer, parameters, step, step + 1)
        assert_same_on_every_rank(parameters)
        kept = [optimizer.state[p] for p in parameters]
        assert_same_on_every_rank([state[key] for state in kept for key in ("exp_avg", "exp_avg_sq")])
    first, *others = everyones(optimizer.state[parameters[0]]["worker_error"])
    assert all((first != other).all() for other in others)


@check(2)
@check(4)
def one_bit_workers_resume_bit_by_bit():
    for steps in (1, 4):  # while Adam, and while compressed
        for dtype in (torch.float32, torch.bfloat16):
            parameters = parameters_of(dtype=dtype)
            optimizer = OneBitAdam(parameters, freeze_step=2)
            train(optimizer, parameters, 0, steps)
            file = io.BytesIO()
            torch.save([optimizer.state_dict(), parameters], file)
            file.seek(0)
            saved, values = torch.load(file, weights_only=True)
            resumed = [nn.Parameter(value.detach()) for value in values]
            other = OneBitAdam(resumed)
            other.load_state_dict(saved)
            for each, tensors in ((optimizer, parameters), (other, resumed)):
                train(each, tensors, steps, steps + 3)
            assert_identical((optimizer, other), (parameters, resumed))


@check(2)
def one_bit_state_of_another_number_of_workers_is_refused():
    parameters = parameters_of()
    alone = OneBitAdam(parameters, process_group=[dist.new_group([0]), dist.new_group([1])][dist.get_rank()])
    train(alone, parameters, 0, 1)
    both = OneBitAdam(parameters)
    raises(ValueError, "parameter 0 lacks server_error", both.load_state_dict, alone.state_dict())
    train(both, parameters, 0, 1)
    raises(ValueError, "has server_error, which is not known", alone.load_state_dict, both.state_dict())


@check(2)
@check(4)
def one_bit_errors_are_fed_back_on_both_sides():
    """Nothing is lost: what compression leaves now and what it sends are what came in and what it left before."""
    size, shape = dist.get_world_size(), (5, 7)
    (parameter,) = parameters = parameters_of([shape], torch.float64)
    optimizer = OneBitAdam(parameters, freeze_step=2)
    train(optimizer, parameters, 0, 2)
    state = optimizer.state[parameter]

    def left():
        servers = [torch.zeros(-(-parameter.numel() // size), dtype=torch.float64) for _ in range(size)]
        own = torch.nn.functional.pad(state["server_error"], (0, len(servers[0]) - len(state["server_error"])))
        dist.all_gather(servers, own)
        of_workers = sum(everyones(state["worker_error"])) / size
        return of_workers, torch.cat(servers)[: parameter.numel()]

    assert all(not each.any() for each in left())
    for step in range(2, 8):
        before, old = sum(left()), state["exp_avg"].clone()
        train(optimizer, parameters, step, step + 1)
        came = 0.9 * old.flatten() + 0.1 * sum(everyones(parameter.grad)) / size + before
        torch.testing.assert_close(sum(left()) + state["exp_avg"].flatten(), came, rtol=1e-13, atol=1e-13)
        assert all(each.any() for each in left())
        signs = state["exp_avg"].flatten().abs().split(-(-parameter.numel() // size))
        assert all(len(chunk.unique()) == 1 for chunk in signs)


@check(2)
def one_bit_error_of_one_worker_shows_on_all():
    for bad in (torch.nan, torch.inf):
        for steps in (1, 4):
            parameters = parameters_of()
            optimizer = OneBitAdam(parameters, freeze_step=2)
            train(optimizer, parameters, 0, steps)
            for parameter in parameters:
                parameter.grad = torch.full_like(parameter, bad if dist.get_rank() == 1 else 1.0)
            optimizer.step()
            assert not any(parameter.isfinite().any() for parameter in parameters)


@check(2)
@check(4)
def one_bit_bytes_are_those_of_the_arithmetic(folder):
    """What is handed to the collectives, step by step; the page states it."""
    size, elements = dist.get_world_size(), [torch.Size(shape).numel() for shape in MODEL]
    whole, message = 4 * sum(elements), sum(math.ceil(math.ceil(n / size) / 8) + 4 for n in elements)  # to a server
    uncompressed = [("all_reduce", whole)]
    compressed = [("all_to_all_single", size * message), ("all_gather", message)]
    handed = []

    def counting(name):
        function = getattr(dist, name)

        def counted(*tensors, **others):
            handed.append((name, tensors[-1].nbytes))  # the last positional argument is what is sent
            return function(*tensors, **others)

        return mock.patch.object(dist, name, counted)

    parameters = parameters_of(MODEL)
    optimizer = OneBitAdam(parameters, freeze_step=2)
    with contextlib.ExitStack() as patches:
        for name in filter(functools.partial(hasattr, dist), COLLECTIVES):
            patches.enter_context(counting(name))
        for step in range(4):
            handed.clear()
            train(optimizer, parameters, step, step + 1)
            assert handed == (uncompressed if step < 2 else compressed), (step, handed)
    # A ring sends 2 (W-1)/W of what an all-reduce is handed; of the messages a worker keeps its own.
    sent = {"all-reduce": 2 * (size - 1) * whole // size, "1-bit": 2 * (size - 1) * message}
    if dist.get_rank() == 0:
        (folder / f"sent-{size}.json").write_text(json.dumps({"parameters": sum(elements), **sent}), encoding="utf-8")
        page = (Path(__file__).parents[4] / "docs/baselines/one-bit-adam.md").read_text(encoding="utf-8")
        numbers = [f"{number:,}" for number in (size, sum(elements), *sent.values())]
        row = f"| PyTorch | {' | '.join(numbers)} | {sent['all-reduce'] / sent['1-bit']:.2f} |"
        assert [line for line in page.splitlines() if line.startswith(f"| PyTorch | {size} |")] == [row]
