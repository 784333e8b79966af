"""What came out of a comparison: `comparison.json` and a table of it in Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench.compare.plan import BASELINE, Plan
from bench.compare.statistics import CONFIDENCE, holm, interval, paired, steps_to, verdict
from bench.compare.trials import Trial

SCHEMA = "alphaadam-comparison-1"
TARGET_PERCENT = 80


def report(plan: Plan, results: Mapping[Trial, Mapping[str, Any]]) -> dict[str, Any]:
    """The result of a comparison, ready for JSON.

    The target loss is the median of the tuned baseline's validation losses at 80 % of the budget. It comes from the
    baseline's trials alone.

    Args:
        plan: What is compared.
        results: The summaries of all trials that it asks for.
    """
    found = {optimizer: _found(plan, optimizer, results) for optimizer in plan.grids}
    target = _median(found, TARGET_PERCENT)
    final = _median(found, 100)
    for of_one in found.values():
        for seed in of_one["final"]:
            points = seed.pop("points")
            seed["stepsToTarget"] = None if target is None else steps_to(points, target)
            seed["stepsToBaselineLoss"] = None if final is None else steps_to(points, final)
        for key in ("stepsToTarget", "stepsToBaselineLoss"):
            of_one[key] = _steps([seed[key] for seed in of_one["final"]])
    _compare_with_baseline(found)
    return {
        "schema": SCHEMA,
        "task": plan.task.name,
        "taskDigest": plan.task_digest,
        "framework": plan.framework,
        "steps": plan.task.steps,
        "searchSeed": plan.task.seed,
        "finalSeeds": list(plan.seeds),
        "gridsGrow": plan.extend,
        "observedEvery": plan.every,
        "directions": plan.directions,
        "threads": plan.threads,
        "data": plan.data,
        "execution": asdict(plan.execution),
        "versions": _distinct(results, "versions"),
        "code": _distinct(results, "code"),
        "machines": _distinct(results, "machine"),
        "confidence": CONFIDENCE,
        "baseline": BASELINE if BASELINE in plan.grids else None,
        "target": {"percent": TARGET_PERCENT, "loss": target},
        "baselineLoss": final,
        "failedTrials": sorted(trial.name for trial, result in results.items() if result["outcome"] == "failed"),
        "optimizers": found,
    }


def _found(plan: Plan, optimizer: str, results: Mapping[Trial, Mapping[str, Any]]) -> dict[str, Any]:
    search = plan.search(optimizer, results)
    searched = [(rate, results[plan.search_trial(optimizer, rate)]) for rate in search.grid]
    trials = plan.final_trials(optimizer, search.best) if search.best is not None else []
    final = []
    for trial in trials:
        result = results[trial]
        points = result["validation"]
        final.append(
            {
                "seed": trial.seed,
                **_outcome(result),
                "loss": {
                    str(p): points[p]["loss"]
                    for p in sorted({*plan.task.validation_percents, TARGET_PERCENT})
                    if p in points
                },
                "points": list(points.values()),
                "seconds": result["seconds"],
            }
        )
    percents = [str(percent) for percent in plan.task.validation_percents]
    ended = [seed for seed in final if seed["outcome"] == "finished"]
    return {
        "search": {
            "bestLearningRate": search.best,
            "remark": search.remark,
            "trials": len(search.grid),
            "addedAtEdges": len(search.grid) - search.first,
            "grid": [
                {
                    "learningRate": rate,
                    "finalValidationLoss": result["validation"].get(100, {}).get("loss"),
                    **_outcome(result),
                }
                for rate, result in searched
            ],
        },
        "final": final,
        "loss": {
            percent: interval([seed["loss"][percent] for seed in ended if percent in seed["loss"]])
            for percent in percents
        },
        "diverged": {
            "search": sum(result["outcome"] == "diverged" for _, result in searched),
            "final": sum(seed["outcome"] == "diverged" for seed in final),
        },
    }


def _outcome(result: Mapping[str, Any]) -> dict[str, Any]:
    return {key: result[key] for key in ("outcome", "divergedAtStep", "error", "attempts") if result[key] is not None}


def _median(found: Mapping[str, Any], percent: int) -> float | None:
    """The median of the baseline's losses at a percentage, where all its final trials got there."""
    seeds = found.get(BASELINE, {}).get("final", [])
    losses = [seed["loss"].get(str(percent)) for seed in seeds]
    return statistics.median(losses) if losses and None not in losses else None


def _steps(steps: Sequence[float | None]) -> dict[str, Any]:
    """A mean only where every trial got there: the mean of those that did would flatter."""
    reached = [step for step in steps if step is not None]
    whole = len(reached) == len(steps)
    return {**interval(reached if whole else []), "reached": len(reached), "of": len(steps)}


def _compare_with_baseline(found: dict[str, Any]) -> None:
    if BASELINE not in found:
        return
    base = {seed["seed"]: seed for seed in found[BASELINE]["final"] if seed["outcome"] == "finished"}
    others = {name: of_one for name, of_one in found.items() if name != BASELINE}
    for of_one in others.values():
        of_one["differenceToBaseline"] = paired(
            [
                seed["loss"]["100"] - base[seed["seed"]]["loss"]["100"]
                for seed in of_one["final"]
                if seed["outcome"] == "finished" and seed["seed"] in base
            ]
        )
    adjusted = holm({name: of_one["differenceToBaseline"]["p"] for name, of_one in others.items()})
    for name, of_one in others.items():
        difference = of_one["differenceToBaseline"]
        difference["pHolm"] = adjusted[name]
        difference["words"] = verdict(difference, len(others))


def _distinct(results: Mapping[Trial, Mapping[str, Any]], key: str) -> list[Any]:
    """The different values in the records, in a stable order; more than one of code or versions is a warning."""
    values = [result[key] for result in results.values() if result["outcome"] != "failed"]
    return [value for number, value in enumerate(values) if value not in values[:number]]


def table(content: Mapping[str, Any]) -> str:
    """The result as Markdown."""
    percents = [int(percent) for percent in next(iter(content["optimizers"].values()))["loss"]]
    seeds = len(content["finalSeeds"])
    intervals = f"{CONFIDENCE:.0%}".replace("%", " %")
    lines = [
        f"{content['task']}, {content['framework']}, {content['steps']} steps: validation loss in nats per token, mean"
        f" over {seeds} seeds ± half of the {intervals} interval (Student's t).",
        "",
        *_rows(
            ["optimizer", "rate", "trials", *(f"loss at {percent} %" for percent in percents), "diverged"],
            (
                [
                    name,
                    _rate(of_one["search"]["bestLearningRate"]),
                    str(of_one["search"]["trials"]),
                    *(_mean(of_one["loss"][str(percent)], 4, seeds) for percent in percents),
                    f"{of_one['diverged']['final']} of {len(of_one['final'])}" + _diverged_in_search(of_one),
                ]
                for name, of_one in content["optimizers"].items()
            ),
        ),
        "",
    ]
    if content["baseline"]:
        lines += _baseline_table(content)
    if any(of_one["search"]["grid"] for of_one in content["optimizers"].values()):
        lines += ["Search, final validation loss by learning rate, one seed:", "", *_search_table(content), ""]
    for name, of_one in content["optimizers"].items():
        if of_one["search"]["remark"]:
            lines.append(f"- {name}: {of_one['search']['remark']}.")
    for what, values in (("states of the code", content["code"]), ("sets of versions", content["versions"])):
        if len(values) > 1:
            lines.append(f"- The trials ran with {len(values)} different {what}; their records say which.")
    lines += [f"- failed: {name}" for name in content["failedTrials"]]
    return "\n".join(lines).rstrip() + "\n"


def _diverged_in_search(found: Mapping[str, Any]) -> str:
    tried = found["search"]["trials"]
    return f" ({found['diverged']['search']} of {tried} in the search)" if tried else ""


def _baseline_table(content: Mapping[str, Any]) -> list[str]:
    baseline, target = content["baseline"], content["target"]
    if target["loss"] is None:
        return [f"Not every final trial of {baseline} finished, so there is nothing to compare with.", ""]
    rows = []
    for name, of_one in content["optimizers"].items():
        difference = of_one.get("differenceToBaseline")
        rows.append(
            [
                name,
                "" if difference is None else _signed(difference),
                "" if difference is None else _p(difference["p"], difference["pHolm"]),
                "" if difference is None else difference["words"],
                _reached(of_one["stepsToTarget"]),
                _reached(of_one["stepsToBaselineLoss"]),
            ]
        )
    return [
        f"Beside {baseline}: paired difference of the final losses over seeds (same initial weights and batches), p of"
        " the paired t-test (after Holm's correction), and steps to"
        f" {baseline}'s median loss at {target['percent']} % ({target['loss']:.4f}) and at the end"
        f" ({content['baselineLoss']:.4f}) of the budget.",
        "",
        *_rows(
            [
                "optimizer",
                "difference",
                "p",
                "in words",
                f"steps to {target['loss']:.4f}",
                f"steps to {content['baselineLoss']:.4f}",
            ],
            rows,
        ),
        "",
    ]


def _search_table(content: Mapping[str, Any]) -> list[str]:
    rows = []
    for name, of_one in content["optimizers"].items():
        cells = []
        for point in of_one["search"]["grid"]:
            loss = point["finalValidationLoss"]
            text = f"{point['learningRate']:g}: " + (point["outcome"] if loss is None else f"{loss:.4f}")
            cells.append(f"**{text}**" if point["learningRate"] == of_one["search"]["bestLearningRate"] else text)
        rows.append([name, ", ".join(cells)])
    return _rows(["optimizer", "rate: loss"], rows)


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows)]


def _rate(rate: float | None) -> str:
    return "none" if rate is None else f"{rate:g}"


def _mean(found: Mapping[str, Any], digits: int, of: int) -> str:
    if found["mean"] is None:
        return "none"
    half = "" if found["low"] is None else f" ± {found['high'] - found['mean']:.{digits}f}"
    return f"{found['mean']:.{digits}f}{half}" + ("" if found["n"] == of else f" ({found['n']} of {of})")


def _signed(found: Mapping[str, Any]) -> str:
    if found["mean"] is None:
        return "none"
    if found["low"] is None:
        return f"{found['mean']:+.4f}"
    return f"{found['mean']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}]"


def _p(p: float | None, adjusted: float | None) -> str:
    return "" if p is None else f"{p:.2g} ({adjusted:.2g})"


def _reached(found: Mapping[str, Any]) -> str:
    if found["of"] == 0:
        return ""
    return (
        _mean(found, 0, found["n"]) if found["mean"] is not None else f"reached by {found['reached']} of {found['of']}"
    )
