"""asv benchmarks: the memory that an optimizer keeps."""

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

        from bench.paired import LEARNING_RATE, shapes_of
        from bench.tasks import Hyperparameters

        parameters = [np.zeros(shape, np.float32) for shape in shapes_of(shapes)]
        step = load_framework(framework_of_environment()).OptimizerStep
        return step(optimizer, parameters, LEARNING_RATE, Hyperparameters()).state_bytes()
