"""Checks of tensors whose shards and gradients are made up, which reaches every way to place them."""

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor

from alphaadam.torch import AlphaAdam
from tests.implementations.torch.distributed.comparing import (
    FIXED,
    INNER,
    LR,
    PATHS,
    RULES,
    Placed,
    around,
    assert_same_step,
    compare,
    distributed,
    in_groups,
)
from tests.implementations.torch.distributed.registry import check, raises


def line():
    return init_device_mesh("cpu", (dist.get_world_size(),))


def uneven(mesh, dtype=torch.float32):
    """Shards of 2 and 1 rows, 3 and 2, 1 and none; columns; copies; plain tensors; nothing at all."""
    return [
        Placed((3, 4), mesh, Shard(0), dtype=dtype),
        Placed((5,), mesh, Shard(0), dtype=dtype),
        Placed((1, 3), mesh, Shard(0), dtype=dtype),
        Placed((4, 3), mesh, Shard(1), dtype=dtype),
        Placed((), mesh, Replicate(), dtype=dtype),
        Placed((2, 2), mesh, Replicate(), dtype=dtype),
        Placed((3, 2), dtype=dtype),
        Placed((0, 2), mesh, Shard(0), dtype=dtype),
        Placed((1,), mesh, Shard(0), dtype=dtype),
        Placed((37, 29), mesh, Shard(0), dtype=dtype),
    ]


@check(2)
def shards_equal_the_whole_on_every_path_by_every_rule_in_one_all_reduce():
    for path in PATHS.values():
        for rule in RULES.values():
            compare(uneven(line()), in_groups(**path, **rule), collectives=1)


@check(2)
def a_fixed_alpha_needs_no_collective():
    for path in PATHS.values():
        for rule in FIXED.values():
            compare(uneven(line()), in_groups(**path, **rule), collectives=0)
    compare([Placed((2, 2), line(), Replicate()), Placed((3,))], in_groups(), collectives=0)


@check(2)
def shards_equal_the_whole_in_every_dtype():
    for dtype in (torch.float64, torch.bfloat16, torch.float16, torch.complex64):
        for path in PATHS.values():
            compare(uneven(line(), dtype), in_groups(**path), collectives=1)


@check(2)
def groups_may_mix_paths_dtypes_and_rules():
    def build(parameters):
        return AlphaAdam(
            [
                {"params": parameters[0:3], "foreach": True},
                {"params": parameters[3:5], "alpha": "count"},
                {"params": parameters[5:7], "masking": "none"},
                {"params": parameters[7:8], "alpha": 0.5, "fused": False},
                {"params": parameters[8:], "foreach": False},
            ],
            lr=LR,
            record_diagnostics=True,
        )

    placed = uneven(line())
    placed[2].dtype = placed[4].dtype = placed[9].dtype = torch.float64
    compare(placed, build, collectives=1)


@check(2)
def alpha_mask_shards_equal_the_whole_in_one_all_reduce():
    for inner in INNER:
        for rule in ({}, {"alpha": "count"}, {"masking": "sync"}):
            compare(distributed(uneven(line())), around(inner, **rule), collectives=1)
    for rule in FIXED.values():
        compare(uneven(line()), around("SGD", **rule), collectives=0)
    for dtype in (torch.float64, torch.bfloat16, torch.complex64):
        compare(uneven(line(), dtype), around("SGD"), collectives=1)


@check(2)
def ranks_that_disagree_neither_wait_nor_mix_up_tensors():
    """No gradient, or one laid out in another way, on one rank only."""
    mesh = line()
    shapes = [(4, 6), (6, 4), (2, 3)]
    # In float64, since two paths agree on u to its rounding only.
    placed = [Placed(shape, mesh, Shard(0), dtype=torch.float64) for shape in shapes]
    plain = [nn.Parameter(each.draw(number)) for number, each in enumerate(placed)]
    ours = [nn.Parameter(each.place(p.detach())) for each, p in zip(placed, plain, strict=True)]
    expected, actual = in_groups()(plain), in_groups()(ours)
    for step in range(4):
        for number, (each, p, q) in enumerate(zip(placed, plain, ours, strict=True)):
            p.grad = each.draw(1000 * (step + 1) + number)
            q.grad = each.place(p.grad)
        if dist.get_rank() == 0:  # fused on one rank, the loop on the other
            turned = ours[0].grad.to_local().t().contiguous().t()
            ours[0].grad = DTensor.from_local(turned, mesh, [Shard(0)], run_check=False)
        expected.step()
        actual.step()
        assert_same_step(actual, ours, expected, plain)

    for p in ours:
        p.grad = p.detach().clone() if dist.get_rank() == 0 else None
    before = ours[2].to_local().detach().clone()
    actual.step()
    assert len(actual.diagnostics) == (3 if dist.get_rank() == 0 else 0)
    assert torch.equal(ours[2].to_local(), before) == (dist.get_rank() == 1)


@check(2)
def a_gradient_that_is_a_partial_sum_is_reduced():
    """As tensor parallelism leaves it at parameters that every rank has a copy of."""
    mesh = line()
    for placement in (Replicate(), Shard(0)):
        for build in (in_groups(), around("SGD")):
            each = Placed((3, 2), mesh, placement)
            p = nn.Parameter(each.draw(0))
            q = nn.Parameter(each.place(p.detach()))
            expected, actual = build([p]), build([q])
            for step in range(3):
                p.grad = each.draw(step + 1)
                # Halves add up exactly.
                q.grad = DTensor.from_local(p.grad / 2, mesh, [Partial()], run_check=False)
                expected.step()
                actual.step()
                assert_same_step(actual, [q], expected, [p])


@check(2)
def a_partial_parameter_is_refused():
    for build in (in_groups(), in_groups(alpha=1.0), around("SGD")):
        p = nn.Parameter(DTensor.from_local(torch.ones(2), line(), [Partial()], run_check=False))
        p.grad = DTensor.from_local(torch.ones(2), line(), [Partial()], run_check=False)
        raises(RuntimeError, "partial sum that has yet to be reduced. Redistribute it to Shard", build([p]).step)


@check(2)
def a_state_that_is_sharded_in_another_way_is_refused():
    plain, ours = (nn.Parameter(torch.ones(4)), nn.Parameter(distribute_tensor(torch.ones(4), line(), [Shard(0)])))
    optimizers = AlphaAdam([plain]), AlphaAdam([ours])
    for p, optimizer in zip((plain, ours), optimizers, strict=True):
        p.grad = torch.ones_like(p)
        optimizer.step()
    for optimizer, other in (optimizers, optimizers[::-1]):
        load = optimizer.load_state_dict
        saved = other.state_dict()
        raises(ValueError, "exp_avg of parameter 0 is not sharded as.*set_optimizer_state_dict", load, saved)


@check(2)
def a_sharded_step_cannot_be_differentiated():
    p = nn.Parameter(distribute_tensor(torch.ones(4), line(), [Shard(0)]))
    p.grad = torch.ones_like(p)
    optimizer = AlphaAdam([p], differentiable=True)
    raises(RuntimeError, "differentiable=True.*DTensor.*full_tensor", optimizer.step)


def square():
    return init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))


def on_a_square(mesh):
    return [
        Placed((3, 4), mesh, Shard(0), Shard(1)),
        Placed((5, 3), mesh, Shard(0), Replicate()),
        Placed((7,), mesh, Replicate(), Shard(0)),
        Placed((4, 3), mesh, Shard(1), Shard(0)),
        Placed((9, 2), mesh, Shard(0), Shard(0)),
        Placed((1, 2), mesh, Shard(0), Shard(0)),
        Placed((), mesh, Replicate(), Replicate()),
        Placed((2, 3)),
    ]


@check(4)
def a_square_of_ranks_equals_one_in_one_all_reduce():
    for path in PATHS.values():
        for rule in ("norm", "count"):
            compare(on_a_square(square()), in_groups(**path, **RULES[rule]), collectives=1)
    for inner in INNER:
        compare(distributed(on_a_square(square())), around(inner), collectives=1)


@check(4)
def parameters_on_several_meshes():
    """One all-reduce for each: a row of the square beside the square, and ranks that have nothing of a tensor."""
    mesh = square()
    half = DeviceMesh("cpu", [0, 1])
    own = mesh["tensor"]
    placed = [
        Placed((3, 4), mesh, Shard(0), Shard(1)),
        Placed((5, 2), own, Shard(0)),
        Placed((3,), half, Shard(0)),
        Placed((4,), mesh["data"], Shard(0)),
        Placed((3, 3), own, Shard(1)),
        Placed((6,), mesh, Replicate(), Shard(0)),
        Placed((5,), half, Replicate()),
    ]
    collectives = 4 if dist.get_rank() < 2 else 3
    for build in (in_groups(), in_groups(foreach=True), around("SGD")):
        compare(placed, build, collectives=collectives)


@check(4)
def a_square_that_is_not_the_world_is_reduced_along_each_side():
    pairs = torch.tensor([[[0], [1]], [[2], [3]]])
    mesh = [DeviceMesh("cpu", ranks) for ranks in pairs][dist.get_rank() // 2]
    placed = [Placed((3, 4), mesh, Shard(0), Shard(1)), Placed((5,), mesh, Shard(0), Replicate())]
    compare(placed, in_groups(), collectives=2)
