"""The baselines of the three rooms, for the tests of what they have in common; a new one is a line here.

Settings have the names of the vectors, and are such that small tensors and six steps show all that the rule does.
"""

import importlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from suite.reference.baselines import BASELINES as MODULES
from suite.reference.baselines import defaults

ROOMS = ("torch", "optax", "keras")


class Row(NamedTuple):
    """What is to be known of a baseline.

    Attributes:
        settings: Hyperparameters for small tensors.
        rooms: The rooms that have it.
        matrices: Whether its rule is for matrices, and other tensors get AdamW.
        decays_last: Whether its rule for matrices decays them after the update.
    """

    settings: dict[str, Any]
    rooms: tuple[str, ...] = ROOMS
    matrices: bool = False
    decays_last: bool = False


BASELINES = {
    "Adam8bit": Row({"lr": 0.01, "weight_decay": 0.1, "min_8bit_size": 5, "block_size": 4}),
    "AdamMini": Row({"lr": 0.01, "weight_decay": 0.1}),
    "Adan": Row({"lr": 0.01, "weight_decay": 0.1, "no_prox": True}),
    "LDAdam": Row({"lr": 0.01, "weight_decay": 0.1, "rank": 2}, matrices=True),
    "MicroAdam": Row({"lr": 0.01, "weight_decay": 0.1, "window": 3, "density": 0.5, "block_size": 4}),
    "ROOT": Row({"lr": 0.01, "weight_decay": 0.1, "momentum": 0.5}, matrices=True),
    "Conda": Row({"lr": 0.01, "weight_decay": 0.1, "update_proj_gap": 2}, matrices=True, decays_last=True),
    "GaLore": Row({"lr": 0.01, "weight_decay": 0.1, "rank": 2, "update_proj_gap": 2}, matrices=True, decays_last=True),
    "EXAdam": Row({"lr": 0.01, "weight_decay": 0.1}),
    "OneBitAdam": Row({"lr": 0.01, "weight_decay": 0.1, "freeze_step": 3}),
    "MGUP": Row({"lr": 0.01, "weight_decay": 0.1}),
    # Without estimates, eps alone keeps steps from being the sign of the moment.
    "Sophia": Row({"lr": 0.01, "weight_decay": 0.1, "eps": 0.5}),
}


def of(room: str) -> list[str]:
    """The baselines of a room."""
    return [name for name, row in BASELINES.items() if room in row.rooms]


def matrix_rules(room: str) -> list[str]:
    """Those whose rule is for matrices."""
    return [name for name in of(room) if BASELINES[name].matrices]


def decays_last(name: str) -> bool:
    """Whether a baseline decays matrices after the update."""
    return BASELINES[name].decays_last


def settings(name: str, **others: Any) -> dict[str, Any]:
    """Every hyperparameter of a baseline as its row and ``others`` say."""
    return {**defaults(name), **BASELINES[name].settings, **others}


def invalid(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The hyperparameters that the vectors say must be refused: what is wrong, and all of them."""
    from suite.cases.model import InvalidCase  # needs mpmath, which who reads the table alone may not have

    for case in importlib.import_module(f"suite.cases.baselines.{MODULES[name]}").cases():
        if isinstance(case, InvalidCase):
            yield dict(case.hyperparameters), {**defaults(name), **case.hyperparameters}
