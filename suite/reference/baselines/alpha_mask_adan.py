"""AlphaAdam's mask and strength around Adan: AlphaMask as in suite/README.md, with the direction u of ``adan.py``.

    A_i = 1 if m_{t-1,i} = 0 or m_{t-1,i} g_{t,i} > 0, else 0      masking "async"
          1 if m_{t,i} g_{t,i} > 0, else 0                         masking "sync"
          1                                                        masking "none"
    α   = min(‖u‖₂ / ‖A⊙u‖₂, alpha_max) for "norm", min(n / Σ A, alpha_max) for "count", or the number given
    θ_t = (1 - ηλ) θ_{t-1} - η α (A ⊙ u)

Decisions: m is Adan's average of gradients; the averages of differences and squares have no part in the mask. Weight
decay is decoupled in AdamW's form, whatever ``no_prox`` would say. u may be read from the parameter, to half an ulp.
"""

from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.baselines import adan
from suite.reference.baselines.arithmetic import Arithmetic

DEFAULTS: dict[str, Any] = {
    **{name: value for name, value in adan.DEFAULTS.items() if name != "no_prox"},
    "masking": "async",
    "alpha": "norm",
    "alpha_max": None,
}
_CAPS = {"norm": 2.0, "count": 1000.0}

begin = adan.begin


def step(
    theta: list[mpf],
    gradient: list[mpf],
    state: dict[str, Any],
    t: int,
    lr: mpf,
    hyperparameters: dict[str, Any],
    shape: tuple[int, ...],
    a: Arithmetic,
) -> list[mpf]:
    """The tensor after step ``t``, before it is stored; ``state`` is brought up to date."""
    decay = mpf(hyperparameters["weight_decay"])
    before = state["m"]
    direction = adan.direction(gradient, state, t, hyperparameters, a)
    moves = [a(lr * u) + a.error(old - lr * u) for old, u in zip(theta, direction, strict=True)]
    mask = _mask(hyperparameters, before, state["m"], gradient, a)
    alpha = a(_strength(hyperparameters, mask, moves, a))
    return [
        a(a(a(1 - lr * decay) * old) - a(alpha * move * kept))
        for old, move, kept in zip(theta, moves, mask, strict=True)
    ]


def _mask(
    hyperparameters: dict[str, Any], before: list[mpf], after: list[mpf], gradient: list[mpf], a: Arithmetic
) -> list[int]:
    masking, b1 = hyperparameters["masking"], mpf(hyperparameters["beta1"])
    if masking == "none":
        return [1] * len(gradient)
    mask = []
    for old, new, g in zip(before, after, gradient, strict=True):
        m = old if masking == "async" else new
        if not m or not g:
            mask.append(int(masking == "async" and not m))
            continue
        size = abs(b1 * old) + abs((1 - b1) * g)
        mask.append(int(a.decided(m, mpf(0), size) == (g > 0)))
    return mask


def _strength(hyperparameters: dict[str, Any], mask: list[int], moves: list[mpf], a: Arithmetic) -> mpf:
    alpha, cap = hyperparameters["alpha"], hyperparameters["alpha_max"]
    if not isinstance(alpha, str):
        return mpf(alpha)
    if hyperparameters["masking"] == "none" or all(mask) or not any(moves):
        return mpf(1)
    cap = mpf(_CAPS[alpha] if cap is None else cap)
    if alpha == "count":
        return min(mpf(len(mask)) / sum(mask), cap) if any(mask) else cap
    whole = a.total([move * move for move in moves])
    kept = a.total([move * move * selected for move, selected in zip(moves, mask, strict=True)])
    return min(mpmath.sqrt(whole / kept), cap) if kept else cap
