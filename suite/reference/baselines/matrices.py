"""Matrices as lists of rows of exact numbers, with the errors that their algorithms make in limited precision."""

from collections.abc import Sequence

import mpmath
from mpmath import mpf

from suite.reference.baselines.arithmetic import Arithmetic

Matrix = list[list[mpf]]


def from_flat(data: Sequence[mpf], shape: tuple[int, ...]) -> Matrix:
    """Rows of a matrix in row-major order."""
    rows, columns = shape
    return [list(data[row * columns : (row + 1) * columns]) for row in range(rows)]


def flat(matrix: Matrix) -> list[mpf]:
    """Elements in row-major order."""
    return [x for row in matrix for x in row]


def zeros(rows: int, columns: int) -> Matrix:
    """A matrix of zeros."""
    return [[mpf(0)] * columns for _ in range(rows)]


def transposed(matrix: Matrix) -> Matrix:
    """The transpose."""
    return [list(column) for column in zip(*matrix, strict=True)]


def product(a: Matrix, b: Matrix, arithmetic: Arithmetic) -> Matrix:
    """The matrix product, each element a sum of as many terms as ``a`` has columns."""
    columns = transposed(b)
    return [[arithmetic.total([x * y for x, y in zip(row, column, strict=True)]) for column in columns] for row in a]


def norm(matrix: Matrix, arithmetic: Arithmetic) -> mpf:
    """The Frobenius norm."""
    return arithmetic(mpmath.sqrt(arithmetic.total([x * x for x in flat(matrix)])))


def svd(matrix: Matrix, arithmetic: Arithmetic) -> tuple[Matrix, list[mpf], Matrix]:
    """The thin singular value decomposition U, s, Vᵀ, s descending, of a matrix with distinct singular values.

    Backward stable algorithms give that of a matrix that differs by a roundoff of its norm in every element. The sign
    of each pair of singular vectors is free: a rule must not depend on it.
    """
    size = mpmath.sqrt(mpmath.fsum(x * x for x in flat(matrix)))
    disturbed = [[x + arithmetic.error(size) for x in row] for row in matrix]
    u, s, v = mpmath.svd_r(mpmath.matrix(disturbed))
    return u.tolist(), list(s), v.tolist()


def orthonormal(matrix: Matrix, arithmetic: Arithmetic) -> Matrix:
    """Q of the thin QR decomposition of a tall matrix, with the signs that make R's diagonal positive."""
    size = mpmath.sqrt(mpmath.fsum(x * x for x in flat(matrix)))
    disturbed = mpmath.matrix([[x + arithmetic.error(size) for x in row] for row in matrix])
    q, r = mpmath.qr(disturbed, mode="skinny")
    return [[q[i, j] * mpmath.sign(r[j, j]) for j in range(q.cols)] for i in range(q.rows)]
