"""Trials on a Ray cluster. Its nodes need Python, Ray and the framework, no common file system and no checkout.

The code travels from here to the nodes, records come back as return values and are written here. Data does not
travel: a task with a folder of data needs it at the same path on every node.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

from bench.compare.pool import TAIL, Ended
from bench.compare.trials import UNFINISHED, Attempt, Trial, line_of
from bench.compare.worker import perform
from bench.machine import threads_environment
from bench.records import write_text


class RayPool:
    """Trials as Ray tasks; Ray places them by cores, GPUs and memory.

    Args:
        folder: Folder of the records, on this machine.
        address: Of the cluster, as `ray.init` takes it.
        example: A trial like those that will be run.
        trial_bytes: Memory that a trial needs.
        jobs: Most trials at a time; None is as many as the cluster holds.

    Raises:
        ModuleNotFoundError: Ray is not installed.
        ConnectionError: There is no cluster at the address.
        RuntimeError: No node of it can hold a trial.
    """

    def __init__(self, folder: Path, address: str, example: Trial, trial_bytes: float, jobs: int | None = None) -> None:
        try:
            import ray
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "--ray needs Ray, which is not installed; run `python -m pip install -c constraints.txt ray`",
                name="ray",
            ) from error
        import alphaadam
        import bench

        self._ray: Any = ray
        self._folder, self._most = folder, jobs
        self._running: dict[Any, Attempt] = {}
        self._resources = {
            "num_cpus": example.threads,
            "num_gpus": 1 if example.execution.device == "cuda" else 0,
            "memory": int(trial_bytes),
        }
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.WARNING,
            runtime_env={
                "py_modules": [str(Path(str(module.__file__)).parent) for module in (alphaadam, bench)],
                "excludes": ["results/", "__pycache__/"],
                "env_vars": threads_environment(example.threads),
            },
        )
        # Ray would try again by itself, unseen. A process a trial, so that none inherits from another.
        self._remote = self._ray.remote(max_retries=0, max_calls=1, **self._resources)(_record_of)
        if self.jobs() < 1:
            ray.shutdown()
            raise RuntimeError(
                f"no node of the Ray cluster {address} has what a trial needs: {example.threads} CPUs,"
                f" {self._resources['num_gpus']} GPUs, {trial_bytes / 1e9:.1f} GB of memory"
            )

    def jobs(self) -> int:
        """How many trials may run at a time: what the nodes hold now, and not more than was asked for."""
        needs = {"CPU": "num_cpus", "GPU": "num_gpus", "memory": "memory"}
        holds = sum(
            min(
                math.floor(node["Resources"].get(name, 0) / self._resources[need])
                for name, need in needs.items()
                if self._resources[need]
            )
            for node in self._ray.nodes()
            if node["Alive"]
        )
        return holds if self._most is None else min(holds, self._most)

    def has_room(self) -> bool:
        """Whether fewer trials run than the cluster holds."""
        return len(self._running) < max(1, self.jobs())

    def start(self, attempt: Attempt) -> None:
        """Hands an attempt to Ray."""
        self._running[self._remote.remote(attempt)] = attempt

    def wait(self, seconds: float) -> list[Ended]:
        """Waits for one attempt to end; see `bench.compare.pool.Pool.wait`."""
        done, _ = self._ray.wait(list(self._running), num_returns=1, timeout=seconds)
        return [self._end(reference) for reference in done]

    def _end(self, reference: Any) -> Ended:
        attempt = self._running.pop(reference)
        try:
            text = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            words = str(error)[-TAIL:].strip()
            # What it wrote died with it; the header says what was lost.
            lost = line_of(attempt.header({}, {})) + line_of({"kind": "unfinished", "reason": words})
            name = f"{attempt.trial.name}.attempt{len(attempt.earlier) + 1}.jsonl"
            write_text(self._folder / UNFINISHED / name, lost)
            return Ended(attempt, words)
        write_text(attempt.trial.record_path(self._folder), text)
        return Ended(attempt, None)

    def steps(self) -> dict[Trial, int]:
        """The trials that were handed over; how far they are is not known here."""
        return {attempt.trial: 0 for attempt in self._running.values()}

    def close(self, reason: str) -> None:
        """Leaves the cluster, which ends the tasks that still run."""
        self._running.clear()
        self._ray.shutdown()


def _record_of(attempt: Attempt) -> str:
    """Runs on a node: the whole record of a trial."""
    import ray

    lines: list[str] = []
    perform(attempt, lines.append, place={"rayNode": ray.get_runtime_context().get_node_id()})
    return "".join(lines)
