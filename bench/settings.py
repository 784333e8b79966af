"""What each optimizer is given beside learning rate and weight decay, the same in every framework.

Names are those of the suite's vectors; a framework's room translates them into its own words.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from bench.tasks import Hyperparameters, Task, get_task

REFRESHES = "update_proj_gap"
"""The setting that says after how many steps a rule computes its projection anew."""
CURVATURE = "curvature"
"""The setting that says how Sophia's curvature is estimated, and in each so-manieth step, beginning with the first."""
HEAD_WIDTH = "head_width"
"""The setting that says what a block of Adam-mini is in queries and keys; `bench.parameters.blocks` says the others."""


WEIGHT_DECAY = "weight_decay"
"""The setting of those whose weight decay is not the task's."""

RELATIVE_RATES = MappingProxyType(
    {
        "lion": 1 / 8,
        "sgd": 64.0,
        "exadam": 1 / 8,
        "sophia": 1 / 4,
        "alphamask-lion": 1 / 8,
        "alphamask-sgd": 64.0,
    }
)
"""Where learning rates lie relative to AdamW's, for those that need others.

Lion's step is the sign, about ten times as long as Adam's, and EXAdam's is as long, since it adds the whole gradient to
the first moment; Sophia's is clipped to 1. The gradient of a language model is small, so SGD needs a rate tens of times
as large. Those of Muon and ROOT are scaled to the length of AdamW's.
"""


def weight_decay_of(optimizer: str, hyperparameters: Hyperparameters) -> float:
    """The weight decay of an optimizer: such that its product with the learning rate, which is what shrinks a tensor in
    a step, is AdamW's where the learning rate is `RELATIVE_RATES` times AdamW's."""
    return hyperparameters.weight_decay / RELATIVE_RATES.get(optimizer, 1.0)


def settings_of(optimizer: str, task: Task) -> dict[str, Any]:
    """The settings of an optimizer on a task, ready for JSON.

    Betas and epsilon are the task's where a rule means by them what Adam means, else the ones its authors recommend. A
    task of some hundred steps has projections renewed, variances frozen, and averages of the curvature forget, earlier
    than runs of 10,000 steps or more.

    Args:
        optimizer: A name of `bench.names.COMPARED`.
        task: The task.

    Returns:
        Empty for those that are fixed by the task's hyperparameters and their name, as `bench.names.COMPARED` says.
        `WEIGHT_DECAY` is among them for those of `RELATIVE_RATES`, and for Lion (betas 0.9 and 0.99) and SGD (momentum
        0.9) it is the only one.
    """
    given = task.hyperparameters
    adam = {"beta1": given.beta1, "beta2": given.beta2, "eps": given.epsilon}
    others = {f"adamw_{name}": value for name, value in adam.items()}
    adan = {"beta1": 0.98, "beta2": 0.92, "beta3": 0.99, "eps": given.epsilon, "no_prox": True}
    quarter = max(1, task.model.width // 4)
    settled = round(1 / (1 - given.beta2))  # steps after which a variance that began with 0 is nearly what it should be
    fiftieth = max(1, task.steps // 50)  # as often as the authors of Conda renew theirs in a run
    settings: dict[str, dict[str, Any]] = {
        "exadam": adam,
        "mgup": {**adam, "tau": 0.5, "alpha": 2.0, "gamma": 0.1},
        "adan": adan,
        "root": {"momentum": 0.95, "coefficients": "fitted", **others},
        "muon": {"momentum": 0.95, "ns_steps": 5, "rms": 0.2, **others},
        "conda": {**adam, REFRESHES: fiftieth, "scale": 1.0, **others},
        "galore": {**adam, "rank": quarter, REFRESHES: fiftieth, "scale": 1.0, **others},
        "ldadam": {"beta1": 0.908, "beta2": 0.99, "eps": given.epsilon, "rank": quarter, "rho": 0.908, **others},
        "microadam": {**adam, "window": 10, "density": 0.01, "block_size": 4096},
        "adam-8bit": {**adam, "min_8bit_size": 4096, "block_size": 256},
        "adam-mini": {**adam, HEAD_WIDTH: task.model.width // task.model.heads},
        "sophia": {
            **{"beta1": 0.96, "beta2": 0.9, "eps": 1e-12, "gamma": 0.05},
            CURVATURE: {"estimator": "gauss_newton_bartlett", "every": 10},
        },
        "one-bit-adam": {
            **adam,
            "freeze_step": min(task.steps, max(settled, task.steps // 5, task.warmup_steps)),
            "bias_correction": True,
        },
        "alphamask-sgd": {"momentum": 0.9},
        "alphamask-lion": {"beta1": 0.9, "beta2": 0.99},
        "alphamask-adan": adan,
    }
    own_decay = {WEIGHT_DECAY: weight_decay_of(optimizer, given)} if optimizer in RELATIVE_RATES else {}
    return {**settings.get(optimizer, {}), **own_decay}


def arguments_of(optimizer: str, task: Task) -> dict[str, Any]:
    """Those of the settings that an optimizer's constructor takes beside learning rate and weight decay."""
    settings = settings_of(optimizer, task)
    return {name: value for name, value in settings.items() if name not in (CURVATURE, HEAD_WIDTH, WEIGHT_DECAY)}


def estimates_every(optimizer: str, task: Task | None = None) -> int:
    """From how many steps to the next an optimizer is given estimates of the curvature; 0 for one that takes none."""
    settings = settings_of(optimizer, task or get_task("gpt2-nano"))
    return settings[CURVATURE]["every"] if CURVATURE in settings else 0


def steps_between_refreshes(optimizer: str, task: Task) -> int:
    """After how many steps an optimizer's step is an expensive one again; 1 where all steps are alike."""
    return estimates_every(optimizer, task) or settings_of(optimizer, task).get(REFRESHES, 1)
