"""The flags, each explained once: what is special about a test, and what goes wrong in code that misses it."""

from typing import Any

_NOTES: dict[str, tuple[str, str, str]] = {
    "ProductUnderflow": (
        "Numerical",
        "The product of moment and gradient is positive but below the smallest number of the dtype.",
        "Code that multiplies and compares with 0 masks the coordinate: decide by the two signs.",
    ),
    "Subnormal": (
        "Numerical",
        "A stored number, a gradient or a result is subnormal. Hardware that flushes those to 0 is acceptable.",
        "Neither outcome fits: the numbers are flushed in one place and kept in another.",
    ),
    "SquareOverflow": (
        "Numerical",
        "The square of the gradient overflows, (1 - beta2) times the square does not. Both orders are acceptable.",
        "The second moment is neither the finite result nor infinite: something else clipped it.",
    ),
    "NormUnderflow": (
        "Numerical",
        "Every square of the update is below the smallest number of the dtype; alpha = 1 is acceptable.",
        "Code that divides one norm by the other without looking gets 0/0.",
    ),
    "NonFinite": (
        "Numerical",
        "A gradient is NaN or infinite.",
        "Code that selects by the mask instead of multiplying, or takes a maximum that ignores NaN, hides the error.",
    ),
    "NegativeZero": (
        "Numerical",
        "A stored moment or a gradient is -0.0.",
        "Code that reads the sign bit takes -0.0 for a negative number; it is no history, and no direction.",
    ),
    "MaskBoundary": (
        "Numerical",
        "The new moment is exactly 0 in whatever order it is computed.",
        "Code with a comparison that is not strict selects the coordinate.",
    ),
    "SignOfNan": (
        "Numerical",
        "Lion takes the sign of a NaN, which IEEE 754 does not define: NaN and 0 are acceptable.",
        "Neither outcome fits: the NaN was taken for a number of some sign, or lost from the momentum.",
    ),
    "ZeroRate": (
        "Numerical",
        "The learning rate is 0, so the inner optimizer makes no move to read u from. Then u counts as 0 and alpha of "
        "the norm rule is 1; alpha of the u that an implementation may know is acceptable.",
        "Code that divides by the rate, or one norm by the other without looking, gets 0/0.",
    ),
    "AbsentGradient": (
        "Counting",
        "A tensor has no gradient in some steps.",
        "Code that decays every tensor, or lets its momentum decay, changes one that took no part.",
    ),
    "PerTensorStep": (
        "Counting",
        "A tensor has no gradient in some steps or joins late, and its own steps are counted.",
        "Code with one counter corrects the bias of such a tensor too little.",
    ),
    "SharedStep": (
        "Counting",
        "A tensor has no gradient in some steps, and the steps of the optimizer are counted.",
        "Code with a counter for each tensor corrects the bias of such a tensor too much.",
    ),
    "LateParameter": (
        "Counting",
        "A tensor is given to the optimizer after others have taken steps.",
        "Code that makes its state once forgets the tensor, or gives it the others' step.",
    ),
    "Workers": (
        "Distribution",
        "Several workers take the step together, and each has its own gradients.",
        "The error of one side is not fed back, a scale counts other elements, or a worker decodes another momentum.",
    ),
}


def notes(*flags: str) -> dict[str, Any]:
    """The notes of some flags, as a vector file holds them."""
    return {
        flag: {"kind": kind, "description": description, "effect": effect, "links": []}
        for flag, (kind, description, effect) in ((flag, _NOTES[flag]) for flag in flags)
    }
