"""asv benchmarks: what a user waits for before the first step is done."""

from bench.names import OPTIMIZERS, framework_of_environment
from bench.tracked import tracked

IMPORTS, FIRST_STEPS = 5, 3
"""Fresh processes that a median is taken over."""


class Import:
    """Importing AlphaAdam with its framework, in a fresh process."""

    timeout = 300

    @tracked(unit="seconds", version="1")
    def track_import_seconds(self) -> float:
        """Median over fresh processes of the import alone; it includes the framework's own."""
        from bench.fresh import median_import_seconds

        return median_import_seconds(framework_of_environment(), IMPORTS)


class FirstStep:
    """The first step on the tensors of gpt2-nano in a fresh process, in which everything that compiles is compiled.

    Caches of compiled code (Numba, Triton, Inductor) are empty; JAX keeps none by default.
    """

    param_names = ("optimizer",)
    params = (OPTIMIZERS,)
    timeout = 600

    @tracked(unit="seconds", version="1")
    def track_first_step_seconds(self, optimizer: str) -> float:
        """Median over fresh processes of the time from a given gradient until the first step is done."""
        from bench.fresh import median_first_step_seconds

        return median_first_step_seconds(framework_of_environment(), optimizer, FIRST_STEPS)
