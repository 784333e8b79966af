"""What is special about Adan: the gradient that it keeps, and AlphaAdam's mask around it."""

import torch

from alphaadam.torch import AlphaMask
from alphaadam.torch.baselines import Adan
from tests.implementations.torch.training import assert_identical, make_parameters, snapshot, train


def test_the_first_step_of_a_late_parameter_has_no_difference():
    """Of any step whose gradient is the first the move is the rate, whatever the others did."""
    early, late = make_parameters(shapes=[(3,), (4,)])
    optimizer = Adan([early, late], lr=0.125)
    for _ in range(2):
        early.grad = torch.ones(3)
        optimizer.step()
    before = late.detach().clone()
    late.grad = torch.tensor([1.0, -2.0, 0.5, -0.25])
    optimizer.step()
    torch.testing.assert_close(late.detach() - before, -0.125 * late.grad.sign(), rtol=1e-5, atol=0)


def test_the_mask_around_it_goes_by_its_average_of_gradients():
    parameter = torch.nn.Parameter(torch.zeros(3))
    optimizer = AlphaMask(Adan([parameter], lr=0.125, betas=(0.75, 0.5, 0.5)), record_diagnostics=True)
    for gradient, mask in (([1.0, 1.0, 0.0], [True] * 3), ([-0.5, 0.5, 1.0], [False, True, True])):
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        assert optimizer.diagnostics[parameter].mask.tolist() == mask
    assert optimizer.diagnostics[parameter].alpha > 1


def test_without_a_mask_it_is_adan_and_a_checkpoint_of_either_goes_on_in_the_other():
    ours, theirs = make_parameters(), make_parameters()
    masked, bare = AlphaMask(Adan(ours, lr=0.01), masking="none", alpha=1.0), Adan(theirs, lr=0.01)
    train(masked, ours, 0, 3)
    train(bare, theirs, 0, 3)
    assert_identical(snapshot(masked), snapshot(bare))
    masked.load_state_dict(bare.state_dict())
    bare.load_state_dict(masked.state_dict())
    train(masked, ours, 3, 5)
    train(bare, theirs, 3, 5)
    assert_identical(snapshot(masked), snapshot(bare))
