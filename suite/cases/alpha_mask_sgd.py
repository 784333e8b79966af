"""AlphaMask around SGD with momentum: a momentum that sums, and with Nesterov's form a direction that is not it."""

from collections.abc import Iterator

from suite.cases.alpha_mask import NOTES as SHARED_NOTES
from suite.cases.alpha_mask import SETTINGS, invalid_cases, step_cases, trajectory_cases
from suite.cases.model import COMPLEX, Case, InvalidCase, scalar, vector
from suite.cases.notes import notes

OPTIMIZER = "AlphaMaskSGD"
HEADER = [
    "Mask and alpha around SGD with momentum: m_t = momentum * m_{t-1} + g_t without dampening, u = m_t, or with",
    "nesterov u = g_t + momentum * m_t. Weight decay is decoupled. Every tensor has its own alpha.",
]
NOTES = {**SHARED_NOTES, **notes("MaskBoundary")}


def cases() -> Iterator[Case | InvalidCase]:
    """All cases of this topic."""
    yield from step_cases()
    for name, setting in SETTINGS.items():
        yield Case(
            f"{name}/nesterov",
            "alpha is that of the direction, not of the momentum",
            {**setting, "nesterov": True},
            (vector(1.0, -2.0, 0.625, -1.0),),
            [(vector(-3.0, 0.375, -0.125, -1.75),)],
            m=(vector(-0.5, 0.25, 0.5, 0.0625),),
            step=4,
        )
        yield Case(
            f"{name}/new-momentum-is-zero",
            "history and news cancel exactly: the new momentum has no sign",
            {**setting, "momentum": 0.5},
            (vector(1.0, -0.5, 2.0, 0.75),),
            [(vector(-0.25, 0.125, 1.0, -0.5),)],
            m=(vector(0.5, -0.25, 0.75, -1.0),),
            step=6,
            flags=("MaskBoundary",),
            ill_conditioned=True,
        )
        yield Case(
            f"{name}/complex",
            "real and imaginary part are coordinates of their own, in mask, norms and count",
            setting,
            (vector(1.0 + 0.5j, -0.75 + 2.0j), scalar(0.5 - 1.0j)),
            [(vector(0.5 - 2.0j, 2.0 + 0.125j), scalar(-0.125 + 1.0j))],
            m=(vector(0.25 + 0.5j, 0.125 - 0.5j), scalar(-0.5 - 0.25j)),
            step=4,
            dtypes=COMPLEX,
        )
    yield from trajectory_cases({"momentum": 0.5, "nesterov": True}, ((0.5, 1.0), ()))
    yield from invalid_cases()
