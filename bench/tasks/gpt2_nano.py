"""The task gpt2-nano: a small GPT-2 on the bytes of the King James Bible."""

from types import MappingProxyType

from bench.tasks.gpt2 import GPT2Config
from bench.tasks.task import Hyperparameters, Task

# The rate rises during half of the budget. AlphaAdam's mask is not continuous, so differences in rounding grow into
# differences between parameters; as long as the rate is small they do not show in the loss. Thus the curves of
# different frameworks stay on one another during the first 50 steps, in which the loss falls by half.
GPT2_NANO = Task(
    name="gpt2-nano",
    model=GPT2Config(layers=4, width=128, heads=4, context=128, vocabulary=256),
    batch_size=8,
    steps=360,
    warmup_steps=180,
    final_rate=0.1,
    clip_norm=1.0,
    hyperparameters=Hyperparameters(beta1=0.9, beta2=0.95, epsilon=1e-8, weight_decay=0.1),
    validation_batches=16,
    validation_percents=(20, 40, 60, 100),
    seed=20250118,
    # The best of the comparison in bench/results/compare/gpt2-nano-torch.
    learning_rates=MappingProxyType(
        {
            "alphaadam": 0.004,
            "adamw": 0.004,
            "cautious-adamw": 0.004,
            "adamw-am": 0.004,
            "adamw-sm": 0.004,
            "lion": 0.001,
            "sgd": 0.128,
            "exadam": 0.001,
            "mgup": 0.002,
            "adan": 0.016,
            "root": 0.016,
            "conda": 0.008,
            "galore": 0.008,
            "ldadam": 0.004,
            "microadam": 0.004,
            "adam-8bit": 0.004,
            "adam-mini": 0.002,
            "sophia": 0.001,
            "one-bit-adam": 0.002,
            "muon": 0.016,
            "alphamask-sgd": 0.128,
            "alphamask-lion": 0.0005,
            "alphamask-adan": 0.016,
        }
    ),
)

TARGET_LOSS = 2.3185375332832336
"""Validation loss that asv counts the steps to: the median of tuned AdamW's runs at 80 % of the budget, from the same
comparison."""
