"""The oracle's answer to a case of a baseline: parameters after each step, and the tolerance that chance shows.

What a baseline keeps between steps differs from library to library in form, order, sign and rotation; what it makes of
the parameters does not. So the vectors state parameters alone.
"""

import random
from collections.abc import Iterator
from typing import Any

from mpmath import mpf

from suite.cases.model import Case
from suite.expect import Bound, rounded, writer
from suite.reference import baselines
from suite.reference.baselines.arithmetic import Arithmetic, IllConditionedError
from suite.reference.formats import STORED

#: Noisy runs of each case.
_RUNS = 6
#: The tolerance is this many times the largest error of those: an implementation may order operations less fortunately
#: than chance did, and errors of one sign add up.
_SAFETY = 4
#: Most that noise may change, relative to how far the tensor's parameters move at most: more is a decision that turned.
_MOST = mpf(2) ** -7


def test_of(case: Case, optimizer: str, dtype: str) -> dict[str, Any]:
    """Everything of a test but its number.

    Raises:
        ValueError: Rounding decides the result of the case.
    """
    stored = STORED[dtype]
    write = writer(dtype)
    shapes = [tensor.shape for tensor in case.params]
    params = [rounded(tensor, stored) for tensor in case.params]
    gradients = [[None if g is None else rounded(g, stored) for g in step] for step in case.gradients]
    inputs = [
        {name: [None if x is None else rounded(x, stored) for x in tensors] for name, tensors in step.items()}
        for step in case.inputs or [{}] * len(gradients)
    ]
    arguments = (case, optimizer, params, gradients, inputs)
    try:
        exact = list(_run(*arguments, Arithmetic(stored)))
    except IllConditionedError as error:
        raise ValueError(f"case {case.id!r} ({dtype}): {error}. Change the data.") from error
    bound = Bound()
    noise = random.Random(f"{optimizer} {case.id} {dtype}")
    before = [list(map(mpf, tensor)) for tensor in params]
    travelled = [mpf(0)] * len(params)
    noisy = [list(_run(*arguments, Arithmetic(stored, noise))) for _ in range(_RUNS)]
    for number, tensors in enumerate(exact):
        for index, tensor in enumerate(tensors):
            moves = [abs(x - old) for x, old in zip(tensor, before[index], strict=True)]
            travelled[index] = max([travelled[index], *moves])
            for element, x in enumerate(tensor):
                changed = max(abs(run[number][index][element] - x) for run in noisy)
                if changed > _MOST * travelled[index] + 4 * stored.spacing(x):
                    raise ValueError(
                        f"case {case.id!r} ({dtype}), step {number + 1}: rounding decides tensor {index}. Change the "
                        "data."
                    )
                bound.cover(x, _SAFETY * changed, stored)
        before = tensors
    steps = []
    for number, tensors in enumerate(exact):
        step: dict[str, Any] = {"gradients": _optional(write, shapes, gradients[number])}
        for name, values in inputs[number].items():
            step[name] = _optional(write, shapes, values)
        if case.lrs:
            step["lr"] = case.lrs[number]
        step["expected"] = {"params": write(shapes, [[float(x) for x in tensor] for tensor in tensors])}
        steps.append(step)
    return {
        "id": case.id,
        "comment": case.comment,
        "flags": list(case.flags),
        "tolerance": {"params": bound.as_json()},
        "initial": {"params": write(shapes, params), "step": 0},
        "steps": steps,
        "result": "valid",
    }


def _run(
    case: Case,
    optimizer: str,
    params: list[list[float]],
    gradients: list[list[list[float] | None]],
    inputs: list[dict[str, list[list[float] | None]]],
    arithmetic: Arithmetic,
) -> Iterator[list[list[mpf]]]:
    """The tensors after each step."""
    rule = baselines.rule(optimizer)
    given = {**rule.DEFAULTS, **case.hyperparameters}
    tensors = [list(map(mpf, tensor)) for tensor in params]
    of_tensor = getattr(rule, "of_tensor", lambda hyperparameters, _: hyperparameters)
    settings = [of_tensor(given, index) for index in range(len(tensors))]
    states = [
        rule.begin(tensor, given_shape.shape, own)
        for tensor, given_shape, own in zip(tensors, case.params, settings, strict=True)
    ]
    for number, step_gradients in enumerate(gradients):
        lr = mpf(case.lrs[number] if case.lrs else given["lr"])
        for index, gradient in enumerate(step_gradients):
            if gradient is None:
                continue
            others = {
                name: None if values[index] is None else list(map(mpf, values[index] or ()))
                for name, values in inputs[number].items()
            }
            moved = rule.step(
                tensors[index],
                list(map(mpf, gradient)),
                states[index],
                number + 1,
                lr,
                settings[index],
                case.params[index].shape,
                arithmetic,
                **others,
            )
            tensors[index] = arithmetic.store(moved)
        yield [list(tensor) for tensor in tensors]


def _optional(write: Any, shapes: list[tuple[int, ...]], tensors: list[list[float] | None]) -> list[Any]:
    return [None if x is None else write([shape], [x])[0] for shape, x in zip(shapes, tensors, strict=True)]
