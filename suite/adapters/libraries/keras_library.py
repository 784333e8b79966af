"""What the adapters of Keras' own optimizers have in common."""

from typing import ClassVar, NoReturn

from suite.adapters import UnsupportedError
from suite.adapters.keras import backend_versions
from suite.adapters.keras_baselines import Baseline


class KerasLibrary(Baseline):
    """Driven as our own are; ``_make`` gives the library's names to the hyperparameters."""

    validates: ClassVar[bool] = False

    def versions(self) -> dict[str, str]:
        return {name: version for name, version in backend_versions().items() if name != "alphaadam"}

    def unsupported(self, reason: str) -> NoReturn:
        """Skip the test."""
        raise UnsupportedError(f"keras: {reason}")
