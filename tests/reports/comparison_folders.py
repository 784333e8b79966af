"""Folders as `python -m bench compare` writes them, small and with losses that every test can recompute."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS = 40
SEARCH_SEED = 7
SEEDS = (8, 9, 10)
RATES = (0.001, 0.002, 0.004)
BEST = 0.002
PERCENTS = tuple(range(5, 101, 5))
TENSORS = ["wte.weight", "h.0.ln_1.weight", "h.0.mlp.weight", "ln_f.bias"]
OPTIMIZERS = ("adamw", "alphaadam", "lion")
# How fast each one's loss falls.
PACE = {"adamw": 1.0, "alphaadam": 1.3, "cautious-adamw": 1.5, "lion": 0.6, "adamw-sm": 0.9, "adamw-am": 1.2}


def loss(optimizer: str, rate: float, seed: int, step: int) -> float:
    """Falls with the steps, fastest at the best rate; the seed shifts the optimizers by different amounts."""
    pace = PACE.get(optimizer, 0.8) / (1 + 0.2 * abs(math.log2(rate / BEST)))
    wiggle = 0.002 * (seed - 9) + 0.001 * ((seed * 31 + len(optimizer) * 17) % 5)
    return 2 + 3 * math.exp(-pace * step / 15) + wiggle


def batch_loss(optimizer: str, rate: float, seed: int, step: int) -> float:
    """The loss of one step's batch."""
    return loss(optimizer, rate, seed, step) + 0.01 * math.sin(step + seed)


def seconds(optimizer: str, seed: int, step: int) -> float:
    """Time of training until after a step."""
    return step * (0.1 + 0.01 * (seed % 3) + 0.02 * len(optimizer))


def alpha(optimizer: str, seed: int, step: int, tensor: int) -> float:
    """What makes up for the mask."""
    return 1.0 if step == 1 else round(1 + 0.01 * step + 0.1 * tensor + 0.001 * seed, 4)


def correlation(optimizer: str, seed: int, step: int) -> float:
    """Gradient correlation."""
    return PACE.get(optimizer, 0.8) / (step + seed)


class ComparisonFolder:
    """Writes one folder of records.

    Args:
        root: The folder.
        task: The task's name; its digest follows from it.
        framework: What it was trained with.
        steps: The budget.
        loss: Gives the validation loss of optimizer, rate, seed and step.
    """

    def __init__(
        self,
        root: Path,
        task: str = "gpt2-nano",
        framework: str = "torch",
        steps: int = STEPS,
        loss: Callable[[str, float, int, int], float] = loss,
    ) -> None:
        self.root = root
        self.task = task
        self.framework = framework
        self.steps = steps
        self.loss = loss
        root.mkdir(parents=True, exist_ok=True)

    def header(self, optimizer: str, rate: float, seed: int) -> dict[str, Any]:
        """The first line of a record."""
        return {
            "kind": "header",
            "schema": "alphaadam-trial-record-1",
            "task": self.task,
            "taskDigest": f"digest of {self.task}",
            "framework": self.framework,
            "optimizer": optimizer,
            "learningRate": rate,
            "seed": seed,
            "steps": self.steps,
            "observedEvery": 10,
            "directions": True,
            "threads": 1,
            "execution": {"device": "cpu", "compile": False, "micro_batches": 1, "parallel": "none"},
            "taskSettings": {"batch_size": 8, "model": {"context": 128}, "seed": SEARCH_SEED, "data": "bible-bytes"},
            "data": None,
            "attempt": 1,
            "versions": {"alphaadam": "0.1.0", "torch": "2.13.0"},
            "code": {"commit": "ab" * 20, "dirty": False},
            "machine": {"name": "box", "system": "Linux", "processor": "fast", "cores": 2, "device": "cpu"},
            "started": "2026-05-01T10:00:00+00:00",
            "tensors": TENSORS,
        }

    def lines(self, optimizer: str, rate: float, seed: int, end: int | None = None) -> list[dict[str, Any]]:
        """A record without its footer, up to step `end`."""
        found = [self.header(optimizer, rate, seed)]
        percents = {}
        for percent in PERCENTS:
            percents.setdefault(self.steps * percent // 100, []).append(percent)
        for step in range(1, (self.steps if end is None else end) + 1):
            line = {
                "kind": "step",
                "step": step,
                "loss": self.loss(optimizer, rate, seed, step) + 0.01 * math.sin(step + seed),
                "lr": rate,
                "seconds": seconds(optimizer, seed, step),
            }
            if step == 1 or step % 10 == 0:
                line["gradientCorrelation"] = correlation(optimizer, seed, step)
                line["directionalSharpness"] = 10 * step + seed
                if optimizer != "adamw":
                    line["maskFraction"] = [1 / alpha(optimizer, seed, step, index) for index in range(len(TENSORS))]
                    line["alpha"] = [alpha(optimizer, seed, step, index) for index in range(len(TENSORS))]
            found.append(line)
            for percent in percents.get(step, ()):
                point = {"kind": "validation", "budgetPercent": percent, "step": step}
                value = self.loss(optimizer, rate, seed, step)
                found.append({**point, "loss": value, "seconds": seconds(optimizer, seed, step)})
        return found

    def path(self, optimizer: str, rate: float, seed: int) -> Path:
        """A record's file."""
        return self.root / f"{self.framework}-{optimizer}-{rate:g}-seed{seed}-01234567.jsonl"

    def write(
        self,
        optimizer: str,
        rate: float,
        seed: int,
        outcome: str = "finished",
        end: int | None = None,
        error: str | None = None,
    ) -> Path:
        """Writes a record; of one that diverged, `end` is the last step with a loss."""
        footer = {"kind": "footer", "outcome": outcome, "divergedAtStep": None, "steps": end or self.steps}
        if outcome == "diverged":
            footer["divergedAtStep"] = (end or 0) + 1
        if error is not None:
            footer["error"] = error
        content = [*self.lines(optimizer, rate, seed, 0 if outcome == "failed" else end), footer]
        return write_lines(self.path(optimizer, rate, seed), content)

    def fill(self, *optimizers: str) -> "ComparisonFolder":
        """A whole comparison, of the search and the final seeds, without its comparison.json."""
        for optimizer in optimizers or OPTIMIZERS:
            for rate in RATES:
                self.write(optimizer, rate, SEARCH_SEED)
            for seed in SEEDS:
                self.write(optimizer, BEST, seed)
        return self

    def summarize(self, **changes: Any) -> Path:
        """Writes a comparison.json in which no optimizer has an entry, so that all figures come from the records."""
        content = {
            "schema": "alphaadam-comparison-1",
            **{key: value for key, value in self.header("", 1, 1).items() if key in SHARED},
            "searchSeed": SEARCH_SEED,
            "finalSeeds": list(SEEDS),
            "confidence": 0.95,
            "baseline": "adamw",
            "target": None,
            "optimizers": {},
            **changes,
        }
        path = self.root / "comparison.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path


SHARED = ("task", "taskDigest", "framework", "steps", "observedEvery", "directions", "threads", "execution", "data")


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    """Writes JSON lines."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path
