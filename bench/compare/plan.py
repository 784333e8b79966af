"""The protocol of a comparison: which trials it takes, as a function of what is known so far.

Every optimizer gets the same search: learning rates a factor of 2 apart, as many for each, on one seed, which is the
task's own. The best is the one with the smallest validation loss at the end of the budget. Where it lies at an edge of
its grid, the grid of that optimizer grows there until it lies inside, unless that is switched off. With the best
rate, fresh seeds give the figures that are compared: the search's own seed would flatter those that were tuned on it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.compare.trials import Trial
from bench.settings import RELATIVE_RATES
from bench.tasks import Task
from bench.tasks.execution import Execution

BASELINE = "adamw"
RATES = 5
"""Learning rates of a default grid."""
MOST_RATES = 16
"""Rates of one optimizer after which its grid grows no further: 16 doublings span every sensible rate."""
USUAL_RATE = 4e-3
"""The middle of AdamW's default grid for a task without tuned rates. The grid grows where it is not the right one."""
FINE_PERCENTS = tuple(range(5, 101, 5))
"""When trials with the final seeds measure the validation loss, beside the task's own points."""


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Attributes:
        task: The task.
        task_digest: Its digest.
        framework: Framework to train with.
        grids: Optimizer → learning rates to begin with, ascending.
        seeds: Seeds of the final trials.
        extend: Whether grids grow.
        every: Each so-many-th step is observed.
        directions: Whether directions are measured.
        threads: Threads of a trial.
        data: Folder of the task's data.
        execution: How trials are carried out.
    """

    task: Task
    task_digest: str
    framework: str
    grids: Mapping[str, tuple[float, ...]]
    seeds: tuple[int, ...]
    extend: bool = True
    every: int = 20
    directions: bool = False
    threads: int = 1
    data: str | None = None
    execution: Execution = Execution()  # noqa: RUF009 - it is frozen

    def __post_init__(self) -> None:
        if not self.grids:
            raise ValueError("no optimizer to compare")
        if self.task.seed in self.seeds:
            raise ValueError(
                f"seed {self.task.seed} is the one that the rates are searched with; final seeds are others"
            )
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {', '.join(map(str, self.seeds))}: give at least one, each once")
        lengths = {optimizer: len(grid) for optimizer, grid in self.grids.items()}
        if len(set(lengths.values())) > 1:
            words = ", ".join(f"{optimizer} {length}" for optimizer, length in lengths.items())
            raise ValueError(f"every optimizer gets the same number of learning rates, not {words}")
        for optimizer, grid in self.grids.items():
            for lower, upper in itertools.pairwise(grid):
                if not math.isclose(upper, 2 * lower, rel_tol=0.02):  # 1e-3, 2e-3, ... may be rounded
                    raise ValueError(f"learning rates of {optimizer}: {upper:g} is not the double of {lower:g}")

    def optimizers(self) -> list[str]:
        """The optimizers, the baseline first: the target comes from its trials alone, so it is known early."""
        return sorted(self.grids, key=lambda optimizer: optimizer != BASELINE)

    def search_trial(self, optimizer: str, rate: float) -> Trial:
        """The trial of a rate in the search."""
        return self._trial(optimizer, rate, self.task.seed, self.task.validation_percents)

    def final_trials(self, optimizer: str, rate: float) -> list[Trial]:
        """The trials of the final figure."""
        percents = tuple(sorted({*self.task.validation_percents, *FINE_PERCENTS}))
        return [self._trial(optimizer, rate, seed, percents) for seed in self.seeds]

    def _trial(self, optimizer: str, rate: float, seed: int, percents: tuple[int, ...]) -> Trial:
        return Trial(
            self.task,
            self.task_digest,
            self.framework,
            optimizer,
            rate,
            seed,
            percents,
            self.every,
            self.directions,
            self.threads,
            self.data,
            self.execution,
        )

    def search(self, optimizer: str, results: Mapping[Trial, Mapping[str, Any]]) -> Search:
        """How far the search of an optimizer has come."""
        grid = list(self.grids[optimizer])
        if len(grid) == 1 and not self.extend:
            return Search((), 0, (), grid[0], "the rate was given, not searched")
        first = len(grid)
        while True:
            trials = {rate: self.search_trial(optimizer, rate) for rate in grid}
            missing = tuple(trial for trial in trials.values() if trial not in results)
            if missing:
                return Search(tuple(grid), first, missing, None, None)
            losses = {rate: final_loss(results[trial]) for rate, trial in trials.items()}
            best = min(grid, key=lambda rate: losses[rate])  # of equal ones the smallest rate
            if math.isinf(losses[best]):
                return Search(tuple(grid), first, (), None, "every rate diverged or failed")
            edge = "lower" if best == grid[0] else "upper" if best == grid[-1] else None
            if edge is None or not self.extend or len(grid) >= MOST_RATES:
                return Search(tuple(grid), first, (), best, edge and f"the best rate is at the {edge} edge of the grid")
            if edge == "lower":
                grid.insert(0, best / 2)
            else:
                grid.append(best * 2)

    def wanted(self, results: Mapping[Trial, Mapping[str, Any]]) -> list[Trial]:
        """The trials that can be run now, the most urgent first, those of `results` left out."""
        wanted: list[Trial] = []
        for optimizer in self.optimizers():
            search = self.search(optimizer, results)
            wanted += search.missing
            if search.best is not None:
                wanted += [trial for trial in self.final_trials(optimizer, search.best) if trial not in results]
        return wanted

    def still_to_come(self, results: Mapping[Trial, Mapping[str, Any]]) -> int:
        """Trials that are wanted, now or as soon as the searches have ended, unless grids grow further."""
        searches = [self.search(optimizer, results) for optimizer in self.grids]
        later = sum(len(self.seeds) for search in searches if search.missing)
        return len(self.wanted(results)) + later


@dataclass(frozen=True)
class Search:
    """The search of one optimizer.

    Attributes:
        grid: All learning rates, ascending; none where the only one is given.
        first: How many of them the grid began with.
        missing: Trials that are still to be run before more can be said.
        best: The best rate; None as long as it is not known, or where there is none.
        remark: What is wrong with the result, or None.
    """

    grid: tuple[float, ...]
    first: int
    missing: tuple[Trial, ...]
    best: float | None
    remark: str | None


def final_loss(result: Mapping[str, Any]) -> float:
    """The validation loss at the end of the budget; infinite for a trial that diverged or failed."""
    if result["outcome"] != "finished":
        return math.inf
    return result["validation"][100]["loss"]


def default_grid(task: Task, optimizer: str) -> tuple[float, ...]:
    """`RATES` learning rates around the task's tuned one, or around where an optimizer's usually lies."""
    centre = task.learning_rates.get(optimizer)
    if centre is None:
        centre = RELATIVE_RATES.get(optimizer, 1.0) * task.learning_rates.get(BASELINE, USUAL_RATE)
    return tuple(centre * 2.0**step for step in range(-(RATES // 2), RATES - RATES // 2))
