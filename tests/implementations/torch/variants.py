"""What every path of a step is compared on: settings, tensors, and how far from the plain loop it may end."""

import torch

from alphaadam.torch import AlphaAdam
from tests.implementations.torch import training

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.complex64)

RULES = {
    "default": {},
    "sync": {"masking": "sync"},
    "count": {"alpha": "count", "alpha_max": 3.0},
    "sync, count": {"masking": "sync", "alpha": "count"},
    "number": {"alpha": 1.5},
    "AdamW": {"masking": "none", "alpha": 1.0},
    "maximize": {"maximize": True},
    "no decay, large eps": {"weight_decay": 0.0, "eps": 0.1},
}

#: A matrix, a vector that misses some gradients, no dimension, no element, and ends that fill no block, byte or word.
SHAPES = ((3, 4), (5,), (), (0, 3), (33,), (257, 3), (2, 1, 129))


def parameters(dtype, shapes=SHAPES):
    return training.make_parameters(dtype, shapes)


def train(params, steps=5, **options):
    """Steps with gradients of random signs, some of them absent; the optimizer."""
    optimizer = AlphaAdam(params, lr=0.01, **options)
    training.train(optimizer, params, 0, steps)
    return optimizer


def assert_like_the_loop(dtype, rule, shapes=SHAPES, steps=5, **options):
    """A path makes the same decisions as the plain loop, and ends where it does up to the rounding of operations.

    Masks are equal bit for bit where they are decided by stored values alone (they are the same as long as the stored
    moments are, so in half precision always; a sign of a moment near zero may differ in float32 otherwise, which these
    seeds do not meet). Each step rounds some ten operations, each by half an epsilon of a value no larger than the
    largest moment, update or parameter; five steps of them stay below 8 epsilons of the largest. In half precision
    everything is rounded once, to the same value but for ties: one epsilon for each step.
    """
    expected, actual = parameters(dtype, shapes), parameters(dtype, shapes)
    reference = train(expected, steps, foreach=False, record_diagnostics=True, **rule)
    optimizer = train(actual, steps, **options, **rule)
    for a, b in zip(expected, actual, strict=True):
        pairs = [(a, b)]
        if a in reference.state:
            assert optimizer.state[b]["step"].item() == reference.state[a]["step"].item()
            pairs += [(reference.state[a][key], optimizer.state[b][key]) for key in ("exp_avg", "exp_avg_sq")]
        for x, y in pairs:
            x, y = (torch.view_as_real(t.detach()) if t.is_complex() else t.detach() for t in (x, y))
            assert x.dtype == y.dtype
            if x.numel():
                largest = x.double().abs().max()
                bound = (8 if torch.finfo(x.dtype).bits >= 32 else 5) * torch.finfo(x.dtype).eps * largest
                torch.testing.assert_close(y.double(), x.double(), rtol=0, atol=bound.item())
        if optimizer.record_diagnostics and a in reference.diagnostics:
            ours, its = optimizer.diagnostics[b], reference.diagnostics[a]
            assert torch.equal(ours.mask, its.mask)
            # Alpha is computed in float64 from u in the arithmetic's dtype: a few roundings of that.
            eps = torch.finfo(torch.promote_types(x.dtype, torch.float32)).eps
            torch.testing.assert_close(ours.alpha, its.alpha, rtol=8 * eps, atol=0, check_device=False)
