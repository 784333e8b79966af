"""Where a comparison comes from: machines, versions, commits, seeds, and the commands that make it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from reports.names import framework_label
from reports.sources.fields import is_whole, shortened, words
from reports.sources.origin import Origin
from reports.sources.standings import Standing

if TYPE_CHECKING:
    from reports.sources.comparisons import Comparison


def origin(comparison: Comparison) -> Origin:
    """The comparison's entry in the chapter on provenance."""
    summary = comparison.summary or {}
    facts = [
        ("folder", _folder(comparison)),
        ("task digest", comparison.task_digest),
        ("steps of a trial", str(comparison.budget)),
        ("seed of the search", _text(comparison.search_seed)),
        ("final seeds", ", ".join(map(str, comparison.final_seeds)) or "none yet"),
        ("threads of a trial", _text(_setting(comparison, "threads"))),
        ("machine", _distinct(comparison, "machine", "machines", _machine)),
        ("versions", _distinct(comparison, "versions", "versions", _versions)),
        ("commit", _distinct(comparison, "code", "code", _commit)),
        ("began", min((_text(header.get("started")) for header in comparison.headers), default="not recorded")),
        ("state", _state(comparison)),
    ]
    failed = summary.get("failedTrials")
    if isinstance(failed, list) and failed:
        facts.append(("failed trials", shortened(", ".join(map(_text, failed)))))
    return Origin(
        f"Comparison of optimizers on {comparison.task}, {framework_label(comparison.framework)}",
        facts,
        f"{_again(comparison)}\npython -m bench compare --table {shlex.quote(_folder(comparison))}",
    )


def _folder(comparison: Comparison) -> str:
    return words(comparison.folder.as_posix())


def _state(comparison: Comparison) -> str:
    aside = f"; {comparison.set_aside} attempts did not end and were tried again" if comparison.set_aside else ""
    return ("ended" if comparison.ended else "not ended: all its figures are provisional") + aside


def _setting(comparison: Comparison, key: str) -> Any:
    headers: Iterable[Mapping[str, Any]] = comparison.headers
    return next((source[key] for source in (comparison.summary or {}, *headers) if key in source), None)


def _distinct(comparison: Comparison, of_header: str, of_summary: str, say: Any) -> str:
    """What the records say, each wording once; without records, what comparison.json says."""
    found = [header.get(of_header) for header in comparison.headers if header.get(of_header)]
    listed = (comparison.summary or {}).get(of_summary)
    if not found and isinstance(listed, list):
        found = listed
    texts = list(dict.fromkeys(say(item) for item in found if isinstance(item, dict) and item))
    return "; ".join(texts) or "not recorded"


def _machine(machine: dict[str, Any]) -> str:
    cores = f"{machine['cores']} cores" if is_whole(machine.get("cores"), 1) else ""
    known = ("name", "system", "processor", "cores", "device")
    rest = [f"{_text(key)} {_text(value)}" for key, value in sorted(machine.items()) if key not in known]
    parts = [*(_text(machine.get(key)) for key in ("name", "system", "processor")), cores]
    return ", ".join([*filter(None, parts), f"device {_text(machine.get('device'))}", *rest])


def _versions(versions: dict[str, Any]) -> str:
    return ", ".join(f"{_text(name)} {_text(version)}" for name, version in sorted(versions.items()))


def _commit(code: dict[str, Any]) -> str:
    if not isinstance(code.get("commit"), str):
        return "not known"
    return _text(code["commit"]) + (" with changes that were not committed" if code.get("dirty") is True else "")


def _text(value: object) -> str:
    if value is None or isinstance(value, dict | list):
        return "not recorded" if value is None else "unreadable"
    return shortened(str(value))


def _again(comparison: Comparison) -> str:
    """The command line; it names the steps and rates as well, so that it stays right if the defaults change."""
    parts = ["python", "-m", "bench", "compare", "--task", comparison.task, "--framework", comparison.framework]
    parts += ["--steps", str(comparison.budget), "--optimizers", ",".join(comparison.standings)]
    for name, standing in comparison.standings.items():
        if grid := first_grid(standing):
            parts += ["--lrs", f"{name}={','.join(map(repr, grid))}"]
    seeds = comparison.final_seeds
    if seeds:
        # One number says how many seeds there are: those that follow the search's.
        following = seeds == tuple(
            range((comparison.search_seed or 0) + 1, (comparison.search_seed or 0) + 1 + len(seeds))
        )
        parts += ["--seeds", str(len(seeds)) if following else ",".join(map(str, seeds))]
    parts += ["--fixed-grids"] if _setting(comparison, "gridsGrow") is False else []
    for option, key in (("--every", "observedEvery"), ("--threads", "threads")):
        if is_whole(value := _setting(comparison, key), 1):
            parts += [option, str(value)]
    parts += ["--directions"] if _setting(comparison, "directions") is True else []
    if isinstance(data := _setting(comparison, "data"), str):
        parts += ["--data", data]
    execution = _setting(comparison, "execution")
    execution = execution if isinstance(execution, dict) else {}
    for option, key, usual in (("--device", "device", "cpu"), ("--parallel", "parallel", "none")):
        if isinstance(value := execution.get(key), str) and value != usual:
            parts += [option, value]
    parts += ["--compile"] if execution.get("compile") is True else []
    if is_whole(value := execution.get("micro_batches"), 2):
        parts += ["--micro-batches", str(value)]
    return shlex.join(parts)


def first_grid(standing: Standing) -> list[float]:
    """The rates that a search began with: it grows at one edge, until the best rate lies next to the last added.

    Where there was no search it is the rate that was given.
    """
    grid = sorted(rate.learning_rate for rate in standing.grid) or [rate for rate in [standing.rate] if rate]
    if not standing.added or standing.added >= len(grid):
        return grid
    grew_below = standing.rate in grid[:2]
    return grid[standing.added :] if grew_below else grid[: -standing.added]
