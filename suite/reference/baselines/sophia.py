"""Sophia (Liu, Li, Hall, Liang and Ma 2023, arXiv 2305.14342, Algorithm 3).

    m_t = β1 m_{t-1} + (1-β1) g_t
    h_t = β2 h_{t-1} + (1-β2) ĥ_t    in a step that is given an estimate ĥ of the Hessian's diagonal, else h_{t-1}
    θ_t = (1 - ηλ) θ_{t-1} - η · clip(m_t / max(γ h_t, ε), -1, 1)

It takes every tensor. The estimate is an input of the step, ``hessian``, so that the rule is one for both estimators:
Hutchinson's, u ⊙ (H u) with u from N(0, I), and Gauss-Newton-Bartlett's, B · ĝ ⊙ ĝ with ĝ the gradient of the mean loss
of B labels that were drawn from the model's own predictions. Every 10 steps there is one, from the first step on.

Decisions: no bias correction of m or h, as in the paper. An estimate counts in the step that it is given to. Before the
first one h is 0, and so is γh: every coordinate takes the clipped step, η sign(m). An estimate may be negative
(Hutchinson's); then γh may be, and the coordinate takes the clipped step too. γ and ε are those of the paper's second
version: its first one had clip(m / max(h, ε), ρ), which is this with ρ = γ and a rate and an ε that are γ times as
large. SophiaG's code has clip(m / (ρ · bs · h + 1e-15), 1) with h the average of ĝ ⊙ ĝ without B: γ is its ρ if its
``bs`` is B. β1 0.96, β2 0.99, ε 1e-12 are the paper's, γ is 0.01 there for Hutchinson's estimates and 0.05, the default
here, for Gauss-Newton-Bartlett's.
"""

from typing import Any

from mpmath import mpf

from suite.reference.baselines.arithmetic import Arithmetic

DEFAULTS: dict[str, Any] = {
    "lr": 1e-4,
    "beta1": 0.96,
    "beta2": 0.99,
    "gamma": 0.05,
    "eps": 1e-12,
    "weight_decay": 0.0,
}


def begin(theta: list[mpf], shape: tuple[int, ...], hyperparameters: dict[str, Any]) -> dict[str, Any]:
    """The moment and the average of the estimates."""
    return {"m": [mpf(0)] * len(theta), "h": [mpf(0)] * len(theta)}


def step(
    theta: list[mpf],
    gradient: list[mpf],
    state: dict[str, Any],
    t: int,
    lr: mpf,
    hyperparameters: dict[str, Any],
    shape: tuple[int, ...],
    a: Arithmetic,
    hessian: list[mpf] | None = None,
) -> list[mpf]:
    """The tensor after step ``t``, before it is stored; ``state`` is brought up to date."""
    b1, b2, gamma, eps, decay = (
        mpf(hyperparameters[name]) for name in ("beta1", "beta2", "gamma", "eps", "weight_decay")
    )
    m = a.store([a(b1 * m) + a((1 - b1) * g) for m, g in zip(state["m"], gradient, strict=True)])
    h = state["h"]
    if hessian is not None:
        h = a.store([a(b2 * h) + a((1 - b2) * estimate) for h, estimate in zip(h, hessian, strict=True)])
    state.update(m=m, h=h)
    moved = []
    for old, mi, hi in zip(theta, m, h, strict=True):
        ratio = a(mi / max(a(gamma * hi), eps))
        moved.append(a(a(1 - lr * decay) * old) - a(lr * min(max(ratio, mpf(-1)), mpf(1))))
    return moved
