"""Leading singular vectors of a matrix on its smaller side, and projection on them."""

import jax
import jax.numpy as jnp

__all__ = ["align", "is_due", "is_wide", "lift", "project", "singular_vectors"]


def is_wide(shape: tuple[int, ...]) -> bool:
    """Whether the smaller side is the left one; a square matrix is projected from the right."""
    return shape[0] < shape[1]


def is_due(basis: jax.Array, matrix: jax.Array, refresh: jax.Array) -> jax.Array:
    """Whether a basis is to be computed: at a refresh, and where there is none yet; but zeros have none.

    There is none at a leaf's first gradient, which may come after the first step.
    """
    return (refresh | ~jnp.any(basis != 0)) & jnp.any(matrix != 0)


def singular_vectors(matrix: jax.Array, rank: int) -> jax.Array:
    """The first singular vectors on the smaller side, as columns, at most as many as that side is long."""
    # One element that is not finite would spoil every vector. What they project has it still.
    finite = jnp.nan_to_num(matrix, nan=0.0, posinf=0.0, neginf=0.0)
    u, _, vh = jnp.linalg.svd(finite, full_matrices=False)
    return u[:, :rank] if is_wide(matrix.shape) else vh[:rank].T


def align(vectors: jax.Array, before: jax.Array) -> jax.Array:
    """These vectors with the signs that make each one's inner product with the one before it not negative."""
    return jnp.where(jnp.sum(vectors * before, axis=0) < 0, -vectors, vectors)


def project(matrix: jax.Array, vectors: jax.Array, wide: bool) -> jax.Array:
    """A matrix in the basis of these vectors."""
    return vectors.T @ matrix if wide else matrix @ vectors


def lift(matrix: jax.Array, vectors: jax.Array, wide: bool) -> jax.Array:
    """The matrix that a projection stands for."""
    return vectors @ matrix if wide else matrix @ vectors.T
