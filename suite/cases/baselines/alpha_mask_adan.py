"""AlphaMask's cases around Adan."""

from collections.abc import Iterator
from typing import Any

from suite.cases.alpha_mask import SETTINGS, invalid_cases
from suite.cases.baselines.shared import trajectory, usual_cases
from suite.cases.model import Case, InvalidCase, vector

OPTIMIZER = "AlphaMaskAdan"
HEADER = [
    "Mask and alpha around Adan, by its average of gradients. Weight decay is decoupled, neither masked nor rescaled.",
    "Every tensor has its own alpha.",
]
NOTES: dict[str, dict[str, object]] = {}

_FAST: dict[str, Any] = {"lr": 0.015625, "beta1": 0.5, "beta2": 0.75, "beta3": 0.875}
_OTHER_SETTINGS: dict[str, dict[str, Any]] = {
    "async-count": {"masking": "async", "alpha": "count"},
    "async-number": {"masking": "async", "alpha": 0.375},
    "norm-at-its-cap": {"masking": "async", "alpha": "norm", "alpha_max": 1.0625},
}


def cases() -> Iterator[Case | InvalidCase]:
    """All cases."""
    for seed, (name, setting) in enumerate(SETTINGS.items(), start=91):
        yield from usual_cases(name, {**_FAST, **setting}, seed=seed, steps=4)
    params, gradients = trajectory(96, 3)
    for name, setting in _OTHER_SETTINGS.items():
        yield Case(f"{name}/run", "a combination beside the ablation", {**_FAST, **setting}, params, gradients)
    yield Case(
        "async-norm/masked-and-unseen",
        "step 2: a coordinate that turned, one without history, and one without a gradient",
        _FAST,
        [vector(1.0, -2.0, 0.5, 1.5)],
        [[vector(0.5, -0.25, 0.0, 0.75)], [vector(-0.375, -0.5, 0.75, 0.0)], [vector(0.5, -0.75, 0.5, 0.25)]],
    )
    yield from invalid_cases()
