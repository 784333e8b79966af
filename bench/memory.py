"""asv benchmarks: the memory that an optimizer keeps, and what a step needs for its own time."""

from bench.names import OPTIMIZERS, framework_of_environment, load_framework
from bench.tracked import tracked


class OptimizerState:
    """What the optimizer keeps from step to step, for a model's parameters in float32."""

    param_names = ("optimizer", "shapes")
    params = (OPTIMIZERS, ("gpt2-nano", "gpt2-small"))
    timeout = 600

    @tracked(unit="bytes", version="1")
    def track_state_bytes(self, optimizer: str, shapes: str) -> int:
        """Bytes of the optimizer's state."""
        import numpy as np

        from bench.device import device_of_environment
        from bench.paired import LEARNING_RATE, shapes_of
        from bench.tasks import Hyperparameters

        device_of_environment(framework := framework_of_environment())
        parameters = [np.zeros(shape, np.float32) for shape in shapes_of(shapes)]
        step = load_framework(framework).OptimizerStep
        return step(optimizer, parameters, LEARNING_RATE, Hyperparameters()).state_bytes()


class StepMemory:
    """What one step of the optimizer holds for its own time, for a model's parameters in float32.

    PyTorch counts what its allocator gives out, JAX and Keras tell what XLA sets aside for the compiled step.
    """

    param_names = ("optimizer", "shapes")
    params = (OPTIMIZERS, ("gpt2-nano", "gpt2-small"))
    timeout = 600

    def setup(self, optimizer: str, shapes: str) -> None:
        """Skips a framework that cannot tell."""
        if not hasattr(load_framework(framework_of_environment()).OptimizerStep, "transient_bytes"):
            raise NotImplementedError

    @tracked(unit="bytes", version="1")
    def track_transient_bytes(self, optimizer: str, shapes: str) -> int:
        """The most at a time, in bytes."""
        from bench.paired import first_step

        step, _ = first_step(framework_of_environment(), optimizer, shapes)
        step.run()
        return step.transient_bytes()
