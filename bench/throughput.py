"""asv benchmarks: the time of one optimizer step.

Machines are noisy, so the figure to watch is the ratio to the same framework's AdamW, measured in turn in
the same process; the seconds stand beside it. AdamW's ratio to itself, which should be 1, shows the noise.
"""

import statistics

from bench.names import OPTIMIZERS, framework_of_environment
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
