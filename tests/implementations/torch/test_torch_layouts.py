"""Tensors of every dtype and layout, on no device yet, not yet of a shape, or without memory of their own."""

import copy

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from alphaadam.torch import AlphaAdam, _paths
from tests.implementations.torch.training import (
    VARIANTS,
    assert_identical,
    make_loss,
    make_model,
    make_parameters,
    snapshot,
    train,
    train_model,
)

DTYPES = (torch.float32, torch.bfloat16, torch.float64, torch.float16, torch.complex64, torch.complex128)
SHAPE = (2, 6, 4, 5)


def rearranged(values, layout):
    """The same values, differently in memory."""
    if layout == "contiguous":
        return values.clone()
    if layout == "channels_last":
        return values.clone(memory_format=torch.channels_last)
    if layout == "transposed":
        return values.transpose(0, 2).contiguous().transpose(0, 2)
    if layout == "sliced":  # gaps between its elements
        wide = torch.zeros(*values.shape[:-1], 2 * values.shape[-1], dtype=values.dtype)
        wide[..., ::2] = values
        return wide[..., ::2]
    if layout == "offset":  # begins in the middle of a storage, at an odd address
        flat = torch.zeros(values.numel() + 3, dtype=values.dtype)
        flat[3:] = values.flatten()
        return flat[3:].view(values.shape)
    raise ValueError(layout)


LAYOUTS = ("contiguous", "channels_last", "transposed", "sliced", "offset")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("gradient_layout", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_only_values_count_not_where_they_lie(layout, gradient_layout, variant):
    """Against contiguous tensors, in the same variant; sums may be taken in another order."""
    plain, laid_out = make_parameters(shapes=[SHAPE])[0], make_parameters(shapes=[SHAPE])[0]
    laid_out.data = rearranged(laid_out.data, layout)
    around = laid_out.data.untyped_storage().nbytes() // 4
    whole = torch.as_strided(laid_out.data, (around,), (1,), 0)
    between = whole.clone()
    optimizer = AlphaAdam([laid_out], lr=0.1, **VARIANTS[variant])
    other = AlphaAdam([plain], lr=0.1, **VARIANTS[variant])
    for step in range(3):
        values = torch.randn(SHAPE, generator=torch.Generator().manual_seed(step))
        plain.grad, laid_out.grad = values.clone(), rearranged(values, gradient_layout)
        optimizer.step()
        other.step()
    torch.testing.assert_close(snapshot(optimizer), snapshot(other), rtol=1e-6, atol=1e-7)
    assert laid_out.stride() == rearranged(values, layout).stride()
    laid_out.data.zero_()
    if layout in ("sliced", "offset"):  # nothing was written outside
        assert not whole.any()
        assert between.count_nonzero() == laid_out.numel()


def test_kernels_are_not_given_tensors_that_have_gaps_or_overlaps_in_common():
    def all_as(strides):
        return [torch.empty(64).as_strided((3, 4), strides) for _ in range(4)]

    assert _paths.is_addressable(*all_as((4, 1)))
    assert _paths.is_addressable(*all_as((1, 3)))
    for strides in ((8, 2), (5, 1), (0, 1), (1, 1)):
        assert not _paths.is_addressable(*all_as(strides))


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_expanded_gradient_is_read_and_left_alone(variant):
    ours, theirs = (make_parameters(shapes=[(3, 4)]) for _ in range(2))
    optimizer, other = (AlphaAdam(p, **VARIANTS[variant]) for p in (ours, theirs))
    for step in range(3):
        row = torch.randn(4, generator=torch.Generator().manual_seed(step))
        ours[0].grad, theirs[0].grad = row.expand(3, 4), row.expand(3, 4).contiguous()
        optimizer.step()
        other.step()
        assert_identical(ours[0].grad, theirs[0].grad)
    torch.testing.assert_close(snapshot(optimizer), snapshot(other), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_parameter_whose_elements_share_memory_is_an_error(variant):
    parameter = nn.Parameter(torch.ones(4).expand(3, 4))
    optimizer = AlphaAdam([parameter], **VARIANTS[variant])
    parameter.grad = torch.ones(3, 4)
    with pytest.raises(RuntimeError, match="single memory location"):
        optimizer.step()


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_of_several_dtypes_in_one_group_are_as_in_groups_of_their_own(variant):
    together = [p for dtype in DTYPES for p in make_parameters(dtype)]
    apart = [p for dtype in DTYPES for p in make_parameters(dtype)]
    mixed = AlphaAdam(together[::2] + together[1::2], lr=0.01, **VARIANTS[variant])
    groups = AlphaAdam([{"params": [p]} for p in apart], lr=0.01, **VARIANTS[variant])
    for optimizer, parameters in ((mixed, together), (groups, apart)):
        train(optimizer, parameters, 0, 3)
    assert_identical([p.detach() for p in together], [p.detach() for p in apart])


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_that_are_lazily_negated_or_conjugated(variant):
    """PyTorch marks such tensors, and leaves their memory as it is."""
    ours, theirs = ([nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3) + 1j)] for _ in range(2))
    optimizer, other = (AlphaAdam(p, lr=0.1, **VARIANTS[variant]) for p in (ours, theirs))
    for sign in (1.0, -2.0, 3.0):
        values = sign * torch.tensor([1.0, -0.5, 2.0])
        ours[0].grad, theirs[0].grad = values._neg_view(), -values
        values = values + 0.25j
        ours[1].grad, theirs[1].grad = values.conj(), values.conj_physical()
        assert ours[0].grad.is_neg()
        assert ours[1].grad.is_conj()
        optimizer.step()
        other.step()
    torch.testing.assert_close(snapshot(optimizer), snapshot(other), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_gradient_without_memory_is_zero(variant):
    ours, theirs = (make_parameters(shapes=[(3,)])[0] for _ in range(2))
    optimizer, other = (AlphaAdam([p], **VARIANTS[variant]) for p in (ours, theirs))
    for gradient in (torch.ones(3), torch._efficientzerotensor((3,))):
        ours.grad, theirs.grad = gradient, gradient.clone()
        optimizer.step()
        other.step()
    torch.testing.assert_close(snapshot(optimizer), snapshot(other), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_model_converted_in_mid_training_keeps_its_wider_state(variant):
    """PyTorch converts parameters in place, and knows nothing of the state."""
    model, expected = make_model(), make_model()
    optimizer = AlphaAdam(model.parameters(), lr=0.1, **VARIANTS[variant])
    other = AlphaAdam(expected.parameters(), lr=0.1, foreach=False)
    for m, o in ((model, optimizer), (expected, other)):
        train_model(m, o, 0, 2)
        m.bfloat16()
        for p in m.parameters():
            p.grad = torch.full_like(p, 0.5)
        o.step()
    torch.testing.assert_close(snapshot(optimizer), snapshot(other), rtol=2**-7, atol=1e-6)
    assert {state["exp_avg"].dtype for _, state in snapshot(optimizer)} == {torch.float32}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_tensor_subclass_is_stepped_through_pytorch(variant, dtype):
    """Its memory is its own affair: here it has none at the address that it names."""
    ours, theirs = nn.Parameter(Wrapped(torch.ones(3, dtype=dtype))), nn.Parameter(torch.ones(3, dtype=dtype))
    optimizer, other = (AlphaAdam([p], lr=0.1, **VARIANTS[variant]) for p in (ours, theirs))
    for sign in (1.0, -0.5):
        gradient = sign * torch.tensor([1.0, 2.0, -1.0], dtype=dtype)
        ours.grad, theirs.grad = Wrapped(gradient), gradient
        optimizer.step()
        other.step()
    torch.testing.assert_close(ours.held, theirs.detach(), rtol=2**-7 if dtype == torch.bfloat16 else 1e-6, atol=0)


class Wrapped(torch.Tensor):
    """A tensor that holds another one, as quantized and asynchronous tensors do."""

    @staticmethod
    def __new__(cls, held):
        return torch.Tensor._make_wrapper_subclass(cls, held.shape, dtype=held.dtype, device=held.device)

    def __init__(self, held):
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        unwrap = torch.utils._pytree.tree_map_only
        result = function(*unwrap(cls, lambda t: t.held, args), **unwrap(cls, lambda t: t.held, kwargs or {}))
        if function._schema.is_mutable:
            return args[0] if function._schema.returns else None
        return unwrap(torch.Tensor, cls, result)

    def __repr__(self):
        return f"Wrapped({self.held})"


@pytest.mark.parametrize("options", [{"foreach": False}, {"foreach": True}, {}, {"capturable": True}])
def test_on_the_meta_device_a_step_has_shapes_and_no_values(options):
    model = make_model().to("meta")
    optimizer = AlphaAdam(model.parameters(), **options)
    model(torch.empty(2, 4, device="meta")).sum().backward()
    optimizer.step()
    for parameter in model.parameters():
        assert {optimizer.state[parameter][key].device.type for key in ("exp_avg", "exp_avg_sq")} == {"meta"}
        assert optimizer.state[parameter]["exp_avg"].shape == parameter.shape


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_model_built_on_the_meta_device_and_materialised_under_its_optimizer(variant):
    """With swapped tensors, ``to_empty`` keeps the identity of parameters that the optimizer holds already."""
    model, expected = make_model(), make_model()
    trained = AlphaAdam(expected.parameters(), **VARIANTS[variant])
    train_model(expected, trained, 0, 2)

    with torch.device("meta"):
        model = make_model()
    optimizer = AlphaAdam(model.parameters(), **VARIANTS[variant])
    before = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        model.to_empty(device="cpu")
    finally:
        torch.__future__.set_swap_module_params_on_conversion(before)
    model.load_state_dict(expected.state_dict())
    optimizer.load_state_dict(copy.deepcopy(trained.state_dict()))
    train_model(model, optimizer, 2, 4)
    train_model(expected, trained, 2, 4)
    assert_identical(snapshot(optimizer), snapshot(trained))


@pytest.mark.parametrize("variant", VARIANTS)
def test_lazy_modules_may_be_materialised_after_the_optimizer_was_built(variant):
    lazy = nn.Sequential(nn.LazyLinear(8), nn.Tanh(), nn.LazyLinear(3))
    optimizer = AlphaAdam(lazy.parameters(), **VARIANTS[variant])
    optimizer.step()
    assert not optimizer.state
    make_loss(lazy, 0)  # materialises
    expected = make_model()
    lazy.load_state_dict(expected.state_dict())
    train_model(lazy, optimizer, 0, 3)
    other = AlphaAdam(expected.parameters(), **VARIANTS[variant])
    train_model(expected, other, 0, 3)
    assert_identical(snapshot(optimizer), snapshot(other))


@pytest.mark.parametrize("options", [{"foreach": False}, {"foreach": True}, {}, {"fused": True}])
def test_a_step_without_memory_can_be_planned(options):
    """Tools that estimate memory run a step on fake tensors; ``capturable``, as nothing can be read from these."""
    with FakeTensorMode():
        model = make_model()
        optimizer = AlphaAdam(model.parameters(), capturable=True, **options)
        train_model(model, optimizer, 0, 2)
        assert {tuple(s["exp_avg"].shape) for s in optimizer.state.values()} == {(8, 4), (8,), (3, 8), (3,)}
