"""What the adapters of Optax's own optimizers have in common."""

from typing import ClassVar, NoReturn

import jax
import optax

from suite.adapters import UnsupportedError
from suite.adapters.optax_baselines import Baseline


class OptaxLibrary(Baseline):
    """Driven as our own are; ``_make`` gives the library's names to the hyperparameters."""

    validates: ClassVar[bool] = False

    def versions(self) -> dict[str, str]:
        return {"optax": optax.__version__, "jax": jax.__version__}

    def unsupported(self, reason: str) -> NoReturn:
        """Skip the test."""
        raise UnsupportedError(f"optax: {reason}")
