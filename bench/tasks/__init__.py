"""Fixed training tasks: a changed task has another digest and is another task."""

from bench.names import check_name
from bench.tasks.gpt2 import GPT2Config, parameter_shapes
from bench.tasks.gpt2_nano import GPT2_NANO
from bench.tasks.task import Hyperparameters, Task

TASKS = {task.name: task for task in (GPT2_NANO,)}

MODELS = {
    "gpt2-nano": GPT2_NANO.model,
    "gpt2-small": GPT2Config(layers=12, width=768, heads=12, context=1024, vocabulary=50257),
    "gpt2-medium": GPT2Config(layers=24, width=1024, heads=16, context=1024, vocabulary=50257),
    "gpt2-large": GPT2Config(layers=36, width=1280, heads=20, context=1024, vocabulary=50257),
}
"""Models whose tensors the optimizer's step and memory are measured on. The last three are GPT-2's published sizes, of
124, 355 and 774 million parameters."""

__all__ = ["MODELS", "TASKS", "GPT2Config", "Hyperparameters", "Task", "get_task", "parameter_shapes"]


def get_task(name: str) -> Task:
    """The task of that name.

    Raises:
        ValueError: There is none; the message lists the tasks.
    """
    return TASKS[check_name("task", name, TASKS)]
