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
    """One step of the optimizer alone, on gradients with random signs (about half of them masked)."""

    param_names = ("optimizer", "shapes")
    params = (OPTIMIZERS, ("gpt2-nano", "gpt2-small"))
    timeout = 600

    def setup_cache(self) -> None:
        """Gives these benchmarks one working folder, so that each measurement is made once and read thrice."""
        framework_of_environment()

    @tracked(unit="seconds", version="1")
    def track_step_seconds(self, optimizer: str, shapes: str) -> float:
        """Median over the rounds."""
        return statistics.median(_measured(optimizer, shapes)["seconds"])

    @tracked(unit="ratio", version="1")
    def track_ratio_to_adamw(self, optimizer: str, shapes: str) -> float:
        """Median over the rounds of the ratio to the framework's AdamW."""
        from bench.paired import ratios

        return statistics.median(ratios(_measured(optimizer, shapes)))

    @tracked(unit="ratio", version="1")
    def track_ratio_spread(self, optimizer: str, shapes: str) -> float:
        """Interquartile range over the rounds of the ratio to the framework's AdamW."""
        from bench.paired import interquartile_range, ratios

        return interquartile_range(ratios(_measured(optimizer, shapes)))
