"""asv benchmarks: the losses of the task gpt2-nano, trained with each optimizer's tuned learning rate."""

from typing import Any

from bench.names import OPTIMIZERS, framework_of_environment
from bench.records import memoised
from bench.tracked import tracked

TASK = "gpt2-nano"
STEPS = (1, *range(5, 51, 5), *range(80, 361, 40))
"""Steps whose training loss is tracked: dense where frameworks are compared with one another."""
PERCENTS = (20, 40, 60, 100)
"""Percentages of the budget whose validation loss is tracked."""
VALIDATED_PERCENTS = (20, 40, *range(50, 101, 5))
"""Percentages of the budget at which a run is validated: dense where a tuned run meets the target loss."""


class Trained:
    """Benchmarks that read one training run for each set of parameters, from a folder that all of them share."""

    timeout = 900

    def setup_cache(self) -> str:
        """The task's digest, which goes into the name of every run: a changed task never reads an old run."""
        from bench.tasks import get_task
        from bench.tasks.inputs import Inputs

        framework_of_environment()
        return Inputs(get_task(TASK)).digest()

    @staticmethod
    def record(digest: str, optimizer: str, factor: float = 1.0) -> dict[str, Any]:
        """The record of the training run, see `bench.training.train`.

        Args:
            digest: The task's.
            optimizer: A name of `bench.names.OPTIMIZERS`.
            factor: What the optimizer's tuned learning rate is multiplied by.

        Raises:
            RuntimeError: The run failed; asv then records no figure.
        """

        def run() -> dict[str, Any]:
            from bench.device import device_of_environment
            from bench.tasks import get_task
            from bench.tasks.execution import Execution
            from bench.training import train

            task = get_task(TASK)
            return train(
                task,
                framework,
                optimizer,
                factor * task.learning_rate(optimizer),
                validation_percents=VALIDATED_PERCENTS,
                execution=Execution(device=device_of_environment(framework)),
            )

        framework = framework_of_environment()
        return memoised(f"training-{framework}-{optimizer}-{factor:g}-{digest[:16]}", run)


def losses_by_percent(record: dict[str, Any]) -> dict[int, float]:
    """The validation losses of a run, as far as it came before it diverged."""
    return {point["budgetPercent"]: point["loss"] for point in record["validation"]}


def steps_to(target: float, record: dict[str, Any], budget: int) -> float:
    """Steps after which a run's validation loss reached a target, between two points by a straight line.

    Returns:
        `budget` + 1 where the run did not reach it: larger is worse, and asv's pages take no infinity.
    """
    from bench.compare import statistics

    reached = statistics.steps_to(record["validation"], target)
    return budget + 1.0 if reached is None else reached


class Convergence(Trained):
    """The validation loss after parts of the budget."""

    param_names = ("optimizer", "budget_percent")
    params = (OPTIMIZERS, PERCENTS)

    def setup(self, digest: str, optimizer: str, budget_percent: int) -> None:
        """Skips what a diverged run has no loss for: `Outcome` tells that it diverged."""
        if budget_percent not in losses_by_percent(self.record(digest, optimizer)):
            raise NotImplementedError

    @tracked(unit="nats/byte", version="1")
    def track_validation_loss(self, digest: str, optimizer: str, budget_percent: int) -> float:
        """Mean loss of the fixed validation batches."""
        return losses_by_percent(self.record(digest, optimizer))[budget_percent]


class Outcome(Trained):
    """Whether and when a run came where it should."""

    param_names = ("optimizer",)
    params = (OPTIMIZERS,)

    @tracked(unit="steps", version="1")
    def track_steps_to_target(self, digest: str, optimizer: str) -> float:
        """Steps to the target loss, the median of tuned AdamW's runs at 80 % of the budget; else the budget + 1."""
        from bench.tasks import get_task
        from bench.tasks.gpt2_nano import TARGET_LOSS

        return steps_to(TARGET_LOSS, self.record(digest, optimizer), get_task(TASK).steps)

    @tracked(unit="diverged", version="1")
    def track_divergence(self, digest: str, optimizer: str) -> int:
        """1 if a loss was not finite, else 0."""
        return int(self.record(digest, optimizer)["divergedAtStep"] is not None)


class TrainingLoss(Trained):
    """The loss of single training batches, before the update."""

    param_names = ("optimizer", "step")
    params = (OPTIMIZERS, STEPS)

    def setup(self, digest: str, optimizer: str, step: int) -> None:
        """Skips the steps that a diverged run did not make."""
        if step > len(self.record(digest, optimizer)["trainingLoss"]):
            raise NotImplementedError

    @tracked(unit="nats/byte", version="1")
    def track_training_loss(self, digest: str, optimizer: str, step: int) -> float:
        """Loss of the batch of a step, counted from 1."""
        return self.record(digest, optimizer)["trainingLoss"][step - 1]
