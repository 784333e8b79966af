"""Fixed training tasks: a changed task has another digest and is another task."""

from bench.names import check_name
from bench.tasks.gpt2 import GPT2Config, parameter_shapes
from bench.tasks.gpt2_nano import GPT2_NANO
from bench.tasks.task import Hyperparameters, Task

TASKS = {task.name: task for task in (GPT2_NANO,)}

MODELS = {
    "gpt2-nano": GPT2_NANO.model,
    "gpt2-small": GPT2Config(layers=12, width=768, heads=12, context=1024, vocabulary=50257),
}
"""Models whose tensors the optimizer's step and memory are measured on; "gpt2-small" has GPT-2's 124M."""

__all__ = ["MODELS", "TASKS", "GPT2Config", "Hyperparameters", "Task", "get_task", "parameter_shapes"]


def get_task(name: str) -> Task:
    """The task of that name.

    Raises:
        ValueError: There is none; the message lists the tasks.
    """
    return TASKS[check_name("task", name, TASKS)]
