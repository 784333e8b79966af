"""Result files as asv and the conformance suite write them, with values that every test can recompute."""

import datetime
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asv import util
from asv.results import Results
from asv.runner import BenchmarkResult
from playwright.sync_api import Browser

from tests.reports.browser import Visit, address, launch, visit

COMMIT = "1234567890abcdef1234567890abcdef12345678"
OPTIMIZERS = ["alphaadam", "adamw", "cautious-adamw"]
SHAPES = ["gpt2-nano", "gpt2-small"]
BENCHMARKS: dict[str, tuple[dict[str, list], str]] = {
    "convergence.Convergence.track_validation_loss": (
        {"optimizer": OPTIMIZERS, "budget_percent": [20, 40, 60, 100]},
        "nats/byte",
    ),
    "convergence.TrainingLoss.track_training_loss": (
        {"optimizer": OPTIMIZERS, "step": [1, 2, 10, 49, 50, 60, 100]},
        "nats/byte",
    ),
    "throughput.OptimizerStep.track_step_seconds": ({"optimizer": OPTIMIZERS, "shapes": SHAPES}, "seconds"),
    "throughput.OptimizerStep.track_ratio_to_adamw": ({"optimizer": OPTIMIZERS, "shapes": SHAPES}, "ratio"),
    "memory.OptimizerState.track_state_bytes": ({"optimizer": OPTIMIZERS, "shapes": SHAPES}, "bytes"),
}


def value(benchmark: str, framework: str, parameters: tuple) -> float:
    """A value for one combination that no other combination has, except that AdamW's ratio is 1."""
    optimizer, other = parameters
    position = ("torch", "jax", "keras").index(framework)
    ratio = {"alphaadam": 1.5, "adamw": 1.0, "cautious-adamw": 1.25}[optimizer]
    if "loss" in benchmark:
        return 2 + 3 / (1 + other) + 0.01 * ratio + 1e-6 * position * other
    if "ratio" in benchmark:
        return 1.0 if optimizer == "adamw" else ratio + 0.1 * position + 0.001 * SHAPES.index(other)
    size = {"gpt2-nano": 1e-3, "gpt2-small": 1e-1}[other]
    if "seconds" in benchmark:
        return size * (ratio + 0.1 * position)
    return round(size * 1e10) + 8 * position + (4 if optimizer == "cautious-adamw" else 0)


class AsvFolder:
    """Builds asv's results folder with asv's own classes."""

    def __init__(self, root: Path):
        self.root = root

    def describe(self, without: str | None = None, versions: dict[str, str] | None = None) -> None:
        """Writes benchmarks.json, in which every benchmark is of version 1 unless `versions` says otherwise."""
        described = {
            name: _description(name, (versions or {}).get(name, "1")) for name in BENCHMARKS if name != without
        }
        util.write_json(str(self.root / "benchmarks.json"), described, 2)

    def measure(
        self,
        framework: str | None,
        change: Callable[[str, tuple, float], Any] = lambda benchmark, parameters, recorded: recorded,
        commit: str = COMMIT,
        day: int = 1,
        machine: str = "box",
        environment: str = "py3.11",
        without: str | None = None,
    ) -> Path:
        """Writes one result file: a commit of 2026-05-`day`, measured one hour later."""
        machine_info = {
            "machine": machine,
            "cpu": "A <b>fast</b> one",
            "num_cpu": "2",
            "ram": "1000",
            "os": "Linux",
            "arch": "x",
        }
        util.write_json(str(self.root / machine / "machine.json"), machine_info, 1)
        committed = datetime.datetime(2026, 5, day, tzinfo=datetime.UTC)
        variables = {"BENCH_FRAMEWORK": framework} if framework else {}
        params = {**machine_info, "python": "3.11", "pip+numpy": "2.4.6"}
        results = Results(
            params,
            {"pip+numpy": "2.4.6"},
            commit,
            int(committed.timestamp() * 1000),
            "3.11",
            f"{environment}-{framework}",
            variables,
        )
        for name, (parameters, _) in BENCHMARKS.items():
            if name == without:
                continue
            values = [
                change(name, combination, value(name, framework or "torch", combination))
                for combination in itertools.product(*parameters.values())
            ]
            nothing = [None] * len(values)
            outcome = BenchmarkResult(values, nothing, nothing, 0, "", None)
            results.add_result(_description(name, "1"), outcome, started_at=committed + datetime.timedelta(hours=1))
        results.save(str(self.root))
        return next(self.root.glob(f"{machine}/{commit[:8]}-{environment}-{framework}.json"))


def _description(name: str, version: str) -> dict:
    parameters, unit = BENCHMARKS[name]
    return {
        "name": name,
        "param_names": list(parameters),
        "params": [[repr(item) for item in values] for values in parameters.values()],
        "unit": unit,
        "version": version,
        "type": "track",
        "code": "",
    }


@pytest.fixture
def recorded() -> Callable[[str, str, tuple], float]:
    """The value that the folders below hold: `recorded(benchmark, framework, parameters)`."""
    return value


@pytest.fixture
def asv_folder(tmp_path: Path) -> AsvFolder:
    """An asv folder with benchmarks.json and no results yet."""
    folder = AsvFolder(tmp_path / "asv")
    folder.describe()
    return folder


@pytest.fixture
def full_folder(asv_folder: AsvFolder) -> AsvFolder:
    """An asv folder in which every framework has every value."""
    for framework in ("torch", "jax", "keras"):
        asv_folder.measure(framework)
    return asv_folder


@pytest.fixture
def conformance_data() -> dict:
    """Conformance results in which every case passes in two adapters."""
    adapters = ["torch", "keras-jax"]
    kinds = [
        ("mask.json", "SingleStep", "float32"),
        ("mask.json", "SingleStep", "float64"),
        ("names.json", "Invalid", None),
    ]
    results = [
        {
            "file": file,
            "optimizer": "AlphaAdam",
            "id": f"case-{number}",
            "type": kind,
            "dtype": dtype,
            "adapter": adapter,
            "outcome": "pass",
            "message": "",
            "largestUlp": {"params": 0.5 * number, "m": 0.25} if dtype else {},
            "largestRelative": 0.0,
            "notReported": [],
            "firstDifference": None,
            "deviation": None,
        }
        for file, kind, dtype in kinds
        for number in range(3)
        for adapter in adapters
    ]
    versions = {"alphaadam": "0.1.0", "some-library": "9.8.7"}
    sizes = {"mask.json": 6, "names.json": 3}
    return {
        "schema": "alphaadam-conformance-3",
        "created": "2026-05-01T10:00:00+00:00",
        "commit": COMMIT,
        "suite": {
            "specVersion": "0.1",
            "files": [
                {"name": name, "sha256": "ab" * 32, "optimizer": "AlphaAdam", "numberOfTests": size}
                for name, size in sizes.items()
            ],
            "unusable": [],
        },
        "selection": {"only": "*", "flag": None, "failFast": False},
        "machine": {"python": "3.11.7", "platform": "Linux", "processor": "x86_64"},
        "adapters": [{"name": name, "versions": versions, "optimizers": ["AlphaAdam"]} for name in adapters],
        "results": results,
    }


@pytest.fixture
def conformance_file(tmp_path: Path) -> Callable[[dict], Path]:
    """Writes conformance results and gives their path."""

    def write(data: dict) -> Path:
        path = tmp_path / "conformance.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Chromium or Chrome; skips where there is none, and fails instead where CI is set."""
    yield from launch()


@pytest.fixture
def open_report(chromium: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens a report from its file: `open_report(path, "anchor&key=value", **options of Playwright's contexts)`."""
    contexts = []

    def open_page(path: Path, state: str = "", **options: Any) -> Visit:
        contexts.append(chromium.new_context(**options))
        return visit(contexts[-1], address(path, state))

    yield open_page
    for context in contexts:
        context.close()
