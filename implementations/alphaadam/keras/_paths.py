"""Which arrangement of the rule a step takes, variable by variable."""

from typing import Any

import keras

from alphaadam.keras import _rule
from alphaadam.keras._rule import Updated

_BACKEND = keras.backend.backend()
if _BACKEND == "jax":
    from alphaadam.keras import _jax
elif _BACKEND == "tensorflow":
    from alphaadam.keras import _tensorflow


def update_tensor(variable: Any, *arguments: Any) -> Updated:
    """``alphaadam.keras._rule.update_tensor`` as is fastest here, the arguments being the same."""
    if _BACKEND == "jax":
        return _jax.update_tensor(variable, *arguments)
    if _BACKEND == "tensorflow" and _tensorflow.suits(variable):
        return _tensorflow.update_tensor(variable, *arguments)
    return _rule.update_tensor(variable, *arguments)
