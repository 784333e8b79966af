"""Leading singular vectors of a matrix on its smaller side, and projection on them."""

from typing import Any

from keras import ops

__all__ = ["align", "is_due", "is_wide", "lift", "project", "singular_vectors"]


def is_wide(shape: tuple[int, ...]) -> bool:
    """Whether the smaller side is the left one; a square matrix is projected from the right."""
    return shape[0] < shape[1]


def is_due(basis: Any, matrix: Any, refresh: Any) -> Any:
    """Whether a basis is to be computed: at a refresh, and where there is none yet; but zeros have none.

    There is none at a variable's first gradient, which may come after the first step.
    """
    without = ops.logical_not(ops.any(ops.not_equal(basis, 0)))
    return ops.logical_and(ops.logical_or(refresh, without), ops.any(ops.not_equal(matrix, 0)))


def singular_vectors(matrix: Any, rank: int) -> Any:
    """The first singular vectors on the smaller side, as columns, at most as many as that side is long."""
    # Not every backend decomposes what is not finite. What is computed with these vectors has it still.
    finite = ops.nan_to_num(matrix, nan=0.0, posinf=0.0, neginf=0.0)
    u, _, vh = ops.svd(finite, full_matrices=False)
    return u[:, :rank] if is_wide(matrix.shape) else ops.transpose(vh[:rank])


def align(vectors: Any, before: Any) -> Any:
    """These vectors with the signs that make each one's inner product with the one before it not negative."""
    return ops.where(ops.sum(vectors * before, axis=0) < 0, -vectors, vectors)


def project(matrix: Any, vectors: Any, wide: bool) -> Any:
    """A matrix in the basis of these vectors."""
    # Not ops.matmul, which returns float32 for float64 on the PyTorch backend.
    return ops.transpose(vectors) @ matrix if wide else matrix @ vectors


def lift(matrix: Any, vectors: Any, wide: bool) -> Any:
    """The matrix that a projection stands for."""
    return vectors @ matrix if wide else matrix @ ops.transpose(vectors)
