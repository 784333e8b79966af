"""A process that times the optimizer step of one version of the code, block by block, when it is told to.

`bench.changes.processes` starts two of them, with two versions of ``alphaadam`` in their paths. One line of JSON
on standard input is a request, one on standard output its answer:

- ``{"build": [optimizer, shapes]}``: makes the step and warms it up; the answer holds the seconds of one more step;
- ``{"steps": n}``: takes n steps, each on gradients of its own; the answer holds the seconds of each.

Whatever goes wrong is answered by ``{"error": traceback}``.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

WARMUP_STEPS = 4
"""The first makes state and compiles, the second sees a filled first moment, the others settle the caches."""


def main(arguments: list[str]) -> int:
    """Serves requests until standard input ends.

    Args:
        arguments: The framework, the folder that ``alphaadam`` must come from, and the core to stay on.
    """
    framework, code, core = arguments
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a framework prints must not be taken for an answer
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core)})
    serve(sys.stdin, answers, lambda: _load(framework, Path(code)))
    return 0


def serve(requests: TextIO, answers: TextIO, load: Callable[[], Any]) -> None:
    """Answers each request.

    Args:
        requests: A request in each line.
        answers: Gets an answer in each line.
        load: Imports the framework's module of ``bench.frameworks``, at the first request.
    """
    state: dict[str, Any] = {}
    for line in requests:
        try:
            answer: dict[str, Any] = {"seconds": _seconds(json.loads(line), state, load)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _seconds(request: dict[str, Any], state: dict[str, Any], load: Callable[[], Any]) -> list[float]:
    if "steps" in request:
        return state["run"](request["steps"])
    state.pop("run", None)  # frees what the last case took
    if "module" not in state:
        state["module"] = load()
        gc.freeze()  # else each of the collections below would go through a whole framework
    run = state["run"] = _builder(state["module"], *request["build"])
    run(WARMUP_STEPS)
    gc.collect()
    gc.disable()  # a collection in the middle of a step would be taken for the step's time
    return run(1)


def _load(framework: str, code: Path) -> Any:
    import alphaadam
    from bench.names import load_framework

    found = Path(alphaadam.__file__).resolve().parents[1]
    if found != code.resolve():
        raise RuntimeError(f"alphaadam was imported from {found} instead of {code}")
    return load_framework(framework)


def _builder(module: Any, optimizer: str, shapes: str) -> Callable[[int], list[float]]:
    from bench.paired import LEARNING_RATE, Gradients, shapes_of, wall_seconds
    from bench.tasks import Hyperparameters

    gradients = Gradients(shapes_of(shapes))
    step = module.OptimizerStep(optimizer, gradients.draw(), LEARNING_RATE, Hyperparameters())

    def run(steps: int) -> list[float]:
        seconds = []
        for _ in range(steps):
            step.take(module.OptimizerStep.gradients(gradients.draw()))
            seconds.append(wall_seconds(step.run))
        return seconds

    return run


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
