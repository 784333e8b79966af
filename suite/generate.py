"""Vector files from cases: the oracle answers every case, and the answer is written canonically."""

import importlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import mpmath
from mpmath import mpf

from suite import SPEC_VERSION, canonical
from suite.cases.model import (
    DEFAULTS,
    DTYPES,
    SINGLE_STEP_CONDITIONING,
    TRAJECTORY_CONDITIONING,
    Case,
    InvalidCase,
    Tensor,
)
from suite.reference import alphaadam
from suite.reference.formats import FORMATS, Format

VECTORS = Path(__file__).parent / "vectors"

#: File name -> module of cases.
TOPICS = {
    "single-step.json": "suite.cases.single_step",
    "mask.json": "suite.cases.mask",
    "trajectory.json": "suite.cases.trajectory",
    "hyperparameters.json": "suite.cases.hyperparameters",
}

# Provisional until each is derived from the roundings between inputs and result. A step rounds each quantity a handful
# of times and the data keep cancellation out; 8 ulp hold with room for any order of operations. A trajectory adds up
# its steps' errors, and there a moment may be 1/16 of the terms it is made of, so it also gets an absolute floor: as
# many roundings of a term of size 1 (the largest gradient) as there are steps.
SINGLE_STEP_ULP = 8


def documents() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every vector file."""
    for name, module in TOPICS.items():
        yield name, canonical.dumps(_document(importlib.import_module(module)))


def write() -> list[str]:
    """Write every vector file and return the names of those that changed."""
    changed = []
    for name, text in documents():
        path = VECTORS / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        partial = path.with_suffix(".partial")
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
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
    number = 0
    for group in groups.values():
        for test in group["tests"]:
            number += 1
            test["tcId"] = number
        group["tests"] = [{"tcId": test.pop("tcId"), **test} for test in group["tests"]]
    return {
        "schema": "../schema/vectors.schema.json",
        "optimizer": "AlphaAdam",
        "specVersion": SPEC_VERSION,
        "source": {"name": "suite/generate.py", "version": SPEC_VERSION, "precision": mpmath.mp.prec},
        "numberOfTests": number,
        "header": topic.HEADER,
        "notes": topic.NOTES,
        "groups": list(groups.values()),
    }


def _tests(topic: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (group without tests, test)."""
    shared = list(topic.cases())
    if all(isinstance(case, InvalidCase) for case in shared):
        for case in shared:
            yield {"type": "InvalidHyperparameters"}, _invalid_test(case)
        return
    for dtype in DTYPES:
        own = topic.dtype_cases(dtype) if hasattr(topic, "dtype_cases") else ()
        for case in [*shared, *own]:
            yield _group(case, dtype), _valid_test(case, FORMATS[dtype])


def _hyperparameters(case: Case | InvalidCase) -> dict[str, Any]:
    values = {**DEFAULTS, **case.hyperparameters}
    return {name: canonical.encode_number(x) if isinstance(x, float) else x for name, x in values.items()}


def _invalid_test(case: InvalidCase) -> dict[str, Any]:
    return {
        "id": case.id,
        "comment": case.comment,
        "flags": [],
        "hyperparameters": _hyperparameters(case),
        "result": "invalid",
    }


def _group(case: Case, dtype: str) -> dict[str, Any]:
    steps = len(case.gradients)
    ulp = SINGLE_STEP_ULP * steps
    relative = {"ulp": ulp, "absolute": 0.0}
    floor = 0.0 if steps == 1 else steps * 2.0 ** -(FORMATS[dtype].precision - 1)
    return {
        "type": "SingleStep" if steps == 1 else "Trajectory",
        "dtype": dtype,
        "hyperparameters": _hyperparameters(case),
        "tolerance": {"params": relative, "m": {"ulp": ulp, "absolute": floor}, "v": relative, "alpha": relative},
    }


def _valid_test(case: Case, number_format: Format) -> dict[str, Any]:
    params = [_rounded(tensor, number_format) for tensor in case.params]
    zeros = [[mpf(0)] * len(data) for data in params]
    m = [_rounded(tensor, number_format) for tensor in case.m] if case.m else zeros
    v = [_rounded(tensor, number_format) for tensor in case.v] if case.v else zeros
    shapes = [tensor.shape for tensor in case.params]
    initial: dict[str, Any] = {"params": _tensors(shapes, params)}
    if case.m:
        initial["state"] = {"m": _tensors(shapes, m), "v": _tensors(shapes, v)}
    initial["step"] = case.step

    states = [alphaadam.TensorState(*parts) for parts in zip(params, m, v, strict=True)]
    hyperparameters = {**DEFAULTS, **case.hyperparameters}
    steps = []
    for number, tensors in enumerate(case.gradients):
        gradients = [_rounded(tensor, number_format) for tensor in tensors]
        lr = case.lrs[number] if case.lrs else hyperparameters["lr"]
        results = []
        for index, (state, gradient) in enumerate(zip(states, gradients, strict=True)):
            t = case.step + number + 1
            states[index], result = alphaadam.step(state, gradient, t, mpf(lr), hyperparameters, number_format)
            results.append(result)
        least = TRAJECTORY_CONDITIONING if len(case.gradients) > 1 else SINGLE_STEP_CONDITIONING
        if min(result.conditioning for result in results) < least * (1 - 1e-6):  # the data were rounded to the dtype
            raise ValueError(
                f"case {case.id!r}, step {number}: a new moment is closer to 0 than {least}. Change the data."
            )
        step: dict[str, Any] = {"gradients": _tensors(shapes, gradients)}
        if case.lrs:
            step["lr"] = lr
        step["expected"] = {
            "params": _tensors(shapes, [state.params for state in states]),
            "m": _tensors(shapes, [state.m for state in states]),
            "v": _tensors(shapes, [state.v for state in states]),
            "mask": [
                {"shape": list(shape), "data": result.mask} for shape, result in zip(shapes, results, strict=True)
            ],
            "alpha": [float(number_format.round(result.alpha)) for result in results],
        }
        steps.append(step)
    return {
        "id": case.id,
        "comment": case.comment,
        "flags": list(case.flags),
        "initial": initial,
        "steps": steps,
        "result": "valid",
    }


def _rounded(tensor: Tensor, number_format: Format) -> list[mpf]:
    return [number_format.round(mpf(x)) for x in tensor.data]


def _tensors(shapes: list[tuple[int, ...]], data: Iterable[list[mpf]]) -> list[dict[str, Any]]:
    """Tensors as JSON; every element is a number of the dtype, so the conversion to a double is exact."""
    return [
        {"shape": list(shape), "data": [float(x) for x in elements]}
        for shape, elements in zip(shapes, data, strict=True)
    ]
