"""Cases that AdamW and Cautious AdamW share: what every implementation of them decides, eps' place included."""

from collections.abc import Iterator

from suite.cases.model import FULL, HALF, Case, empty, matrix, negated, scalar, vector
from suite.cases.trajectory import STEPS, data, warmup_cosine

_PARAMS = (matrix([0.5, -1.25, 2.0], [1.5, -0.75, 0.875]), vector(1.0, -2.0, 0.625, -1.0))
_GRADIENTS = (matrix([0.25, -0.5, 1.5], [-0.03125, 0.0625, -2.0]), vector(-3.0, 0.375, -0.125, 0.5))
_M = (matrix([0.125, 0.25, 0.75], [0.5, -0.25, -0.375]), vector(-0.5, 0.25, 0.5, 0.0625))
_V = (matrix([0.0625, 0.25, 1.0], [0.5, 0.03125, 2.0]), vector(1.0, 0.125, 0.25, 0.015625))


def stock_cases() -> Iterator[Case]:
    """The cases, for either place of eps."""
    for name, placement in (("eps-after", "after-bias-correction"), ("eps-before", "before-bias-correction")):
        setting = {"eps_placement": placement}
        yield Case(f"{name}/first-step", "no history", setting, _PARAMS, [_GRADIENTS], dtypes=FULL + HALF)
        for what, comment, step, changes in (
            ("fifth-step", "a history", 4, {}),
            ("late-step", "both bias corrections are near 1", 99_999, {}),
            ("no-weight-decay", "no decay", 4, {"weight_decay": 0.0}),
            ("large-weight-decay", "decay is decoupled, and outside the adaptive step", 4, {"weight_decay": 2.0}),
            ("large-eps", "eps is as large as the root", 4, {"eps": 0.125}),
            ("lr-zero", "nothing moves, decay included", 4, {"lr": 0.0}),
        ):
            yield Case(f"{name}/{what}", comment, {**setting, **changes}, _PARAMS, [_GRADIENTS], m=_M, v=_V, step=step)
        yield Case(
            f"{name}/small-gradients-at-first-step",
            "gradients near eps: its place shows most where the bias correction is largest",
            {**setting, "lr": 0.0625},
            (vector(1.0, -0.5),),
            [(vector(3e-7, -2e-8),)],
        )
        yield Case(
            f"{name}/maximize",
            "the gradient is negated",
            {**setting, "maximize": True},
            _PARAMS,
            [tuple(map(negated, _GRADIENTS))],
            m=_M,
            v=_V,
            step=4,
        )
        yield Case(
            f"{name}/shapes",
            "an empty tensor and one without dimensions",
            setting,
            (empty(), scalar(1.5)),
            [(empty(), scalar(-0.75))],
        )
        params, gradients = data(seed=7)
        yield Case(f"{name}/trajectory", "a free run", setting, params, gradients)
        yield Case(
            f"{name}/warmup-cosine",
            "a learning-rate schedule",
            {**setting, "weight_decay": 0.25},
            params,
            gradients,
            lrs=[warmup_cosine(step) for step in range(STEPS)],
        )
