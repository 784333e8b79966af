"""Checks of models, as PyTorch's own wrappers distribute them."""

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.debug import CommDebugMode
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from alphaadam.torch import AlphaAdam, AlphaMask
from tests.implementations.torch.distributed.comparing import (
    INNER,
    LR,
    PATHS,
    around,
    assert_close,
    assert_same_step,
    in_groups,
    whole,
)
from tests.implementations.torch.distributed.registry import check
from tests.implementations.torch.distributed.tensors import square


class Model(nn.Module):
    """Rows of 5, 3 and 1; a frozen parameter; one that is used in every other step only."""

    def __init__(self, dtype=torch.float32, seed=0, hidden=5):
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Linear(4, hidden, dtype=dtype)
        self.second = nn.Linear(hidden, 3, dtype=dtype)
        self.third = nn.Linear(3, 1, dtype=dtype)
        self.frozen = nn.Parameter(torch.randn(3, dtype=dtype), requires_grad=False)
        self.seldom = nn.Linear(hidden, 3, bias=False, dtype=dtype)

    def forward(self, x, step=0):
        hidden = self.first(x).tanh()
        out = self.second(hidden) * self.frozen
        return self.third((out if step % 2 else out + self.seldom(hidden)).tanh())


def batch(step, size=8, dtype=torch.float32):
    generator = torch.Generator().manual_seed(100 + step)
    return torch.randn(size, 4, generator=generator, dtype=torch.float64).to(dtype)


def train(model, optimizer, first, last):
    for step in range(first, last):
        optimizer.zero_grad()
        model(batch(step), step).square().mean().backward()
        optimizer.step()


def sharded(model, mesh=None, **options):
    for layer in (model.first, model.second):
        fully_shard(layer, mesh=mesh, **options)
    return fully_shard(model, mesh=mesh, **options)


def both(seed=0):
    """The same model sharded and whole."""
    return sharded(Model(seed=seed)), Model(seed=seed)


@check(2)
def ddp_equals_one_process_on_the_whole_batch():
    """In float64, where the mean of two halves and the mean of the whole differ by a few roundings of 1e-16."""
    for build in (lambda p: AlphaAdam(p, lr=LR), lambda p: AlphaMask(INNER["SGD"](p))):
        alone = Model(torch.float64)
        parallel = nn.parallel.DistributedDataParallel(Model(torch.float64))
        optimizers = build([*alone.parameters()]), build([*parallel.parameters()])
        for step in range(6):
            x = batch(step, dtype=torch.float64)
            for model, data in ((alone, x), (parallel, x[dist.get_rank() :: 2])):
                model.zero_grad()
                model(data).square().mean().backward()
            for optimizer in optimizers:
                optimizer.step()
        for p, q in zip(alone.parameters(), parallel.parameters(), strict=True):
            torch.testing.assert_close(q, p, rtol=1e-11, atol=1e-13)
        mine = torch.cat([p.detach().flatten() for p in parallel.parameters()])
        others = mine.clone()
        dist.broadcast(others, 0)
        assert torch.equal(mine, others)


@check(2)
def fsdp2_equals_the_unsharded_model():
    """Every rank has the whole batch, so that the mean of both gradients is exact, and with it the comparison."""
    for path in ({}, *PATHS.values()):
        model, alone = both()
        optimizers = [in_groups(**path)([*each.parameters()]) for each in (model, alone)]
        for step in range(5):
            for each in (model, alone):
                each.zero_grad()
                each(batch(step), step).square().mean().backward()
            expected = [p.grad for p in alone.parameters()]
            for p, gradient in zip(model.parameters(), expected, strict=True):
                assert (p.grad is None) == (gradient is None)
                assert p.grad is None or torch.equal(whole(p.grad), gradient)
            with CommDebugMode() as communication:
                optimizers[0].step()
            assert communication.get_total_counts() == 1
            optimizers[1].step()
            assert_same_step(optimizers[0], [*model.parameters()], optimizers[1], [*alone.parameters()])


@check(2)
def fsdp2_in_mixed_precision_with_clipping():
    """Forward and backward in bfloat16; the unsharded optimizer gets the gradients that come out of that."""
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    model, alone = sharded(Model(), mp_policy=policy), Model()
    optimizers = [in_groups()([*each.parameters()]) for each in (model, alone)]
    for step in range(4):
        optimizers[0].zero_grad()
        model(batch(step), step).float().square().mean().backward()
        for p, q in zip(alone.parameters(), model.parameters(), strict=True):
            assert q.grad is None or q.grad.dtype == torch.float32
            p.grad = None if q.grad is None else whole(q.grad)
        for each in (model, alone):
            nn.utils.clip_grad_norm_([p for p in each.parameters() if p.grad is not None], 0.01)
        for p, q in zip(alone.parameters(), model.parameters(), strict=True):
            if p.grad is not None:  # the norm's own sum is float32's
                torch.testing.assert_close(whole(q.grad), p.grad, rtol=1e-5, atol=0)
                p.grad = whole(q.grad)
        for optimizer in optimizers:
            optimizer.step()
        assert_same_step(optimizers[0], [*model.parameters()], optimizers[1], [*alone.parameters()])


@check(2)
def a_grad_scaler_skips_on_every_rank_and_unscales():
    for path in PATHS.values():
        model, alone = both()
        optimizers = [in_groups(**path)([*each.parameters()]) for each in (model, alone)]
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=1000)
        for step in range(4):
            model.zero_grad()
            alone.zero_grad()
            scaler.scale(model(batch(step), step).square().mean()).backward()
            alone(batch(step), step).square().mean().backward()
            if step == 2 and dist.get_rank() == 1:  # in one shard only
                model.first.weight.grad.to_local()[0, 0] = torch.inf
            scaler.step(optimizers[0])
            scaler.update()
            if step == 2:
                continue
            optimizers[1].step()
            for p, q in zip(alone.parameters(), model.parameters(), strict=True):
                if q in optimizers[0].diagnostics:
                    # A scale of 1024 is exact in every gradient.
                    assert_close(whole(q), p)
        assert scaler.get_scale() == 512.0


@check(2)
def alpha_mask_around_fsdp2():
    for name in INNER:
        model, alone = both()
        optimizers = [around(name)([*each.parameters()]) for each in (model, alone)]
        for each, optimizer in zip((model, alone), optimizers, strict=True):
            train(each, optimizer, 0, 5)
        assert_same_step(optimizers[0], [*model.parameters()], optimizers[1], [*alone.parameters()])


@check(4)
def hybrid_sharding_equals_the_unsharded_model():
    model, alone = sharded(Model(), mesh=square()), Model()
    assert model.first.weight.placements == (Replicate(), Shard(0))
    optimizers = [in_groups()([*each.parameters()]) for each in (model, alone)]
    for step in range(5):
        for each in (model, alone):
            each.zero_grad()
            each(batch(step), step).square().mean().backward()
        with CommDebugMode() as communication:
            optimizers[0].step()
        assert communication.get_total_counts() == 1
        optimizers[1].step()
        assert_same_step(optimizers[0], [*model.parameters()], optimizers[1], [*alone.parameters()])


@check(4)
def fsdp2_over_tensor_parallelism():
    """Parameters on the square beside those that are on its first side only; the layers' rows are sharded twice."""
    mesh = square()
    model, alone = Model(hidden=6), Model(hidden=6)
    parallelize_module(model, mesh["tensor"], {"first": ColwiseParallel(), "second": RowwiseParallel()})
    fully_shard(model, mesh=mesh["data"])  # a layer of its own would return a view, which FSDP warns of
    assert len({p.device_mesh for p in model.parameters()}) == 2
    optimizers = [in_groups()([*each.parameters()]) for each in (model, alone)]
    for step in range(5):
        model.zero_grad()
        model(batch(step), 1).square().mean().backward()
        for p, q in zip(alone.parameters(), model.parameters(), strict=True):
            p.grad = None if q.grad is None else whole(q.grad)
        with CommDebugMode() as communication:
            optimizers[0].step()
        assert communication.get_total_counts() == 2, communication.get_comm_counts()
        optimizers[1].step()
        assert_same_step(optimizers[0], [*model.parameters()], optimizers[1], [*alone.parameters()])
