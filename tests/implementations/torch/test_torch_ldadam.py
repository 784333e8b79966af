"""What is special in LDAdam: one decomposition of each matrix, thin matrices, and what it keeps."""

import pytest
import torch

from alphaadam.torch.baselines import LDAdam


def stepped(shape, steps, **settings):
    torch.manual_seed(0)
    parameter = torch.nn.Parameter(torch.randn(shape, dtype=torch.float64))
    optimizer = LDAdam([parameter], lr=0.1, **settings)
    for _ in range(steps):
        parameter.grad = torch.randn(shape, dtype=torch.float64)
        optimizer.step()
    return parameter, optimizer


@pytest.mark.parametrize("shape", [(64, 256), (256, 64)])
def test_beside_the_error_it_keeps_thin_matrices(shape):
    parameter, optimizer = stepped(shape, 3, rank=4)
    state = optimizer.state[parameter]
    assert {key: tuple(x.shape) for key, x in state.items() if key != "step"} == {
        "projector": (64, 4),
        "exp_avg": (4, 256),
        "exp_avg_sq": (4, 256),
        "error": shape,
    }
    # Nothing keeps a larger array alive.
    assert all(x.untyped_storage().nbytes() == x.numel() * x.element_size() for x in state.values())


def test_the_first_step_alone_decomposes(monkeypatch):
    calls = []
    monkeypatch.setattr(
        torch.linalg, "svd", lambda *given, of=torch.linalg.svd, **k: calls.append(0) or of(*given, **k)
    )
    stepped((6, 4), 5, rank=2)
    assert len(calls) == 1


def test_the_subspace_stays_orthonormal():
    parameter, optimizer = stepped((40, 60), 20, rank=8)
    p = optimizer.state[parameter]["projector"]
    torch.testing.assert_close(p.mT @ p, torch.eye(8, dtype=torch.float64))


def test_a_transposed_parameter_has_the_transposed_step():
    parameter, optimizer = stepped((5, 9), 0)
    other = torch.nn.Parameter(parameter.detach().mT.clone())
    transposed = LDAdam([other], lr=0.1)
    for _ in range(3):
        parameter.grad = torch.randn(5, 9, dtype=torch.float64)
        other.grad = parameter.grad.mT
        optimizer.step()
        transposed.step()
    torch.testing.assert_close(parameter.mT, other)


def test_zero_gradients_move_nothing():
    parameter = torch.nn.Parameter(torch.ones(3, 5))
    optimizer = LDAdam([parameter], lr=0.1, rank=2)
    for _ in range(3):
        parameter.grad = torch.zeros(3, 5)
        optimizer.step()
    assert torch.equal(parameter.data, torch.ones(3, 5))
    parameter.grad = torch.randn(3, 5)
    optimizer.step()
    assert parameter.isfinite().all()
