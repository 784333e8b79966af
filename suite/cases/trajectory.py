"""Twelve steps run free: each implementation carries its own state, so small errors meet the mask again and again."""

import math
import random
from collections.abc import Iterator, Sequence

from suite.cases.model import FULL, HALF, SETTINGS, TRAJECTORY_CONDITIONING, Case, Tensor
from suite.cases.notes import notes

OPTIMIZER = "AlphaAdam"
HEADER = [
    "Twelve steps from a fresh start. The gradients are stated, so the trajectory does not depend on any model.",
    "The gradients keep every value that decides a mask away from 0.",
]
NOTES = notes("PerTensorStep", "SharedStep", "LateParameter")

STEPS = 12
_SHAPES = ((2, 3), (4,), (), (2, 1, 2))
# With beta1 = 1/2 a moment forgets quickly: gradients of mixed signs flip it often, and it is never close to 0.
_BETAS = {"beta1": 0.5, "beta2": 0.9}

#: A moment as (decay, weight of the gradient), and further sums of the old moment and the gradient that decide a sign.
Moment = tuple[tuple[float, float], Sequence[tuple[float, float]]]
_MOMENTS: tuple[Moment, ...] = tuple(((beta1, 1 - beta1), ()) for beta1 in (_BETAS["beta1"], 0.9))


def cases() -> Iterator[Case]:
    """All cases of this topic."""
    for name, setting in SETTINGS.items():
        params, gradients = data(seed=7)
        yield Case(
            f"{name}/decay",
            "a free run with weight decay",
            {**setting, **_BETAS},
            params,
            gradients,
            dtypes=FULL + HALF,
        )
        params, gradients = data(seed=11)
        yield Case(
            f"{name}/warmup-cosine",
            "a learning-rate schedule; the last rate is 0 and moves nothing, decay included, but the moments",
            {**setting, **_BETAS, "weight_decay": 0.25},
            params,
            gradients,
            lrs=[warmup_cosine(step) for step in range(STEPS)],
        )
        yield Case(
            f"{name}/default-betas",
            "slow moments: the bias corrections change at every step",
            dict(setting),
            params,
            gradients,
        )
        absent = [
            [None if index == 1 and step % 3 == 1 else g for index, g in enumerate(tensors)]
            for step, tensors in enumerate(data(seed=13)[1])
        ]
        for flag in ("PerTensorStep", "SharedStep"):
            yield Case(
                f"{name}/absent-gradients-{'own-count' if flag == 'PerTensorStep' else 'one-count'}",
                "the second tensor has no gradient in every third step, and stays as it is, decay included",
                dict(setting),
                data(seed=13)[0],
                absent,
                flags=(flag,),
            )
        yield Case(
            f"{name}/late-parameter",
            "the last tensor is added after four steps, and starts at its own first step",
            dict(setting),
            data(seed=17)[0],
            [
                [None if index == len(tensors) - 1 and step < 4 else g for index, g in enumerate(tensors)]
                for step, tensors in enumerate(data(seed=17)[1])
            ],
            joins=[1, 1, 1, 5],
            flags=("PerTensorStep", "LateParameter"),
        )


def warmup_cosine(step: int) -> float:
    """The rate of step 0, 1, ...: a rise over three steps, then a half cosine down to exactly 0."""
    if step < 3:
        return 0.01 * (step + 1) / 3
    return round(0.005 * (1 + math.cos(math.pi * (step - 2) / (STEPS - 3))), 6)


def data(seed: int, kinds: Sequence[Moment] = _MOMENTS) -> tuple[list[Tensor], list[list[Tensor]]]:
    """Parameters of size 1/2 to 2, and gradients of size 1/4 to 1 with random signs.

    Args:
        seed: The same seed gives the same data.
        kinds: The moments that the data must keep away from 0.
    """
    generator = random.Random(seed)

    def draw(low: float, high: float) -> float:
        return round(generator.uniform(low, high) * generator.choice((-1, 1)), 3)

    def gradient_element(moments: list[float]) -> float:
        """Draw until no sum that this gradient makes is near 0; update ``moments``, one per kind."""
        while True:
            g = draw(0.25, 1.0)
            new = [(decay * m, weight * g) for m, ((decay, weight), _) in zip(moments, kinds, strict=True)]
            others = [
                (decay * m, weight * g) for m, (_, sums) in zip(moments, kinds, strict=True) for decay, weight in sums
            ]
            if all(abs(a + b) >= TRAJECTORY_CONDITIONING * (abs(a) + abs(b)) for a, b in new + others):
                moments[:] = [a + b for a, b in new]
                return g

    sizes = [math.prod(shape) for shape in _SHAPES]
    params = [
        Tensor(shape, tuple(draw(0.5, 2.0) for _ in range(size))) for shape, size in zip(_SHAPES, sizes, strict=True)
    ]
    moments = [[[0.0] * len(kinds) for _ in range(size)] for size in sizes]
    gradients = [
        [
            Tensor(shape, tuple(gradient_element(element) for element in tensor))
            for shape, tensor in zip(_SHAPES, moments, strict=True)
        ]
        for _ in range(STEPS)
    ]
    return params, gradients
