"""Leading singular vectors of a matrix on its smaller side, and projection on them."""

import torch
from torch import Tensor

__all__ = ["align", "is_due", "is_wide", "lift", "project", "singular_vectors"]


def is_wide(shape: torch.Size) -> bool:
    """Whether the smaller side is the left one; a square matrix is projected from the right."""
    return shape[0] < shape[1]


def is_due(basis: Tensor, matrix: Tensor, refresh: bool) -> bool:
    """Whether a basis is to be computed: at a refresh, and where there is none yet; but zeros have none."""
    return (refresh or not bool(basis.any())) and bool(matrix.any())


def singular_vectors(matrix: Tensor, rank: int) -> Tensor:
    """The first singular vectors on the smaller side, as columns, at most as many as that side is long."""
    # LAPACK refuses what is not finite. What is computed with these vectors has it still: it is projected too.
    finite = torch.nan_to_num(matrix, nan=0.0, posinf=0.0, neginf=0.0)
    u, _, vh = torch.linalg.svd(finite, full_matrices=False)
    return u[:, :rank] if is_wide(matrix.shape) else vh[:rank].mT


def align(vectors: Tensor, before: Tensor) -> Tensor:
    """These vectors with the signs that make each one's inner product with the one before it not negative."""
    return torch.where((vectors * before).sum(0) < 0, -vectors, vectors)


def project(matrix: Tensor, vectors: Tensor, wide: bool) -> Tensor:
    """A matrix in the basis of these vectors."""
    return vectors.mT @ matrix if wide else matrix @ vectors


def lift(matrix: Tensor, vectors: Tensor, wide: bool) -> Tensor:
    """The matrix that a projection stands for."""
    return vectors @ matrix if wide else matrix @ vectors.mT
