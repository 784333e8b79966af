"""The task gpt2-micro: a GPT-2 of 6 million parameters on the King James Bible, in 4096 tokens of its own."""

from types import MappingProxyType

from bench.tasks.gpt2 import GPT2Config
from bench.tasks.task import Hyperparameters, Task

# About one pass over the training text of a million tokens, 10 minutes on two CPU cores.
GPT2_MICRO = Task(
    name="gpt2-micro",
    model=GPT2Config(layers=6, width=256, heads=8, context=256, vocabulary=4096),
    batch_size=8,
    steps=400,
    warmup_steps=100,
    final_rate=0.1,
    clip_norm=1.0,
    hyperparameters=Hyperparameters(beta1=0.9, beta2=0.95, epsilon=1e-8, weight_decay=0.1),
    validation_batches=16,
    validation_percents=(20, 40, 60, 100),
    seed=20250118,
    data="bible-bpe",
    # The best of the search in bench/results/compare/gpt2-micro-torch.
    learning_rates=MappingProxyType({"adamw": 4e-3}),
)
