"""Checking one implementation against vector files: every test becomes an outcome that says what was seen."""

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from suite import canonical
from suite.adapters import Adapter, Observation, UnsupportedError
from suite.compare import Course, difference
from suite.load import INPUTS, VectorFile, decode
from suite.reference.formats import COMPUTED

#: In the order in which an error spreads, so that the first difference named is nearest to its cause.
QUANTITIES = ("m", "v", "alpha", "params")


@dataclass(frozen=True)
class FirstDifference:
    """Where a test first goes wrong.

    Attributes:
        step: Number of the step, from 1.
        steps: How many steps the test has.
        quantity: m, v, alpha, params or mask.
        tensor: Index of the tensor.
        element: Index of the element that differs most, for a mask of the first that differs; None where the tensors
            are of different shapes or dtypes.
        expected: The value expected there, or dtype and shape.
        actual: The value found there, or dtype and shape.
        ulp: The distance; None for a mask and for shapes.
        tolerance: The distance that is allowed, in ulp; None where there is no distance.
        problem: The same in words.
    """

    step: int
    steps: int
    quantity: str
    tensor: int
    element: tuple[int, ...] | None
    expected: float | str
    actual: float | str
    ulp: float | None
    tolerance: float | None
    problem: str

    def as_json(self) -> dict[str, Any]:
        """The difference as the results file holds it; its words are in the outcome's message."""
        numbers = ("expected", "actual", "ulp", "tolerance")
        values = {name: value for name, value in asdict(self).items() if name != "problem"}
        encoded = {name: canonical.encode_number(values[name]) for name in numbers if isinstance(values[name], float)}
        return {**values, **encoded}


@dataclass
class Outcome:
    """What came of one test with one adapter.

    Attributes:
        file: Name of the vector file.
        optimizer: The optimizer that the file speaks of.
        id: Id of the test.
        type: Type of its group.
        dtype: Dtype of its group, None for hyperparameters.
        outcome: pass, fail, error, skipped or expected-deviation.
        message: The first difference, the traceback or the reason; empty for a pass.
        largestUlp: Largest distance seen per quantity, up to the first failing step.
        notReported: Quantities that the adapter cannot observe; a pass says nothing of them.
        largestRelative: Largest distance of a parameter, relative to how far its tensor's parameters were to move at
            most from where they began: over all steps, those after the first that fails among them. None where nothing
            was measured, and where a flag accepts several outcomes.
        firstDifference: Where it first goes wrong, for what fails by a difference.
        deviation: Reason and link of an expected deviation.
    """

    file: str
    optimizer: str
    id: str
    type: str
    dtype: str | None
    outcome: str = "pass"
    message: str = ""
    largestUlp: dict[str, float] = field(default_factory=dict)
    largestRelative: float | None = None
    notReported: list[str] = field(default_factory=list)
    firstDifference: FirstDifference | None = None
    deviation: dict[str, str] | None = None

    def as_json(self, adapter: str) -> dict[str, Any]:
        """The outcome as the results file holds it."""
        ulps = {name: canonical.encode_number(ulp) for name, ulp in self.largestUlp.items()}
        first = self.firstDifference and self.firstDifference.as_json()
        relative = None if self.largestRelative is None else canonical.encode_number(self.largestRelative)
        changed = {"largestUlp": ulps, "largestRelative": relative, "firstDifference": first}
        return {**asdict(self), **changed, "adapter": adapter}


@dataclass(frozen=True)
class VectorTest:
    """One test of a vector file, with what its group and file say of it."""

    file: str
    optimizer: str
    group: dict[str, Any]
    test: dict[str, Any]
    notes: dict[str, Any]

    def outcome(self, outcome: str = "pass", message: str = "") -> Outcome:
        """An outcome of this test."""
        kind, dtype = self.group["type"], self.group.get("dtype")
        return Outcome(self.file, self.optimizer, self.test["id"], kind, dtype, outcome, message)


def all_tests(files: Sequence[VectorFile]) -> Iterator[VectorTest]:
    """Every test of ``files``."""
    for file in files:
        for group in file.document["groups"]:
            for test in group["tests"]:
                yield VectorTest(file.name, file.document["optimizer"], group, test, file.document["notes"])


def check(adapter: Adapter, test: VectorTest) -> Outcome:
    """Run one test against ``adapter``."""
    outcome = test.outcome()
    try:
        if test.group["type"] == "InvalidHyperparameters":
            _run_invalid(test, adapter, outcome)
        else:
            _run_steps(test, adapter, outcome)
    except UnsupportedError as reason:
        return test.outcome("skipped", str(reason))
    except Exception:
        outcome.outcome, outcome.message = "error", traceback.format_exc()
    if outcome.outcome == "fail":
        for flag in test.test["flags"]:
            outcome.message += f"\n{flag}: {test.notes[flag]['effect']}"
    return outcome


def steps(adapter: Adapter, test: VectorTest) -> Iterator[Observation]:
    """Give an adapter what a test starts from, take its steps one by one, and yield what is seen after each.

    Raises:
        UnsupportedError: The implementation does not offer what the test asks for.
    """
    _require(adapter, test)
    dtype, initial = test.group["dtype"], test.test["initial"]
    params = _arrays(initial["params"], dtype)
    joins = initial.get("joins", [1] * len(params))
    known = sum(step == 1 for step in joins)
    state = initial.get("state")
    m, v = (_arrays(state[name], dtype)[:known] if state and name in state else None for name in ("m", "v"))
    adapter.construct(_hyperparameters(test.group))
    adapter.load(dtype, params[:known], m, v, initial["step"])
    for number, step in enumerate(test.test["steps"], start=1):
        late = [parameter for parameter, join in zip(params, joins, strict=True) if join == number > 1]
        if late:
            adapter.add(late)
        present = sum(join <= number for join in joins)
        others = {key: _arrays(step[key], dtype) for key in INPUTS if key in step}
        lr = step.get("lr", test.group["hyperparameters"]["lr"])
        yield adapter.step(_arrays(step["gradients"], dtype)[:present], lr, **others)


def _require(adapter: Adapter, test: VectorTest) -> None:
    for flag in test.test["flags"]:
        if flag in adapter.skips:
            raise UnsupportedError(adapter.skips[flag])


def _run_invalid(test: VectorTest, adapter: Adapter, outcome: Outcome) -> None:
    _require(adapter, test)
    if not getattr(adapter, "validates", True):
        raise UnsupportedError("a library's checks of hyperparameters are its own affair")
    try:
        adapter.construct(_hyperparameters(test.test))
    except (TypeError, ValueError):
        return
    outcome.outcome, outcome.message = "fail", f"accepted, though {test.test['comment']}"


def _run_steps(test: VectorTest, adapter: Adapter, outcome: Outcome) -> None:
    dtype, content = test.group["dtype"], test.test
    course = Course(_arrays(content["initial"]["params"], dtype))
    seen_after = steps(adapter, test)
    for number, step in enumerate(content["steps"], start=1):
        try:
            seen = next(seen_after)
        except Exception:
            if outcome.outcome == "fail":  # what went wrong before says more
                return
            raise
        if content["result"] == "valid":
            outcome.largestRelative = course.relative(seen.params, _arrays(step["expected"]["params"], dtype))
        if outcome.outcome == "fail":
            continue  # only how far it goes is still of interest
        acceptable = [step["expected"], *step.get("acceptable", [])]
        first = _compare_any(acceptable, seen, dtype, content["tolerance"], outcome, (number, len(content["steps"])))
        if first:
            outcome.outcome, outcome.message = "fail", f"step {first.step} of {first.steps}: {first.problem}"
            outcome.firstDifference = first


def _arrays(tensors: list[Any], dtype: str) -> list[Any]:
    return [None if tensor is None else decode(tensor, dtype) for tensor in tensors]


def _compare_any(
    acceptable: list[dict[str, Any]],
    seen: Observation,
    dtype: str,
    tolerance: dict[str, Any],
    outcome: Outcome,
    step: tuple[int, int],
) -> FirstDifference | None:
    """Compare one step with every outcome that is acceptable; return what differs from the first of them."""
    quantities = [name for name in ("mask", *QUANTITIES) if name in acceptable[0]]
    outcome.notReported = [name for name in quantities if getattr(seen, name) is None]
    differences: list[FirstDifference | None] = []
    for expected in acceptable:
        largest = dict(outcome.largestUlp)
        found = _compare(seen, expected, dtype, tolerance, largest, step)
        if found is None or not differences:
            chosen = largest
        differences.append(found)
        if found is None:
            break
    outcome.largestUlp = chosen
    return None if differences[-1] is None else differences[0]


def _compare(
    seen: Observation,
    expected: dict[str, Any],
    dtype: str,
    tolerance: dict[str, Any],
    largest: dict[str, float],
    step: tuple[int, int],
) -> FirstDifference | None:
    """Compare one step; return the first difference beyond tolerance, the mask's before all others."""
    if seen.mask is not None:
        for index, (actual, wanted) in enumerate(zip(seen.mask, expected["mask"], strict=False)):
            problem = wanted and _compare_mask(np.asarray(actual), wanted, step, index)
            if problem:
                return problem
    first = None
    for name in QUANTITIES:
        pairs = zip(getattr(seen, name) or (), expected.get(name, ()), strict=False)
        for index, (actual, wanted) in enumerate(pairs):
            if wanted is None:
                continue
            if name == "alpha":
                is_float64 = COMPUTED[dtype].precision == 53
                wanted = {"shape": [], "data": [wanted]}
                reference = decode(wanted, "float64" if is_float64 else "float32")
                with np.errstate(over="ignore"):
                    actual = np.asarray(actual).astype(reference.dtype)
            else:
                actual, reference = np.asarray(actual), decode(wanted, dtype)
            if actual.shape != reference.shape or actual.dtype != reference.dtype:
                wants, has = (f"{array.dtype} of shape {array.shape}" for array in (reference, actual))
                words = f"{name}[{index}] is {has}, expected {wants}"
                return FirstDifference(*step, name, index, None, wants, has, None, None, words)
            bound = tolerance[name]
            found = difference(actual, reference, bound["absolute"])
            largest[name] = max(found.ulp, largest.get(name, 0.0))
            if found.ulp > bound["ulp"] and first is None:
                words = (
                    f"{name}[{index}] differs by {found.ulp:.3g} ulp (tolerance {bound['ulp']}) at element "
                    f"{list(found.index)}: expected {found.expected!r}, got {found.actual!r}"
                )
                first = FirstDifference(
                    *step, name, index, found.index, found.expected, found.actual, found.ulp, bound["ulp"], words
                )
    return first


def _compare_mask(
    actual: np.ndarray, tensor: dict[str, Any], step: tuple[int, int], index: int
) -> FirstDifference | None:
    shape = tensor["shape"] + ([2] if tensor["data"] and isinstance(tensor["data"][0], list) else [])
    wanted = np.array(tensor["data"], dtype=bool).reshape(shape)
    if actual.shape != wanted.shape:
        wants, has = (f"shape {array.shape}" for array in (wanted, actual))
        words = f"mask[{index}] has {has}, expected {wanted.shape}"
        return FirstDifference(*step, "mask", index, None, wants, has, None, None, words)
    wrong = np.argwhere(actual != wanted)
    if len(wrong) == 0:
        return None
    where = tuple(wrong[0].tolist())
    values = int(wanted[where]), int(actual[where])
    words = (
        f"mask[{index}] differs in {len(wrong)} of {wanted.size} elements, first at element {list(where)}: expected "
        f"{values[0]}, got {values[1]}"
    )
    return FirstDifference(*step, "mask", index, where, *values, None, None, words)


def _hyperparameters(holder: dict[str, Any]) -> dict[str, Any]:
    return {name: canonical.decode_number(value) for name, value in holder["hyperparameters"].items()}
