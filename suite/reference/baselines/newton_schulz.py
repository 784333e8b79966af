"""The Newton-Schulz iteration of Muon and ROOT, which brings the singular values of a matrix near 1.

X = G / (‖G‖_F + ε), transposed if G has more rows than columns
in each iteration:  A = X Xᵀ,  X ← a X + (b A + c A²) X
"""

from collections.abc import Sequence

from mpmath import mpf

from suite.reference.baselines.arithmetic import Arithmetic
from suite.reference.baselines.matrices import Matrix, norm, product, transposed

#: Muon's coefficients (Jordan 2024).
MUON = (3.4445, -4.7750, 2.0315)


def iterated(matrix: Matrix, triple: Sequence[float], iterations: int, eps: mpf, a: Arithmetic) -> Matrix:
    """The matrix after some iterations with the coefficients (a, b, c)."""
    tall = len(matrix) > len(matrix[0])
    x = transposed(matrix) if tall else matrix
    size = a(norm(x, a) + eps)
    x = [[a(element / size) for element in row] for row in x]
    first, third, fifth = map(mpf, triple)
    for _ in range(iterations):
        gram = product(x, transposed(x), a)
        square = product(gram, gram, a)
        factor = [
            [a(a(third * one) + a(fifth * two)) for one, two in zip(*rows, strict=True)]
            for rows in zip(gram, square, strict=True)
        ]
        x = [
            [a(a(first * old) + new) for old, new in zip(*rows, strict=True)]
            for rows in zip(x, product(factor, x, a), strict=True)
        ]
    return transposed(x) if tall else x
