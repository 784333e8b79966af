"""Fixed training tasks: a changed task has another digest and is another task."""

from bench.names import check_name
from bench.tasks.gpt2 import GPT2Config, parameter_shapes
from bench.tasks.gpt2_micro import GPT2_MICRO
from bench.tasks.gpt2_nano import GPT2_NANO
from bench.tasks.gpt2_paper import PAPER_TASKS
from bench.tasks.task import Hyperparameters, Task

TASKS = {task.name: task for task in (GPT2_NANO, GPT2_MICRO, *PAPER_TASKS)}

MODELS = {task.name: task.model for task in (GPT2_NANO, *PAPER_TASKS)}
"""Models whose tensors the optimizer's step and memory are measured on. The last three are GPT-2's published sizes, of
124, 355 and 774 million parameters."""

__all__ = ["MODELS", "TASKS", "GPT2Config", "Hyperparameters", "Task", "get_task", "parameter_shapes"]


def get_task(name: str) -> Task:
    """The task of that name.

    Raises:
        ValueError: There is none; the message lists the tasks.
    """
    return TASKS[check_name("task", name, TASKS)]
