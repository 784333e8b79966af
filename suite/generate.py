"""Vector files from cases: the oracle answers every case, and the answer is written canonically."""

import importlib
import itertools
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import mpmath

from suite import SPEC_VERSION, canonical, expect, expect_baseline
from suite.cases.model import DEFAULTS, Case, InvalidCase
from suite.files import replace_text
from suite.load import VECTORS
from suite.reference.baselines import BASELINES
from suite.reference.formats import STORED

#: File name -> module of cases.
TOPICS = {
    "single-step.json": "suite.cases.single_step",
    "mask.json": "suite.cases.mask",
    "extremes.json": "suite.cases.extremes",
    "trajectory.json": "suite.cases.trajectory",
    "adamw.json": "suite.cases.adamw",
    "cautious-adamw.json": "suite.cases.cautious_adamw",
    "alpha-mask-sgd.json": "suite.cases.alpha_mask_sgd",
    "alpha-mask-lion.json": "suite.cases.alpha_mask_lion",
    "hyperparameters.json": "suite.cases.hyperparameters",
    **{f"{name.replace('_', '-')}.json": f"suite.cases.baselines.{name}" for name in BASELINES.values()},
}


def documents() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every vector file; as many are made at a time as there are processors."""
    # Spawned: a process that has frameworks' threads must not be forked.
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from zip(TOPICS, pool.map(text_of, TOPICS.values()), strict=True)


def text_of(module: str) -> str:
    """The text of the vector file of a module of cases."""
    return canonical.dumps(_document(importlib.import_module(module)))


def write() -> list[str]:
    """Write every vector file and return the names of those that changed."""
    changed = []
    for name, text in documents():
        path = VECTORS / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        replace_text(path, text)
        changed.append(name)
    return changed


def differing() -> list[str]:
    """Return the names of files under vectors/ that are not byte-identical to what the oracle says now."""
    expected = dict(documents())
    found = {path.name: path.read_bytes() for path in VECTORS.glob("*.json")}
    return sorted(
        name for name in expected.keys() | found.keys() if expected.get(name, "").encode() != found.get(name, b"")
    )


def _document(topic: Any) -> dict[str, Any]:
    groups: dict[str, dict[str, Any]] = {}
    for group, test in _tests(topic):
        key = canonical.dumps(group)
        groups.setdefault(key, {**group, "tests": []})["tests"].append(test)
    numbers = itertools.count(1)
    for group in groups.values():
        group["tests"] = [{"tcId": next(numbers), **test} for test in group["tests"]]
    return {
        "schema": "../schema/vectors.schema.json",
        "optimizer": topic.OPTIMIZER,
        "specVersion": SPEC_VERSION,
        "source": {"name": "suite/generate.py", "version": SPEC_VERSION, "precision": mpmath.mp.prec},
        "numberOfTests": sum(len(group["tests"]) for group in groups.values()),
        "header": topic.HEADER,
        "notes": topic.NOTES,
        "groups": list(groups.values()),
    }


def _tests(topic: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (group without tests, test), dtype by dtype."""
    cases = list(topic.cases())
    oracle = expect_baseline if topic.OPTIMIZER in BASELINES else expect
    for case in cases:
        if isinstance(case, InvalidCase):
            yield {"type": "InvalidHyperparameters"}, _invalid_test(case, topic.OPTIMIZER)
    for dtype in STORED:
        for case in cases:
            if isinstance(case, Case) and dtype in case.dtypes:
                yield _group(case, topic.OPTIMIZER, dtype), oracle.test_of(case, topic.OPTIMIZER, dtype)


def _hyperparameters(case: Case | InvalidCase, optimizer: str) -> dict[str, Any]:
    return {**DEFAULTS[optimizer], **case.hyperparameters}


def _invalid_test(case: InvalidCase, optimizer: str) -> dict[str, Any]:
    return {
        "id": case.id,
        "comment": case.comment,
        "flags": [],
        "hyperparameters": _hyperparameters(case, optimizer),
        "result": "invalid",
    }


def _group(case: Case, optimizer: str, dtype: str) -> dict[str, Any]:
    return {
        "type": "SingleStep" if len(case.gradients) == 1 else "Trajectory",
        "dtype": dtype,
        "hyperparameters": _hyperparameters(case, optimizer),
    }
