"""Checking one implementation against vector files: every test becomes an outcome that says what was seen."""

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from suite import canonical
from suite.adapters import Adapter, Observation
from suite.compare import difference
from suite.load import VectorFile, decode

#: In the order in which an error spreads, so that the first difference named is nearest to its cause.
QUANTITIES = ("m", "v", "alpha", "params")


@dataclass
class Outcome:
    """What came of one test with one adapter.

    Attributes:
        file: Name of the vector file.
        id: Id of the test.
        type: Type of its group.
        dtype: Dtype of its group, None for hyperparameters.
        outcome: pass, fail or error.
        message: The first difference, or the traceback; empty for a pass.
        largestUlp: Largest distance seen per quantity, up to the first failing step.
        notReported: Quantities that the adapter cannot observe; a pass says nothing of them.
    """

    file: str
    id: str
    type: str
    dtype: str | None
    outcome: str
    message: str = ""
    largestUlp: dict[str, float] = field(default_factory=dict)
    notReported: list[str] = field(default_factory=list)

    def as_json(self, adapter: str) -> dict[str, Any]:
        """The outcome as the results file holds it."""
        ulps = {name: canonical.encode_number(ulp) for name, ulp in self.largestUlp.items()}
        return {**asdict(self), "largestUlp": ulps, "adapter": adapter}


def check(adapter: Adapter, files: Sequence[VectorFile]) -> Iterator[Outcome]:
    """Run every test of ``files`` against ``adapter``."""
    for file in files:
        for group in file.document["groups"]:
            for test in group["tests"]:
                yield _guarded(file.name, group, test, adapter)


def _guarded(file: str, group: dict[str, Any], test: dict[str, Any], adapter: Adapter) -> Outcome:
    outcome = Outcome(file, test["id"], group["type"], group.get("dtype"), "pass")
    run = _run_invalid if group["type"] == "InvalidHyperparameters" else _run_steps
    try:
        run(group, test, adapter, outcome)
    except Exception:
        outcome.outcome, outcome.message = "error", traceback.format_exc()
    return outcome


def _run_invalid(group: dict[str, Any], test: dict[str, Any], adapter: Adapter, outcome: Outcome) -> None:
    try:
        adapter.construct(_hyperparameters(test))
    except (TypeError, ValueError):
        return
    outcome.outcome, outcome.message = "fail", f"accepted, though {test['comment']}"


def _run_steps(group: dict[str, Any], test: dict[str, Any], adapter: Adapter, outcome: Outcome) -> None:
    dtype, initial = group["dtype"], test["initial"]

    def arrays(tensors: list[Any]) -> list[Any]:
        return [None if tensor is None else decode(tensor, dtype) for tensor in tensors]

    state = initial.get("state")
    adapter.construct(_hyperparameters(group))
    adapter.load(
        dtype,
        arrays(initial["params"]),
        arrays(state["m"]) if state else None,
        arrays(state["v"]) if state else None,
        initial["step"],
    )
    for number, step in enumerate(test["steps"], start=1):
        seen = adapter.step(arrays(step["gradients"]), step.get("lr", group["hyperparameters"]["lr"]))
        message = _compare(seen, step["expected"], dtype, group["tolerance"], outcome)
        if message:
            outcome.outcome, outcome.message = "fail", f"step {number} of {len(test['steps'])}: {message}"
            return


def _compare(
    seen: Observation, expected: dict[str, Any], dtype: str, tolerance: dict[str, Any], outcome: Outcome
) -> str | None:
    """Compare one step; return the first difference beyond tolerance, the mask's before all others."""
    outcome.notReported = [name for name in ("mask", *QUANTITIES) if getattr(seen, name) is None]
    if seen.mask is not None:
        for index, (actual, wanted) in enumerate(zip(seen.mask, expected["mask"], strict=True)):
            problem = _compare_mask(np.asarray(actual), decode(wanted, "bool"))
            if problem:
                return f"mask[{index}] {problem}"
    first = None
    for name in QUANTITIES:
        if getattr(seen, name) is None:
            continue
        bound = tolerance[name]
        for index, (actual, wanted) in enumerate(
            zip(getattr(seen, name), _expected(expected, name, dtype), strict=True)
        ):
            actual = np.asarray(actual)
            if name == "alpha":
                actual = actual.astype(dtype)
            if actual.shape != wanted.shape or actual.dtype != wanted.dtype:
                return (
                    f"{name}[{index}] is {actual.dtype} of shape {actual.shape}, expected {wanted.dtype} of shape "
                    f"{wanted.shape}"
                )
            found = difference(actual, wanted, bound["absolute"])
            outcome.largestUlp[name] = max(found.ulp, outcome.largestUlp.get(name, 0.0))
            if found.ulp > bound["ulp"] and first is None:
                first = (
                    f"{name}[{index}] differs by {found.ulp:.3g} ulp (tolerance {bound['ulp']}) at element "
                    f"{list(found.index)}: expected {found.expected!r}, found {found.actual!r}"
                )
    return first


def _expected(expected: dict[str, Any], name: str, dtype: str) -> list[np.ndarray]:
    if name == "alpha":
        return [np.array(canonical.decode_number(x), dtype=dtype) for x in expected["alpha"]]
    return [decode(tensor, dtype) for tensor in expected[name]]


def _compare_mask(actual: np.ndarray, wanted: np.ndarray) -> str | None:
    if actual.shape != wanted.shape:
        return f"has shape {actual.shape}, expected {wanted.shape}"
    wrong = np.argwhere(actual != wanted)
    if len(wrong) == 0:
        return None
    where: list[int] = wrong[0].tolist()
    return (
        f"differs in {len(wrong)} of {wanted.size} elements, first at element {where}: expected "
        f"{int(wanted[tuple(where)])}, found {int(actual[tuple(where)])}"
    )


def _hyperparameters(holder: dict[str, Any]) -> dict[str, Any]:
    return {name: canonical.decode_number(value) for name, value in holder["hyperparameters"].items()}
