"""What came out of a comparison for one optimizer: as its comparison.json says, or from the trials' records."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from reports.intervals import NOTHING, Difference, Interval, differences, interval
from reports.sources.fields import is_whole
from reports.sources.trials import NOT_ENDED, OUTCOMES, Curve, Trial, sensible

TARGET_PERCENT = 80
"""Where the baseline's median is the target, in comparisons that do not say it themselves."""


class Rate(NamedTuple):
    """One learning rate of the search, on one seed: the validation loss at the end, None where it has none."""

    learning_rate: float
    loss: float | None
    outcome: str


class Seed(NamedTuple):
    """One of the final seeds: validation losses by percent of the budget, and when it reached two losses.

    Attributes:
        steps: to the target loss, None where it did not reach it.
        seconds: to the target loss, None where it did not reach it or the record does not tell.
        steps_to_baseline: to the baseline's loss at the end.
    """

    seed: int
    outcome: str
    losses: Mapping[float, float]
    steps: float | None
    seconds: float | None
    steps_to_baseline: float | None


class Reach(NamedTuple):
    """When a loss was reached: a mean only where every seed got there, as that of those that did would flatter."""

    interval: Interval
    reached: int
    of: int


class Standing(NamedTuple):
    """One optimizer in a comparison.

    Attributes:
        rate: the best learning rate, None where none is known.
        remark: what is wrong with the search.
        added: by how many rates the grid grew at its edges; None where that is not known.
        grid: the search.
        seeds: the trials with the final seeds.
        loss: by percent of the budget.
        to_target: steps to the target loss.
        seconds_to_target: the same in seconds of training.
        to_baseline: steps to the baseline's loss at the end.
        difference: of the loss at the end from the baseline's, by seed; None for the baseline itself.
    """

    rate: float | None
    remark: str
    added: int | None
    grid: tuple[Rate, ...]
    seeds: tuple[Seed, ...]
    loss: Mapping[float, Interval]
    to_target: Reach
    seconds_to_target: Reach
    to_baseline: Reach
    difference: Difference | None

    def count(self, outcome: str) -> int:
        """How many final seeds had this outcome."""
        return sum(seed.outcome == outcome for seed in self.seeds)


class Target(NamedTuple):
    """The baseline's median losses that others are measured by; None where they are not known (yet)."""

    percent: float
    loss: float | None
    final: float | None


def crossing(curve: Curve, target: float) -> tuple[float, float] | None:
    """Steps and seconds until a validation loss was `target` or less, on a straight line between validations."""
    low = np.flatnonzero(curve.values <= target)
    if not len(low):
        return None
    at = int(low[0])
    part = 0.0 if at == 0 else float((curve.values[at - 1] - target) / (curve.values[at - 1] - curve.values[at]))

    def between(values: np.ndarray) -> float:
        return float(values[at] if at == 0 else values[at - 1] + part * (values[at] - values[at - 1]))

    return between(curve.steps), between(curve.seconds)


def target_of(baseline: Sequence[Trial]) -> Target:
    """The target that the baseline's final trials set, once all of them have ended at their budget."""

    def median(percent: float) -> float | None:
        losses = [trial.loss_at(percent) for trial in baseline if trial.outcome == "finished"]
        known = [loss for loss in losses if loss is not None]
        return statistics.median(known) if known and len(known) == len(baseline) else None

    return Target(TARGET_PERCENT, median(TARGET_PERCENT), median(100))


def from_records(search: Sequence[Trial], final: Sequence[Trial], rate: float | None, target: Target) -> Standing:
    """The standing of an optimizer by its trials, but for the difference to the baseline, which needs the others."""
    seeds = tuple(_seed(trial, target) for trial in final)
    ended = [seed for seed in seeds if seed.outcome == "finished"]
    percents = sorted({percent for seed in ended for percent in seed.losses})
    return Standing(
        rate,
        "",
        None,
        tuple(Rate(trial.rate, _final_loss(trial), trial.outcome) for trial in search),
        seeds,
        {percent: interval([seed.losses[percent] for seed in ended if percent in seed.losses]) for percent in percents},
        reach([seed.steps for seed in seeds]),
        reach([seed.seconds for seed in seeds]),
        reach([seed.steps_to_baseline for seed in seeds]),
        None,
    )


def _final_loss(trial: Trial) -> float | None:
    return trial.loss_at(100) if trial.outcome == "finished" else None


def _seed(trial: Trial, target: Target) -> Seed:
    to_target = None if target.loss is None else crossing(trial.validation, target.loss)
    to_final = None if target.final is None else crossing(trial.validation, target.final)
    points = zip(trial.percents, trial.validation.values, strict=True)
    return Seed(
        trial.seed,
        trial.outcome,
        {float(percent): float(loss) for percent, loss in points},
        to_target and to_target[0],
        to_target[1] if to_target and math.isfinite(to_target[1]) else None,
        to_final and to_final[0],
    )


def reach(values: Sequence[float | None]) -> Reach:
    """The mean of when a loss was reached, if all reached it."""
    reached = [value for value in values if value is not None]
    return Reach(interval(reached) if len(reached) == len(values) else NOTHING, len(reached), len(values))


def with_differences(standings: Mapping[str, Standing], baseline: str) -> dict[str, Standing]:
    """Adds the paired difference to the baseline's final loss to those that have none."""
    lacking = [
        name for name, standing in standings.items() if name != baseline and not standing.difference and standing.seeds
    ]
    if baseline not in standings or not lacking:
        return dict(standings)
    found = differences(
        {
            name: paired(standings[name], standings[baseline], "loss")
            for name in standings
            if name != baseline and standings[name].seeds
        }
    )
    return {
        name: standing._replace(difference=found[name]) if name in lacking else standing
        for name, standing in standings.items()
    }


def paired(one: Standing, other: Standing, what: str) -> list[float]:
    """By seed, the difference of two optimizers in the final "loss", or in "steps" or "seconds" to the target."""

    def values(standing: Standing) -> dict[int, float | None]:
        if what == "loss":
            return {s.seed: s.losses.get(100.0) if s.outcome == "finished" else None for s in standing.seeds}
        return {seed.seed: getattr(seed, what) for seed in standing.seeds}

    first, second = values(one), values(other)
    pairs = [(first[seed], second.get(seed)) for seed in sorted(first)]
    return [a - b for a, b in pairs if a is not None and b is not None]


def from_summary(content: dict[str, Any], final: Sequence[Trial], target: Target) -> Standing:
    """The standing of an optimizer as comparison.json has it; seconds come from the records, which alone have them.

    Raises:
        KeyError: Something is missing.
        TypeError: Something is of another type.
        ValueError: Something is no number to compute with.
    """
    search = content["search"]
    timed = {trial.seed: _seed(trial, target).seconds for trial in final}
    seeds = tuple(_summarized(seed, timed) for seed in content["final"])
    grid = tuple(
        Rate(_number(point["learningRate"]), _maybe(point["finalValidationLoss"]), _outcome(point["outcome"]))
        for point in search["grid"]
    )
    difference = content.get("differenceToBaseline")
    return Standing(
        _maybe(search["bestLearningRate"]),
        search["remark"] if isinstance(search["remark"], str) else "",
        _count(search["addedAtEdges"]),
        grid,
        seeds,
        {_percent(percent): _interval(loss) for percent, loss in content["loss"].items()},
        _reach(content["stepsToTarget"]),
        # A record that is not there says nothing of when its trial got there: there is no mean without it.
        reach([seed.seconds for seed in seeds]) if timed else Reach(NOTHING, 0, 0),
        _reach(content["stepsToBaselineLoss"]),
        None
        if difference is None
        else Difference(_interval(difference), _maybe(difference["p"]), _maybe(difference["pHolm"])),
    )


def _summarized(seed: dict[str, Any], timed: Mapping[int, float | None]) -> Seed:
    if not is_whole(seed["seed"], 0, 2**63):
        raise ValueError("a seed is no whole number")
    return Seed(
        seed["seed"],
        _outcome(seed["outcome"]),
        {_percent(percent): _number(loss) for percent, loss in seed["loss"].items()},
        _maybe(seed["stepsToTarget"]),
        timed.get(seed["seed"]),
        _maybe(seed["stepsToBaselineLoss"]),
    )


def _interval(found: dict[str, Any]) -> Interval:
    return Interval(_count(found["n"]), _maybe(found["mean"]), _maybe(found["low"]), _maybe(found["high"]))


def _reach(found: dict[str, Any]) -> Reach:
    return Reach(_interval(found), _count(found["reached"]), _count(found["of"]))


def _number(value: object) -> float:
    found = sensible(value)
    if found is None:
        raise ValueError("something that has to be a number is none")
    return found


def _maybe(value: object) -> float | None:
    return None if value is None else _number(value)


def _count(value: object) -> int:
    if not is_whole(value, 0):
        raise ValueError("something that has to be a count is none")
    return int(_number(value))


def _percent(text: str) -> float:
    return _number(float(text))


def _outcome(outcome: object) -> str:
    if not isinstance(outcome, str) or outcome not in (*OUTCOMES, NOT_ENDED):
        raise ValueError(f"an outcome is none of {', '.join(OUTCOMES)}")
    return outcome
