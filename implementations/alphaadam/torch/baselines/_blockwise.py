"""Blockwise dynamic quantisation to 8 bits."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from alphaadam._code_book import CodeBook

__all__ = ["block_count", "dequantized", "quantized"]


def quantized(x: Tensor, book: CodeBook, block_size: int) -> tuple[Tensor, Tensor]:
    """Codes of numbers relative to the largest of their block.

    Args:
        x: Numbers, >= 0 where the book is unsigned.
        book: The code.
        block_size: Elements of a block, in row-major order.

    Returns:
        Codes of the shape of ``x``, uint8; and of each block the largest absolute value.
    """
    blocks = _blocks(x, block_size)
    sizes = blocks.abs()
    largest = sizes.amax(dim=1)
    sizes = sizes.div_(torch.where(largest == 0, 1, largest).unsqueeze(1)).view(-1)
    decade = torch.zeros_like(sizes, dtype=torch.uint8)
    for edge in book.edges:
        decade += sizes > edge
    decade = decade.int()
    slopes, offsets, last = (_constants(part, x.dtype, x.device) for part in (book.slopes, book.offsets, book.last))
    code = sizes.mul_(slopes.index_select(0, decade)).add_(offsets.index_select(0, decade)).floor_()
    code = torch.minimum(code, last.index_select(0, decade))
    if book.zero:
        code = torch.where(blocks.view(-1) < 0, -code, code).add_(book.zero).clamp_(min=0)
    return code[: x.numel()].to(torch.uint8).view(x.shape), largest


def dequantized(codes: Tensor, largest: Tensor, book: CodeBook, block_size: int) -> Tensor:
    """The numbers that codes stand for, in the dtype of ``largest`` and the shape of ``codes``."""
    values = _constants(book.values, largest.dtype, largest.device)
    x = values.index_select(0, codes.reshape(-1).int())
    return (_blocks(x, block_size) * largest.unsqueeze(1)).view(-1)[: codes.numel()].view(codes.shape)


def block_count(size: int, block_size: int) -> int:
    """Number of blocks of a tensor."""
    return -(-size // block_size)


def _blocks(x: Tensor, block_size: int) -> Tensor:
    """One block in each row, the last one filled up with zeros."""
    missing = -x.numel() % block_size
    flat = x.reshape(-1)
    return (functional.pad(flat, (0, missing)) if missing else flat).view(-1, block_size)


@cache
def _constants(numbers: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(numbers, dtype=dtype, device=device)
