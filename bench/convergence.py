"""asv benchmarks: the losses of the task gpt2-nano, trained with each optimizer's tuned learning rate."""

from typing import Any

from bench.names import OPTIMIZERS, framework_of_environment
from bench.records import memoised
from bench.tracked import tracked

TASK = "gpt2-nano"
STEPS = (1, *range(5, 51, 5), *range(80, 361, 40))
"""Steps whose training loss is tracked: dense where frameworks are compared with one another."""


class _Trained:
    """Benchmarks that read one training run for each optimizer, from a folder that all of them share."""

    timeout = 900

    def setup_cache(self) -> str:
        """The task's digest, which goes into the name of every run: a changed task never reads an old run."""
        from bench.tasks import get_task
        from bench.tasks.inputs import Inputs

        framework_of_environment()
        return Inputs(get_task(TASK)).digest()

    @staticmethod
    def record(digest: str, optimizer: str) -> dict[str, Any]:
        """The record of the training run, see `bench.training.train`.

        Raises:
            RuntimeError: The run failed or diverged; asv then records no figure.
        """

        def run() -> dict[str, Any]:
            from bench.tasks import get_task
            from bench.training import train

            return train(get_task(TASK), framework, optimizer)

        framework = framework_of_environment()
        record = memoised(f"training-{framework}-{optimizer}-{digest[:16]}", run)
        if record["divergedAtStep"] is not None:
            raise RuntimeError(f"{optimizer} in {framework} diverged at step {record['divergedAtStep']}")
        return record


class Convergence(_Trained):
    """The validation loss after parts of the budget."""

    param_names = ("optimizer", "budget_percent")
    params = (OPTIMIZERS, (20, 40, 60, 100))

    @tracked(unit="nats/byte", version="1")
    def track_validation_loss(self, digest: str, optimizer: str, budget_percent: int) -> float:
        """Mean loss of the fixed validation batches."""
        points = self.record(digest, optimizer)["validation"]
        return next(point["loss"] for point in points if point["budgetPercent"] == budget_percent)


class TrainingLoss(_Trained):
    """The loss of single training batches, before the update."""

    param_names = ("optimizer", "step")
    params = (OPTIMIZERS, STEPS)

    @tracked(unit="nats/byte", version="1")
    def track_training_loss(self, digest: str, optimizer: str, step: int) -> float:
        """Loss of the batch of a step, counted from 1."""
        return self.record(digest, optimizer)["trainingLoss"][step - 1]
