"""Which arrangement of the rule a step takes."""

import jax

from alphaadam._jax import _rule, _xla_cpu


def update_tensor(g, m, v, count, b1, b2, eps, masking, alpha, alpha_max):  # type: ignore[no-untyped-def]
    """Return (alpha * A * u, m, v, alpha, A) of one tensor, as is fastest here."""
    arrangement = _xla_cpu if _xla_cpu.suits(g, m, v, masking) else _rule
    results: tuple[jax.Array, ...] = arrangement.update_tensor(g, m, v, count, b1, b2, eps, masking, alpha, alpha_max)
    return results
