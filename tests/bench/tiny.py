"""A task that trains in no time, as large tasks are carried out: for the tests of PyTorch's training."""

from dataclasses import replace

from bench.tasks import GPT2Config, get_task
from bench.tasks.data import of_text
from bench.tasks.execution import Execution
from bench.tasks.inputs import Inputs

STEPS = 4
TEXT = b"In the beginning God created the heaven and the earth. " * 40

WAYS = {
    f"{parallel}-{optimizer}-{precision}-{parts}": (
        optimizer,
        precision,
        Execution(parallel=parallel, micro_batches=parts),
    )
    for parallel, optimizer, precision, parts in (
        ("ddp", "alphaadam", "float32", 1),
        ("ddp", "adamw", "float32", 2),
        ("ddp", "adamw", "bfloat16", 2),
        ("fsdp", "alphaadam", "float32", 1),
        ("fsdp", "adamw", "float32", 2),
        ("fsdp", "adamw", "bfloat16", 2),
        ("fsdp", "lion", "float32", 1),
        ("fsdp", "sgd", "float32", 1),
    )
}
"""Name → optimizer, precision and execution of what two processes train."""


def tiny_inputs(precision="float32"):
    """gpt2-small's schedule, cut short, on a model of two narrow layers and a few kilobytes of text."""
    task = replace(
        get_task("gpt2-small"),
        model=GPT2Config(layers=2, width=16, heads=2, context=16, vocabulary=128),
        batch_size=8,
        steps=10,
        warmup_steps=2,
        validation_batches=2,
        data="bible-bytes",
        precision=precision,
    )
    return Inputs(task, of_text(TEXT))
