"""The rules of the optimizers that AlphaAdam is compared with, one module each, written from the papers.

A module has ``DEFAULTS``, every hyperparameter with its value where a case does not say otherwise; ``begin``, what is
kept of a tensor before its first step; and ``step``. Where tensors have hyperparameters of their own, ``of_tensor``
makes them from those of the case and the tensor's index. Its docstring is the specification: the rule, its source, and
what was decided where the source leaves something open.
"""

import importlib
from typing import Any

#: Optimizer -> module. The name of its vector file and of its module of cases is the same.
BASELINES = {
    "Adan": "adan",
    "AlphaMaskAdan": "alpha_mask_adan",
    "SGD": "sgd",
    "Lion": "lion",
    "AdamMini": "adam_mini",
    "MicroAdam": "microadam",
    "LDAdam": "ldadam",
    "Adam8bit": "adam_8bit",
    "EXAdam": "exadam",
    "ROOT": "root",
    "Muon": "muon",
    "OneBitAdam": "one_bit_adam",
    "Conda": "conda",
    "GaLore": "galore",
    "MGUP": "mgup",
    "Sophia": "sophia",
}


def rule(optimizer: str) -> Any:
    """The module of an optimizer."""
    return importlib.import_module(f"suite.reference.baselines.{BASELINES[optimizer]}")


def defaults(optimizer: str) -> dict[str, Any]:
    """Every hyperparameter of an optimizer."""
    values: dict[str, Any] = rule(optimizer).DEFAULTS
    return values
