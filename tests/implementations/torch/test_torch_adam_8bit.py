"""8-bit Adam in PyTorch: what it keeps, and how near what comes back is."""

import pytest
import torch

from alphaadam._code_book import SIGNED, UNSIGNED
from alphaadam.torch.baselines import Adam8bit
from alphaadam.torch.baselines._blockwise import dequantized, quantized

DTYPES = [torch.float32, torch.float64]
BOOKS = pytest.mark.parametrize("book", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])


def numbers(dtype, book, shape=(70, 33)):
    """Of sizes over ten decades, blocks of different scales, a zero in each."""
    generator = torch.Generator().manual_seed(0)
    sizes = 10 ** (torch.rand(shape, generator=generator, dtype=torch.float64) * 10 - 8)
    signs = torch.randint(0, 2, shape, generator=generator) * 2 - 1
    x = sizes * signs if book.zero else sizes
    x.view(-1)[::100] = 0
    return x.to(dtype)


@BOOKS
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("block_size", [1, 7, 256, 4096])
def test_every_code_is_the_nearest(book, dtype, block_size):
    """Against a search among all values, but for numbers that lie between two within rounding."""
    x = numbers(dtype, book)
    codes, largest = quantized(x, book, block_size)
    assert codes.dtype == torch.uint8
    assert codes.shape == x.shape
    assert largest.shape == (-(-x.numel() // block_size),)
    scale = largest.repeat_interleave(block_size)[: x.numel()].view(x.shape)
    fraction = torch.where(scale > 0, x / scale, 0)
    distance = (fraction.unsqueeze(-1) - torch.tensor(book.values, dtype=dtype)).abs()
    chosen = distance.gather(-1, codes.long().unsqueeze(-1)).squeeze(-1)
    rounding = 16 * torch.finfo(dtype).eps * fraction.abs()
    assert (chosen <= distance.amin(-1) + rounding).all()
    returned = dequantized(codes, largest, book, block_size)
    torch.testing.assert_close(
        returned, torch.tensor(book.values, dtype=dtype)[codes.long()] * scale, rtol=1e-6, atol=0
    )


@BOOKS
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_value_of_the_code_keeps_its_code(book, dtype):
    values = torch.tensor(book.values, dtype=dtype)
    codes, _ = quantized(values, book, 256)
    assert codes.tolist() == list(range(256))


def test_a_block_of_zeros_comes_back_as_zeros():
    codes, largest = quantized(torch.zeros(10), SIGNED, 4)
    assert (dequantized(codes, largest, SIGNED, 4) == 0).all()


@pytest.mark.parametrize(("dtype", "bytes_each"), [(torch.float32, 2.03125), (torch.bfloat16, 2.03125)])
def test_state_has_two_bytes_per_parameter_and_a_scale_for_each_block(dtype, bytes_each):
    parameter = torch.nn.Parameter(torch.ones(256, 64, dtype=dtype))
    optimizer = Adam8bit([parameter])
    parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    kept = [x for key, x in optimizer.state[parameter].items() if key != "step"]
    assert sum(x.numel() * x.element_size() for x in kept) == bytes_each * parameter.numel()


def test_a_group_may_keep_its_moments_as_they_are():
    parameters = [torch.nn.Parameter(torch.ones(64, 64)) for _ in range(2)]
    optimizer = Adam8bit([{"params": parameters[:1], "min_8bit_size": 2**40}, {"params": parameters[1:]}])
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    assert [optimizer.state[p]["exp_avg"].dtype for p in parameters] == [torch.float32, torch.uint8]


def test_without_quantisation_it_is_adamw():
    ours, theirs = (torch.nn.Parameter(torch.linspace(-1, 1, 40)) for _ in range(2))
    optimizers = Adam8bit([ours], lr=0.1), torch.optim.AdamW([theirs], lr=0.1)
    for step in range(5):
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = torch.sin(torch.arange(40.0) + step)
            optimizer.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


def test_it_stays_near_adamw():
    """The signed code is 1.5 % wide at its largest, so a step is about so much off."""
    ours, theirs = (torch.nn.Parameter(torch.zeros(64, 64)) for _ in range(2))
    optimizers = Adam8bit([ours], weight_decay=0.0), torch.optim.AdamW([theirs], weight_decay=0.0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        gradient = torch.randn(64, 64, generator=generator) + 0.5
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    apart = (ours - theirs).norm() / theirs.norm()
    assert 1e-4 < apart < 0.03


def test_a_parameter_in_another_memory_layout_takes_the_same_steps():
    weight = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    plain = torch.nn.Parameter(weight.clone())
    turned = torch.nn.Parameter(weight.clone(memory_format=torch.channels_last))
    for parameter in (plain, turned):
        optimizer = Adam8bit([parameter], min_8bit_size=0, block_size=8)
        for step in range(3):
            parameter.grad = torch.cos(weight * (step + 1)).to(memory_format=torch.channels_last)
            optimizer.step()
    assert torch.equal(plain, turned)
