"""AlphaMask around Lion: every coordinate moves by the rate, so that alpha of the norm rule is sqrt(n / sum(A))."""

from collections.abc import Iterator

from suite.cases.alpha_mask import NOTES as SHARED_NOTES
from suite.cases.alpha_mask import SETTINGS, step_cases, trajectory_cases
from suite.cases.model import Case, vector
from suite.cases.notes import notes

OPTIMIZER = "AlphaMaskLion"
HEADER = [
    "Mask and alpha around Lion: u = sign(beta1 * m_{t-1} + (1 - beta1) * g_t), and then",
    "m_t = beta2 * m_{t-1} + (1 - beta2) * g_t. Weight decay is decoupled. Every tensor has its own alpha.",
]
NOTES = {**SHARED_NOTES, **notes("SignOfNan")}


def cases() -> Iterator[Case]:
    """All cases of this topic."""
    yield from step_cases(sign_of_nan=("SignOfNan",))
    for name, setting in SETTINGS.items():
        yield Case(
            f"{name}/direction-and-momentum-disagree",
            "the gradient turns the direction, by the first beta, and not the momentum, by the second",
            setting,
            (vector(1.0, -0.5, 2.0, 0.75),),
            [(vector(-3.5, 1.75, 2.0, -0.5),)],
            m=(vector(0.125, -0.0625, 0.75, -1.0),),
            step=6,
        )
    yield from trajectory_cases({"beta1": 0.5, "beta2": 0.75}, ((0.75, 0.25), [(0.5, 0.5)]))
