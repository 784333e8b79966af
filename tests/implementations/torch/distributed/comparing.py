"""A training step on whole tensors beside the same on shards of them."""

import torch
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.distributed.tensor.debug import CommDebugMode

from alphaadam.torch import AlphaAdam, AlphaMask

PATHS = {"loop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}
RULES = {
    "norm": {},
    "count": {"alpha": "count"},
    "sync": {"masking": "sync"},
    "cautious": {"masking": "sync", "alpha": "count"},
    "maximize": {"maximize": True},
}
FIXED = {"number": {"alpha": 0.75}, "no mask": {"masking": "none"}}
INNER = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "AdamW fused": lambda p: torch.optim.AdamW(p, lr=0.01, fused=True),
}
LR = 0.05


class Placed:
    """A parameter's shape and where its shards are; without a mesh it is a plain tensor."""

    def __init__(self, shape, mesh=None, *placements, dtype=torch.float32):
        self.shape, self.mesh, self.placements, self.dtype = shape, mesh, placements, dtype

    def draw(self, seed):
        generator = torch.Generator().manual_seed(seed)
        wide = torch.complex128 if self.dtype.is_complex else torch.float64
        return torch.randn(self.shape, generator=generator, dtype=wide).to(self.dtype)

    def place(self, tensor):
        return tensor.clone() if self.mesh is None else share(tensor, self.mesh, self.placements)


def distributed(placed):
    """Without plain tensors: PyTorch's own fused steps take no mixture."""
    return [each for each in placed if each.mesh is not None]


def in_groups(**options):
    """Two parameter groups, with diagnostics."""

    def build(parameters):
        groups = [{"params": parameters[:2], "weight_decay": 0.1}, {"params": parameters[2:]}]
        return AlphaAdam(groups, lr=LR, record_diagnostics=True, **options)

    return build


def around(inner, **options):
    return lambda parameters: AlphaMask(INNER[inner](parameters), record_diagnostics=True, **options)


def compare(placed, build, *, collectives, without_gradient=1):
    """Train sharded and plain tensors on the same gradients; in even steps one tensor has none."""
    plain = [nn.Parameter(each.draw(number)) for number, each in enumerate(placed)]
    ours = [nn.Parameter(each.place(p.detach())) for each, p in zip(placed, plain, strict=True)]
    expected, actual = build(plain), build(ours)
    for step in range(1, 5):
        for number, (each, p, q) in enumerate(zip(placed, plain, ours, strict=True)):
            gradient = each.draw(1000 * step + number)
            absent = number == without_gradient and step % 2 == 0
            p.grad, q.grad = (None, None) if absent else (gradient, each.place(gradient))
        expected.step()
        with CommDebugMode() as communication:
            actual.step()
        assert communication.get_total_counts() == collectives, communication.get_comm_counts()
    assert_same_step(actual, ours, expected, plain)


def assert_same_step(actual, ours, expected, plain):
    for p, q in zip(plain, ours, strict=True):
        assert_close(local(q), share_of(p, q))
        assert expected.state[p].keys() == actual.state[q].keys()
        for key, value in expected.state[p].items():
            found = actual.state[q][key]
            assert isinstance(found, DTensor) == (isinstance(q, DTensor) and key != "step")
            assert_close(local(found), share_of(value, found))
        assert (p in expected.diagnostics) == (q in actual.diagnostics)
        if p not in expected.diagnostics or (isinstance(q, DTensor) and q.device_mesh.get_coordinate() is None):
            continue  # it had no gradient, or this rank has no part of it
        (alpha, mask), (wanted_alpha, wanted_mask) = actual.diagnostics[q], expected.diagnostics[p]
        # Two sums of n float64 numbers, added up in another order, and in them u: to a few ulp of the tensor's dtype,
        # as below. AlphaMask reads u from the parameter, where an ulp is more of it: steps are about a tenth of them.
        ulps = 4 if isinstance(actual, AlphaAdam) else 40
        rtol = ulps * torch.finfo(p.dtype).eps + p.numel() * 2**-53
        torch.testing.assert_close(alpha, wanted_alpha, rtol=rtol, atol=0, equal_nan=True)
        assert torch.equal(mask, share_of(wanted_mask, q))


def assert_close(actual, expected):
    """To 4 ulp: one where alpha is rounded to the dtype of the arithmetic, the rest where vector instructions end at
    another element of a shard than of the whole tensor, and the last ones are computed without contraction."""
    eps = torch.finfo(expected.dtype).eps
    torch.testing.assert_close(actual.detach(), expected.detach(), rtol=4 * eps, atol=4 * eps * LR, equal_nan=True)


def share(tensor, mesh, placements):
    """A tensor that every rank has, as a DTensor; without communication."""
    return distribute_tensor(tensor.detach(), mesh, placements, src_data_rank=None)


def local(tensor):
    return tensor.detach().to_local() if isinstance(tensor, DTensor) else tensor.detach()


def share_of(tensor, like):
    """What this rank has of a tensor if that is placed as another one is."""
    return share(tensor, like.device_mesh, like.placements).to_local() if isinstance(like, DTensor) else tensor


def whole(tensor):
    return tensor.detach().full_tensor() if isinstance(tensor, DTensor) else tensor.detach()
