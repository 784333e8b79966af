"""Reads what `python -m bench compare` wrote: a folder of trial records and, once it has ended, its comparison.json."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.sources import comparison_origin
from reports.sources.error import SourceError
from reports.sources.fields import is_whole, number, read_json, shortened, shown
from reports.sources.origin import Origin
from reports.sources.standings import Standing, Target, from_records, from_summary, target_of, with_differences
from reports.sources.trial_records import load_trial
from reports.sources.trials import NOT_ENDED, RUNNING, Trial, sensible, settings

COMPARISON_SCHEMA = "alphaadam-comparison-1"
BASELINE = "adamw"
BYTES = "bible-bytes"
"""Data whose tokens are bytes."""

Complain = Callable[[Path, str], None]


@dataclass(frozen=True)
class Comparison:
    """One comparison of optimizers on a task.

    Attributes:
        folder: where it lies.
        task: the task's name.
        task_digest: what its settings amount to.
        framework: what it was trained with.
        budget: steps of a trial.
        unit: of the losses.
        tokens_per_step: batch times context, None where no record says it.
        baseline: the optimizer that the others are compared with.
        target: the losses to be reached.
        confidence: of the intervals, such as 0.95.
        search_seed: the seed of the search for learning rates.
        final_seeds: the seeds of the final trials.
        standings: what came out, by optimizer.
        trials: the records of the final trials at the best rate, by optimizer.
        ended: whether the comparison has ended; what stands here else is provisional.
        summary: comparison.json, where there is a valid one.
        headers: of all records.
        set_aside: how many attempts did not end and were tried again.
    """

    folder: Path
    task: str
    task_digest: str
    framework: str
    budget: int
    unit: str
    tokens_per_step: int | None
    baseline: str
    target: Target
    confidence: float
    search_seed: int | None
    final_seeds: tuple[int, ...]
    standings: Mapping[str, Standing]
    trials: Mapping[str, tuple[Trial, ...]]
    ended: bool
    summary: Mapping[str, Any] | None
    headers: tuple[Mapping[str, Any], ...]
    set_aside: int

    def origin(self) -> Origin:
        """Where it ran, with what, and how to run it again."""
        return comparison_origin.origin(self)


def load_comparison(folder: Path, complain: Complain) -> Comparison:
    """Reads one folder.

    Raises:
        SourceError: There is no record in it that can be used, and no comparison.json either.
    """
    summary = _summary(folder / "comparison.json", complain)
    trials = _one_comparison(_trials(folder, complain), summary, complain)
    if summary is None and not trials:
        raise SourceError("It holds no record of a trial that can be used. Run `python -m bench compare` again.")
    first = summary or trials[0].header
    search_seed = (summary or {}).get("searchSeed", trials[0].setting("taskSettings", "seed") if trials else None)
    search_seed = search_seed if is_whole(search_seed, 0, 2**63) else None
    searched, final = _by_optimizer(trials, search_seed)
    baseline = (summary or {}).get("baseline")
    baseline = baseline if isinstance(baseline, str) else BASELINE
    rates = {name: _rate(name, summary, final.get(name, []), searched.get(name, [])) for name in {*searched, *final}}
    chosen = {name: tuple(trial for trial in found if trial.rate == rates[name]) for name, found in final.items()}
    target = _target(summary) or target_of(chosen.get(baseline, ()))
    described = summary["optimizers"] if summary else {}
    standings = {}
    for name in [*described, *sorted({*searched, *final} - set(described))]:
        own = chosen.get(name, ())
        if name in described:
            try:
                standings[name] = from_summary(described[name], own, target)
                _compare(folder, name, standings[name], own, complain)
                continue
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                reason = f"What it says of {shortened(name)} is incomplete ({_words(error)}); the records are used."
                complain(folder / "comparison.json", reason)
        standings[name] = from_records(searched.get(name, []), own, rates.get(name), target)
    standings = with_differences(standings, baseline)
    return Comparison(
        folder,
        first["task"],
        first["taskDigest"],
        first["framework"],
        first["steps"],
        "nats/byte" if trials and trials[0].setting("taskSettings", "data") == BYTES else "nats/token",
        _tokens_per_step(trials),
        baseline,
        target,
        _confidence(summary),
        search_seed,
        tuple(sorted({seed.seed for standing in standings.values() for seed in standing.seeds})),
        standings,
        chosen,
        _has_ended(summary, standings, trials),
        summary,
        tuple(trial.header for trial in trials),
        sum(1 for _ in folder.glob("unfinished/*.jsonl")),
    )


def _tokens_per_step(trials: list[Trial]) -> int | None:
    if not trials:
        return None
    batch = trials[0].setting("taskSettings", "batch_size")
    context = trials[0].setting("taskSettings", "model", "context")
    return int(batch * context) if is_whole(batch, 1) and is_whole(context, 1) else None


def _has_ended(summary: dict[str, Any] | None, standings: Mapping[str, Standing], trials: Iterable[Trial]) -> bool:
    """Whether there is a comparison.json and nothing is to come that it does not know."""
    if summary is None or any(trial.outcome == NOT_ENDED for trial in trials):
        return False
    wanted = summary.get("finalSeeds")
    others = [standing for name, standing in standings.items() if name not in summary["optimizers"]]
    return all([seed.seed for seed in standing.seeds] == wanted for standing in others)


def _summary(path: Path, complain: Complain) -> dict[str, Any] | None:
    """comparison.json, if its head is valid; the optimizers are looked at one by one later."""
    if not path.exists():
        return None
    try:
        content = read_json(path)
        if not isinstance(content, dict) or (wrong := _wrong(content)):
            raise SourceError(wrong if isinstance(content, dict) else "It holds no JSON object.")
    except SourceError as error:
        complain(path, f"{error} The records are used alone.")
        return None
    content["optimizers"] = {shortened(name): found for name, found in content["optimizers"].items()}
    return {**content, **{key: shortened(content[key]) for key in ("task", "taskDigest", "framework")}}


def _wrong(content: dict[str, Any]) -> str:
    if content.get("schema") != COMPARISON_SCHEMA:
        return f"Its schema is {shown(content.get('schema'))}; this version reads {COMPARISON_SCHEMA!r}."
    lacking = [key for key in ("task", "taskDigest", "framework") if not isinstance(content.get(key), str)]
    lacking += [] if is_whole(content.get("steps"), 1) else ["steps"]
    lacking += [] if isinstance(content.get("optimizers"), dict) else ["optimizers"]
    return f"It says nothing valid under {', '.join(lacking)}." if lacking else ""


def _trials(folder: Path, complain: Complain) -> list[Trial]:
    trials = []
    for path in (*sorted(folder.glob("*.jsonl")), *sorted(folder.glob(f".*{RUNNING}"))):
        try:
            trials.append(load_trial(path, complain))
        except SourceError as error:
            complain(path, str(error))
    return trials


def _one_comparison(trials: list[Trial], summary: dict[str, Any] | None, complain: Complain) -> list[Trial]:
    """The records that belong together, one for each trial: those of comparison.json, or else the most."""
    if not trials:
        return []
    counts = Counter(trial.settings for trial in trials)
    wanted = settings(summary) if summary else counts.most_common(1)[0][0]
    kept: dict[tuple[str, float, int], Trial] = {}
    for trial in sorted(trials, key=_worth):
        key = (trial.optimizer, trial.rate, trial.seed)
        if trial.settings != wanted:
            other = "comparison.json" if summary else "most records here"
            complain(trial.path, f"Its settings are not those of {other}, so it is another comparison's: left out.")
        elif key not in kept:
            kept[key] = trial
        else:
            complain(trial.path, f"{kept[key].path.name} is a record of the same trial; this one is left out.")
    return [trial for trial in trials if kept.get((trial.optimizer, trial.rate, trial.seed)) is trial]


def _worth(trial: Trial) -> tuple[int, str]:
    """Of two records of one trial the one that ended counts, then the one whose name comes first."""
    return {"finished": 0, "diverged": 0, "failed": 1}.get(trial.outcome, 2), trial.path.name


def _by_optimizer(
    trials: Iterable[Trial], search_seed: int | None
) -> tuple[dict[str, list[Trial]], dict[str, list[Trial]]]:
    searched: dict[str, list[Trial]] = {}
    final: dict[str, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: (trial.rate, trial.seed)):
        (searched if trial.seed == search_seed else final).setdefault(trial.optimizer, []).append(trial)
    return searched, final


def _rate(name: str, summary: dict[str, Any] | None, final: list[Trial], searched: list[Trial]) -> float | None:
    """The rate of the final trials: as comparison.json says, or the one that most of them have."""
    described = summary["optimizers"].get(name) if summary else None
    search = described.get("search") if isinstance(described, dict) else None
    best = sensible(search.get("bestLearningRate")) if isinstance(search, dict) else None
    if best is not None or not final:
        return best
    losses = {trial.rate: trial.loss_at(100) for trial in searched}
    counts = Counter(trial.rate for trial in final)
    return min(counts, key=lambda rate: (-counts[rate], losses.get(rate) or float("inf"), rate))


def _target(summary: dict[str, Any] | None) -> Target | None:
    target = (summary or {}).get("target")
    if not isinstance(target, dict) or sensible(target.get("percent")) is None:
        return None
    return Target(float(target["percent"]), sensible(target.get("loss")), sensible((summary or {}).get("baselineLoss")))


def _confidence(summary: dict[str, Any] | None) -> float:
    confidence = number((summary or {}).get("confidence"))
    return confidence if confidence and 0 < confidence < 1 else 0.95


def _compare(folder: Path, name: str, standing: Standing, trials: Iterable[Trial], complain: Complain) -> None:
    """comparison.json may be older than the records beside it."""
    losses = {seed.seed: seed.losses.get(100.0) for seed in standing.seeds}
    differ = [t.path.name for t in trials if t.outcome == "finished" and losses.get(t.seed) != t.loss_at(100)]
    if differ:
        reason = f"Its final losses of {name} are not those of the records ({shortened(', '.join(differ))}); both are"
        complain(folder / "comparison.json", f"{reason} shown. `python -m bench compare` writes it anew.")


def _words(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else shortened(str(error))
