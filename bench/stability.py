"""asv benchmarks: what becomes of gpt2-nano with learning rates that are too low and too high.

In PyTorch only: every framework carries out the same rule, which their loss curves at the tuned rate and the
conformance vectors show, and six more runs in each of the others would double the time of a plain `asv run`.
"""

from types import MappingProxyType
from typing import Any

from bench.convergence import Trained, losses_by_percent
from bench.names import OPTIMIZERS, framework_of_environment
from bench.tracked import tracked

FACTORS = MappingProxyType({"low": 0.25, "high": 4.0})
"""What the tuned learning rate is multiplied by."""


class _Trials(Trained):
    param_names = ("optimizer", "learning_rate")
    params = (OPTIMIZERS, tuple(FACTORS))

    def outcome(self, digest: str, optimizer: str, learning_rate: str) -> dict[str, Any]:
        """The record of the run."""
        return self.record(digest, optimizer, FACTORS[learning_rate])


class Stability(_Trials):
    """Whether a run diverges whose learning rate is a quarter of the tuned one, or four times as high."""

    def setup(self, digest: str, optimizer: str, learning_rate: str) -> None:
        """Skips what is not PyTorch."""
        if framework_of_environment() != "torch":
            raise NotImplementedError

    @tracked(unit="diverged", version="1")
    def track_divergence(self, digest: str, optimizer: str, learning_rate: str) -> int:
        """1 if a loss was not finite, else 0."""
        return int(self.outcome(digest, optimizer, learning_rate)["divergedAtStep"] is not None)


class StableLoss(_Trials):
    """The loss at the end of those runs that did not diverge."""

    def setup(self, digest: str, optimizer: str, learning_rate: str) -> None:
        """Skips what is not PyTorch, and diverged runs, which have no loss at the end."""
        if framework_of_environment() != "torch":
            raise NotImplementedError
        if 100 not in losses_by_percent(self.outcome(digest, optimizer, learning_rate)):
            raise NotImplementedError

    @tracked(unit="nats/byte", version="1")
    def track_validation_loss(self, digest: str, optimizer: str, learning_rate: str) -> float:
        """Mean loss of the fixed validation batches at the end of the budget."""
        return losses_by_percent(self.outcome(digest, optimizer, learning_rate))[100]
