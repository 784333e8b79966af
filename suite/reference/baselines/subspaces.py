"""Leading singular vectors of a matrix on its smaller side, and what is projected on them.

    m < n:   P = the first r columns of U,  G' = Pᵀ G,   G ≈ P G'      ("wide")
    m ≥ n:   P = the first r columns of V,  G' = G P,    G ≈ G' Pᵀ     ("tall", and square)

of a matrix m×n with the singular value decomposition U Σ Vᵀ, singular values descending. r is the rank asked for, at
most min(m, n).
"""

from mpmath import mpf

from suite.reference.baselines.arithmetic import Arithmetic, IllConditionedError
from suite.reference.baselines.matrices import Matrix, product, svd, transposed


def is_wide(shape: tuple[int, ...]) -> bool:
    """Whether the smaller side is the left one."""
    return shape[0] < shape[1]


def basis(matrix: Matrix, rank: int, arithmetic: Arithmetic) -> Matrix:
    """P, each vector of either sign.

    Raises:
        IllConditionedError: Two singular values, one of which belongs to P, are too close to be told apart.
    """
    u, s, vt = svd(matrix, arithmetic)
    for larger, smaller in zip(s[:rank], [*s[1:], mpf(0)], strict=False):
        if not arithmetic.decided(larger, smaller, s[0]):
            raise IllConditionedError("singular values are not in descending order")
    vectors = transposed(u) if is_wide((len(matrix), len(matrix[0]))) else vt
    return transposed(vectors[:rank])


def projected(matrix: Matrix, p: Matrix, wide: bool, arithmetic: Arithmetic) -> Matrix:
    """G'."""
    return product(transposed(p), matrix, arithmetic) if wide else product(matrix, p, arithmetic)


def lifted(matrix: Matrix, p: Matrix, wide: bool, arithmetic: Arithmetic) -> Matrix:
    """G from G'."""
    return product(p, matrix, arithmetic) if wide else product(matrix, transposed(p), arithmetic)
