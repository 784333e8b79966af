"""asv benchmarks: the time of one optimizer step and of one training step, and how many kernels a step starts.

Machines are noisy, so the figure to watch is the ratio to the same framework's AdamW, measured in turn in
the same process; the seconds stand beside it. AdamW's ratio to itself, which should be 1, shows the noise.
"""

import statistics

from bench.names import OPTIMIZERS, framework_of_environment, load_framework
from bench.records import memoised
from bench.tracked import tracked


def _measured(optimizer: str, shapes: str) -> dict[str, list[float]]:
    from bench.paired import measure

    framework = framework_of_environment()
    return memoised(f"step-{framework}-{optimizer}-{shapes}", lambda: measure(framework, optimizer, shapes))


class OptimizerStep:
    """One step of the optimizer alone, on gradients with random signs (about half of them masked).

    Every optimizer runs as its defaults choose, which for AlphaAdam in PyTorch is the fastest of its forms.
    """

    param_names = ("optimizer", "shapes")
    params = (OPTIMIZERS, ("gpt2-nano", "gpt2-small"))
    timeout = 600

    def setup_cache(self) -> None:
        """Gives these benchmarks one working folder, so that each measurement is made once and read thrice."""
        framework_of_environment()

    @tracked(unit="seconds", version="3")
    def track_step_seconds(self, optimizer: str, shapes: str) -> float:
        """Median over the rounds."""
        return statistics.median(_measured(optimizer, shapes)["seconds"])

    @tracked(unit="ratio", version="3")
    def track_ratio_to_adamw(self, optimizer: str, shapes: str) -> float:
        """Median over pairs of rounds of the ratio to the framework's AdamW."""
        from bench.paired import ratios

        return statistics.median(ratios(_measured(optimizer, shapes)))

    @tracked(unit="ratio", version="3")
    def track_ratio_spread(self, optimizer: str, shapes: str) -> float:
        """Interquartile range over pairs of rounds of the ratio to the framework's AdamW."""
        from bench.paired import interquartile_range, ratios

        return interquartile_range(ratios(_measured(optimizer, shapes)))


class StepScaling:
    """One step from few to many tensors, and from few to many parameters, in PyTorch.

    The smallest show what a step costs, those with many tensors what each tensor adds, the largest what the memory
    carries. `python -m bench scaling` measures the same with every variant. (JAX would compile for minutes.)
    """

    param_names = ("optimizer", "shapes")
    params = (
        ("alphaadam", "adamw"),
        ("1x1000", "1x10000", "1x100000", "1x1000000", "1x10000000", "100x1000", "10000x1000"),
    )
    timeout = 300

    def setup_cache(self) -> None:
        """Gives these benchmarks one working folder, so that each measurement is made once and read twice."""
        framework_of_environment()

    def setup(self, optimizer: str, shapes: str) -> None:
        """Skips what is not PyTorch."""
        if framework_of_environment() != "torch":
            raise NotImplementedError

    @tracked(unit="seconds", version="1")
    def track_step_seconds(self, optimizer: str, shapes: str) -> float:
        """Median over the rounds."""
        return statistics.median(_measured(optimizer, shapes)["seconds"])

    @tracked(unit="ratio", version="1")
    def track_ratio_to_adamw(self, optimizer: str, shapes: str) -> float:
        """Median over pairs of rounds of the ratio to PyTorch's fused AdamW."""
        from bench.paired import ratios

        return statistics.median(ratios(_measured(optimizer, shapes)))


class TrainingStep:
    """One step of training gpt2-nano: forward, backward, clipping and the optimizer, until its loss is known.

    All optimizers train in turn in one process, each its own model on the same batches.
    """

    param_names = ("optimizer",)
    params = (OPTIMIZERS,)
    timeout = 600

    def setup_cache(self) -> None:
        """Gives these benchmarks one working folder, so that all optimizers are measured together and read in turn."""
        framework_of_environment()

    @tracked(unit="seconds", version="1")
    def track_training_step_seconds(self, optimizer: str) -> float:
        """Median over the rounds."""
        return statistics.median(_trained()[optimizer])

    @tracked(unit="ratio", version="1")
    def track_ratio_to_adamw(self, optimizer: str) -> float:
        """Median over pairs of rounds of the ratio to training with the framework's AdamW; AdamW's own is 1."""
        from bench.paired import BASELINE, ratios

        seconds = _trained()
        return statistics.median(ratios({"seconds": seconds[optimizer], "baselineSeconds": seconds[BASELINE]}))


def _trained() -> dict[str, list[float]]:
    """Seconds of training steps, by optimizer."""

    def measured() -> dict[str, list[float]]:
        from bench.training_steps import measure_training_steps

        return measure_training_steps(framework, OPTIMIZERS)

    framework = framework_of_environment()
    return memoised(f"training-step-{framework}", measured)


class StepKernels:
    """What an optimizer's step starts, on the tensors of gpt2-nano.

    In JAX and Keras the instructions of the optimised HLO that run, on any device. In PyTorch the kernels that run on a
    GPU; on a CPU the ATen operators that are dispatched, which leaves out the loops that Numba compiled for AlphaAdam.
    """

    param_names = ("optimizer",)
    params = (OPTIMIZERS,)
    timeout = 300

    def setup(self, optimizer: str) -> None:
        """Skips a framework that cannot tell."""
        if not hasattr(load_framework(framework_of_environment()).OptimizerStep, "kernels_per_step"):
            raise NotImplementedError

    @tracked(unit="kernels", version="1")
    def track_kernels_per_step(self, optimizer: str) -> int:
        """Number of kernels."""
        from bench.paired import first_step

        step, _ = first_step(framework_of_environment(), optimizer, "gpt2-nano")
        step.run()
        return step.kernels_per_step()
