"""SGD and Lion of Keras."""

from typing import Any

import keras

from suite.adapters.libraries.keras_library import KerasLibrary


class SGD(KerasLibrary):
    """keras.optimizers.SGD."""

    optimizer = "SGD"

    def _make(self, arguments: dict[str, Any]) -> keras.optimizers.Optimizer:
        return keras.optimizers.SGD(**arguments)


class Lion(KerasLibrary):
    """keras.optimizers.Lion."""

    optimizer = "Lion"

    def _make(self, arguments: dict[str, Any]) -> keras.optimizers.Optimizer:
        return keras.optimizers.Lion(**arguments)
