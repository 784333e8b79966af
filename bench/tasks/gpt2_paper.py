"""The tasks gpt2-small, gpt2-medium and gpt2-large: GPT-2's sizes, trained as in the AlphaAdam paper.

Sizes, batch sizes, peak learning rates, the 10,000 steps and the times of validation are the paper's (arXiv
2501.18094). Ours is what its text leaves out: warm-up and end of the cosine, betas, weight decay, clipping, precision,
what validation reads, and the seed. Its data is OpenWebText in GPT-2's tokens, `python -m bench prepare`.
"""

from types import MappingProxyType

from bench.tasks.gpt2 import GPT2Config
from bench.tasks.task import Hyperparameters, Task

_VALIDATED = 768
"""Sequences that a validation loss is the mean of, the same ones for every size: 786,432 of the 4.4 million tokens
that nanoGPT's split leaves for validation."""


def _task(name: str, layers: int, width: int, heads: int, batch_size: int, learning_rate: float) -> Task:
    return Task(
        name=name,
        model=GPT2Config(layers=layers, width=width, heads=heads, context=1024, vocabulary=50257),
        batch_size=batch_size,
        steps=10_000,
        warmup_steps=500,
        final_rate=0.1,
        clip_norm=1.0,
        hyperparameters=Hyperparameters(beta1=0.9, beta2=0.95, epsilon=1e-8, weight_decay=0.1),
        validation_batches=_VALIDATED // batch_size,
        validation_percents=(20, 40, 60, 100),
        seed=20250118,
        # The paper names one rate for each size. Nothing is known of Lion and SGD, whose steps have another length.
        learning_rates=MappingProxyType(
            dict.fromkeys(("alphaadam", "adamw", "cautious-adamw", "adamw-sm", "adamw-am"), learning_rate)
        ),
        data="bin",
        precision="bfloat16",
    )


PAPER_TASKS = (
    _task("gpt2-small", layers=12, width=768, heads=12, batch_size=12, learning_rate=6e-4),
    _task("gpt2-medium", layers=24, width=1024, heads=16, batch_size=6, learning_rate=3e-4),
    _task("gpt2-large", layers=36, width=1280, heads=20, batch_size=4, learning_rate=2e-4),
)
