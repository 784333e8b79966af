"""The file of a framework's costs, filled by one process for each optimizer."""

from __future__ import annotations

import datetime
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.machine import threads_environment
from bench.names import COMPARED
from bench.paired import BASELINE
from bench.records import read_json, write_json
from bench.tasks import Task, parameter_shapes

SCHEMA = "alphaadam-costs-1"
LIMIT = 1800.0
"""Seconds after which the process of an optimizer is ended."""
TAIL = 600
"""Characters of a dead process's last words that are kept."""


class Costs:
    """A result file: "schema", "framework", "task", "parameters", "baseline", "environments", and "optimizers".

    Of an optimizer it says "takes", "settings" and "source" as a trial's record does; "stateBytes" and
    "stateBytesPerParameter"; "seconds" of a step and "baselineSeconds" of AdamW's, medians; "ratio", the quartiles
    "lower", "median" and "upper" of the quotients; the number of "rounds"; "amortisedOver", the number of steps that a
    figure is the mean of; "date" and "environment", the place in the list of environments. Or it says the "reason" why
    it was not measured.

    Args:
        path: The file. It need not be there yet.
        framework: What is measured.
        task: The task whose model's tensors are stepped on.

    Raises:
        ValueError: The file is not of this framework and task.
    """

    def __init__(self, path: Path, framework: str, task: Task) -> None:
        self.path = path
        shapes = parameter_shapes(task.model)
        self.content: dict[str, Any] = {
            "schema": SCHEMA,
            "framework": framework,
            "task": task.name,
            "parameters": sum(map(math.prod, shapes.values())),
            "baseline": BASELINE,
            "environments": [],
            "optimizers": {},
        }
        if path.exists():
            found = load(path)
            for key in ("framework", "task", "parameters"):
                if found[key] != self.content[key]:
                    raise ValueError(
                        f"{path} is of the {key} {found[key]}, not {self.content[key]}; give another --output"
                    )
            self.content = found

    def measured(self, optimizer: str) -> bool:
        """Whether there are figures of an optimizer."""
        return "ratio" in self.content["optimizers"].get(optimizer, {})

    def environment(self, optimizer: str) -> dict[str, Any]:
        """What an optimizer was measured with."""
        return self.content["environments"][self.content["optimizers"][optimizer]["environment"]]

    def put(self, optimizer: str, answer: Mapping[str, Any]) -> None:
        """Keeps what `bench.costs.measure` answered in the place of an earlier answer, and writes the file."""
        entry = {"date": datetime.date.today().isoformat()}
        entry |= {"reason": answer["reason"]} if "reason" in answer else answer["measured"]
        entries = {**self.content["optimizers"], optimizer: entry}
        used = {name: self.environment(name) for name in entries if name != optimizer and self.measured(name)}
        if "environment" in answer:
            used[optimizer] = answer["environment"]
        environments: list[dict[str, Any]] = []
        for name, environment in used.items():  # numbered anew, so that none is kept that nothing was measured with
            if environment not in environments:
                environments.append(environment)
            entries[name] = {**entries[name], "environment": environments.index(environment)}
        known = [name for name in COMPARED if name in entries]
        self.content = {
            **self.content,
            "environments": environments,
            "optimizers": {name: entries[name] for name in [*known, *sorted(entries.keys() - {*known})]},
        }
        write_json(self.path, self.content)


def load(path: Path) -> dict[str, Any]:
    """Reads a result file.

    Raises:
        ValueError: It is none.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ValueError(f"{path} is no result of `python -m bench costs` (schema {SCHEMA!r})")
    return content


def in_process(framework: str, optimizer: str, task: str, seconds: float, threads: int | None) -> dict[str, Any]:
    """What a process of `bench.costs.measure` answers, or the reason why it gave no answer."""
    command = [sys.executable, "-m", "bench.costs.measure", framework, optimizer, task, str(seconds)]
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    try:
        done = subprocess.run(
            [*command, str(threads or 0)],
            # Keras brings LAPACK's library, whose threads are made when it is imported, before their number is set.
            env={**os.environ, **(threads_environment(threads) if threads else {}), "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        return {"reason": f"it was not done after {LIMIT / 60:.0f} minutes"}
    if done.returncode:
        words = done.stderr[-TAIL:].strip() or "without a word"
        return {"reason": f"its process ended with exit code {done.returncode}: {' '.join(words.split())}"}
    return json.loads(done.stdout.splitlines()[-1])


def fill(
    costs: Costs,
    optimizers: Sequence[str],
    measure: Callable[[str], dict[str, Any]],
    again: bool = False,
    show: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> list[str]:
    """Measures the optimizers that have no figures yet, or all.

    Args:
        costs: Where each is kept as soon as it is done.
        optimizers: Their names.
        measure: Measures one.
        again: Whether those that have figures are measured too.
        show: Takes lines about the progress.

    Returns:
        Those that have none in the end.
    """
    left = [name for name in optimizers if again or not costs.measured(name)]
    if len(left) < len(optimizers):
        show(f"{len(optimizers) - len(left)} of {len(optimizers)} are in {costs.path} already; --again measures anew")
    for number, name in enumerate(left, 1):
        costs.put(name, measure(name))
        show(
            f"[{number}/{len(left)}] {costs.content['framework']} {name}: {_outcome(costs.content['optimizers'][name])}"
        )
    return [name for name in optimizers if not costs.measured(name)]


def _outcome(entry: Mapping[str, Any]) -> str:
    if "reason" in entry:
        return f"not measured: {entry['reason']}"
    ratio = entry["ratio"]
    over = f", over {entry['amortisedOver']} steps" if entry["amortisedOver"] > 1 else ""
    return (
        f"{ratio['median']:.3f} of AdamW's time ({ratio['lower']:.3f} to {ratio['upper']:.3f}{over}),"
        f" {entry['stateBytesPerParameter']:.2f} bytes a parameter"
    )


def table(content: Mapping[str, Any]) -> str:
    """A result as Markdown."""
    lines = [
        f"{content['task']}, {content['framework']}: {content['parameters']:,} parameters in float32.",
        "",
        "| optimizer | takes | from | state bytes per parameter | step time to AdamW's | mean of steps |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    missing = []
    for name, entry in content["optimizers"].items():
        if "reason" in entry:
            missing.append(f"- {name}: {entry['reason']}")
            continue
        ratio, source = entry["ratio"], entry["source"]
        lines.append(
            f"| {name} | {entry['takes']['rule']} | {source['library']} {source['version']} |"
            f" {entry['stateBytesPerParameter']:.2f} |"
            f" {ratio['median']:.2f} ({ratio['lower']:.2f} to {ratio['upper']:.2f}) | {entry['amortisedOver']} |"
        )
    return "\n".join([*lines, *(["", "Not measured:", "", *missing] if missing else []), ""])
