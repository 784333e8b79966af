"""Adam-mini in PyTorch: its partitions, and what it keeps."""

import pytest
import torch

from alphaadam.torch.baselines import AdamMini


def stepped(shape, blocks, gradients, **changes):
    """A parameter of ones after some steps, and its optimizer."""
    parameter = torch.nn.Parameter(torch.ones(shape, dtype=torch.float64))
    optimizer = AdamMini([parameter], lr=0.1, blocks=blocks, **changes)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach(), optimizer.state[parameter]


def drawn(*shape, count=3):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(count)]


@pytest.mark.parametrize(
    ("shape", "blocks", "count"),
    [
        ((6, 4), None, ()),
        ((6, 4), (0, 1), (6,)),
        ((6, 4), (1, 1), (4,)),
        ((6, 4), (0, 3), (2,)),
        ((6, 4), [-1, 2], (2,)),
        ((6, 12), (1, [(8, 2), (4, 1)]), (8,)),
        ((3, 2, 5), (0, 1), (3,)),
        ((7,), (0, 1), (7,)),
        ((), (0, 1), ()),
        ((0, 4), (1, 1), ()),
    ],
)
def test_a_second_moment_for_each_block_and_no_more(shape, blocks, count):
    _, state = stepped(shape, blocks, drawn(*shape))
    assert state["exp_avg_sq"].shape == torch.Size(count)


def test_a_vector_by_element_is_adam():
    gradients = drawn(9)
    parameter = torch.nn.Parameter(torch.ones(9, dtype=torch.float64))
    adam = torch.optim.Adam([parameter], lr=0.1)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        adam.step()
    moved, _ = stepped((9,), (0, 1), gradients)
    torch.testing.assert_close(moved, parameter.detach(), rtol=1e-12, atol=0)


def test_a_fused_matrix_moves_as_its_parts_do():
    gradients = drawn(4, 12)
    fused, _ = stepped((4, 12), (1, [(8, 2), (4, 1)]), gradients)
    parts = [
        stepped((4, 8), (1, 2), [gradient[:, :8] for gradient in gradients])[0],
        stepped((4, 4), (1, 1), [gradient[:, 8:] for gradient in gradients])[0],
    ]
    assert torch.equal(fused, torch.cat(parts, dim=1))


def test_the_scale_of_a_head_does_not_matter_and_that_within_a_head_does():
    gradients = drawn(4, 6)
    plain, _ = stepped((4, 6), (1, 3), gradients, eps=0.0)
    by_head = torch.tensor([100.0] * 3 + [1.0] * 3, dtype=torch.float64)
    within = torch.tensor([100.0, 1.0, 1.0] * 2, dtype=torch.float64)
    for scale, same in ((by_head, True), (within, False)):
        scaled, _ = stepped((4, 6), (1, 3), [gradient * scale for gradient in gradients], eps=0.0)
        assert torch.allclose(scaled, plain, rtol=1e-12) == same


def test_state_has_four_bytes_per_parameter_and_four_per_block():
    parameter = torch.nn.Parameter(torch.ones(256, 64))
    optimizer = AdamMini([parameter], blocks=(0, 1))
    parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    kept = [x for key, x in optimizer.state[parameter].items() if key != "step"]
    assert sum(x.numel() * x.element_size() for x in kept) == 4 * parameter.numel() + 4 * 256


@pytest.mark.parametrize("blocks", [(1, 1), (0, [(2, 2), (4, 1)])])
def test_partitions_are_part_of_a_checkpoint(blocks, tmp_path):
    gradients = drawn(6, 4, count=5)
    parameter = torch.nn.Parameter(torch.ones(6, 4, dtype=torch.float64))
    optimizer = AdamMini([parameter], lr=0.1, blocks=blocks)
    for gradient in gradients[:3]:
        parameter.grad = gradient.clone()
        optimizer.step()
    torch.save(optimizer.state_dict(), tmp_path / "state.pt")
    other = torch.nn.Parameter(parameter.detach().clone())
    resumed = AdamMini([other], lr=0.1)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for gradient in gradients[3:]:
        other.grad = gradient.clone()
        resumed.step()
    assert torch.equal(other, stepped((6, 4), blocks, gradients)[0])


@pytest.mark.parametrize("blocks", ["rows", (0,), (0, 1.5), (True, 1), (0, [1, 2]), (0, [(2, 1, 1)]), (0, [])])
def test_what_is_no_partition_is_refused(blocks):
    with pytest.raises(TypeError, match=r"^AdamMini: blocks=.* Pass None for one block, "):
        AdamMini([torch.nn.Parameter(torch.ones(2, 2))], blocks=blocks)


@pytest.mark.parametrize("blocks", [(0, 0), (0, [(2, -1)])])
def test_sizes_that_are_not_positive_are_refused(blocks):
    with pytest.raises(ValueError, match=r"^AdamMini: blocks=.* Pass lengths and sizes of at least 1"):
        AdamMini([torch.nn.Parameter(torch.ones(2, 2))], blocks=blocks)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ((2, 1), r"shape \(4, 6\), which has no axis 2"),
        ((1, 4), r"shape \(4, 6\), whose axis 1 has 6 indices"),
        ((0, [(2, 2), (1, 1)]), r"whose axis 0 has 4 indices"),
        ((0, [(1, 2), (3, 1)]), r"each a multiple of its size"),
    ],
)
def test_a_partition_that_does_not_fit_is_refused_and_its_group_not_added(blocks, message):
    optimizer = AdamMini([torch.nn.Parameter(torch.ones(2, 2))])
    with pytest.raises(ValueError, match=message):
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(4, 6))], "blocks": blocks})
    assert len(optimizer.param_groups) == 1
