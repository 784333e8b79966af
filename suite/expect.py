"""The oracle's answer to a case: expected values per step, and the tolerance that follows from the roundings."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
from mpmath import mpf

from suite.cases.model import DEFAULTS, SINGLE_STEP_CONDITIONING, TRAJECTORY_CONDITIONING, Case, Tensor
from suite.reference import rounding, rule
from suite.reference.directions import TensorState
from suite.reference.formats import COMPUTED, STORED, Format
from suite.reference.optimizers import as_alphaadam, moments

#: Beyond this many ulp an element is the small difference of large numbers: it gets an absolute bound.
_CANCELLED = 64

#: Flags with a second acceptable outcome: what limited formats make of the exact result.
DEPARTURES = ("Subnormal", "SquareOverflow", "NormUnderflow", "SignOfNan", "ZeroRate")


@dataclass
class _Track:
    """One tensor on its way through a case."""

    shape: tuple[int, ...]
    state: TensorState
    errors: rounding.Errors
    joins: int


class Bound:
    """The tolerance of one quantity, grown element by element."""

    def __init__(self) -> None:
        self._ulp, self._absolute = mpf(0), mpf(0)

    def cover(self, expected: mpf, error: mpf, number_format: Format) -> None:
        """Allow ``error`` at an element that was rounded to ``expected``, which is half an ulp in itself."""
        if error == 0 or not mpmath.isfinite(expected) or not mpmath.isfinite(error):
            return
        ulp = number_format.spacing(expected)
        allowed = error + ulp / 2
        if allowed / ulp > _CANCELLED:
            self._absolute = max(self._absolute, allowed)
        else:
            self._ulp = max(self._ulp, allowed / ulp)

    def as_json(self) -> dict[str, float]:
        absolute = float(self._absolute)
        if absolute:
            digits = 10.0 ** (math.floor(math.log10(absolute)) - 1)
            absolute = float(f"{math.ceil(absolute / digits) * digits:.1e}")
        return {"ulp": math.ceil(float(self._ulp) * 10) / 10, "absolute": absolute}


def test_of(case: Case, optimizer: str, dtype: str) -> dict[str, Any]:
    """Everything of a test but its number.

    Raises:
        ValueError: A new moment comes so close to 0 that the result depends on the order of operations, or around
            another optimizer a move is so small beside its parameter that nothing can be read from it.
    """
    stored = STORED[dtype]
    shapes = [tensor.shape for tensor in case.params]
    params = [rounded(tensor, stored) for tensor in case.params]
    zeros = [[0.0] * len(data) for data in params]
    m = [rounded(tensor, stored) for tensor in case.m] if case.m else zeros
    v = [rounded(tensor, stored) for tensor in case.v] if case.v else zeros
    if "v" not in moments(optimizer):
        v = [[] for _ in params]
    gradients = [[None if g is None else rounded(g, stored) for g in step] for step in case.gradients]
    write = writer(dtype)

    initial: dict[str, Any] = {"params": write(shapes, params)}
    if case.m:
        state = {"m": m, "v": v}
        initial["state"] = {name: write(shapes, state[name]) for name in moments(optimizer)}
    initial["step"] = case.step
    if case.joins:
        initial["joins"] = list(case.joins)

    bounds = {name: Bound() for name in (*moments(optimizer), "alpha", "params")}
    answer = list(_answer(case, optimizer, dtype, (params, m, v), gradients, bounds))
    departures = [
        list(_answer(case, optimizer, dtype, (params, m, v), gradients, bounds, flag))
        for flag in case.flags
        if flag in DEPARTURES
    ]
    steps = []
    for number, expected in enumerate(answer):
        step: dict[str, Any] = {
            "gradients": [
                None if g is None else write([shape], [g])[0]
                for shape, g in zip(shapes, gradients[number], strict=True)
            ]
        }
        if case.lrs:
            step["lr"] = case.lrs[number]
        step["expected"] = expected
        acceptable = [departure[number] for departure in departures]
        steps.append({**step, "acceptable": acceptable} if acceptable else step)
    return {
        "id": case.id,
        "comment": case.comment,
        "flags": list(case.flags),
        "tolerance": {name: bound.as_json() for name, bound in bounds.items()},
        "initial": initial,
        "steps": steps,
        "result": "acceptable" if departures else "valid",
    }


def _answer(
    case: Case,
    optimizer: str,
    dtype: str,
    initial: tuple[list[list[float]], ...],
    gradients: list[list[list[float] | None]],
    bounds: dict[str, Bound],
    departure: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Expected values of each step, or with ``departure`` the other outcome that this flag accepts."""
    stored, computed = STORED[dtype], COMPUTED[dtype]

    def read(x: mpf) -> mpf:
        return stored.flush(x) if departure == "Subnormal" else x

    given = {**DEFAULTS[optimizer], **case.hyperparameters}
    hyperparameters = as_alphaadam(optimizer, given)
    write = writer(dtype)
    stored_names = ("params", *moments(optimizer))
    tracks = []
    for index, (tensor, *parts) in enumerate(zip(case.params, *initial, strict=True)):
        state = TensorState(*([read(mpf(x)) for x in part] for part in parts))
        tracks.append(_Track(tensor.shape, state, rounding.none(state), case.joins[index] if case.joins else 1))
    counts = [case.step] * len(tracks)
    shared = case.step
    for number, step_gradients in enumerate(gradients, start=1):
        lr = mpf(case.lrs[number - 1] if case.lrs else given["lr"])
        shared += 1
        masks: list[list[int] | None] = []
        alphas: list[mpf | None] = []
        for index, (track, gradient) in enumerate(zip(tracks, step_gradients, strict=True)):
            if gradient is None:
                masks.append(None)
                alphas.append(None)
                continue
            counts[index] += 1
            t = shared if "SharedStep" in case.flags else counts[index]
            taken = rule.step(
                track.state, [read(mpf(g)) for g in gradient], t, lr, hyperparameters, stored, computed, departure
            )
            _check_conditioning(case, number, taken, stored)
            track.errors = rounding.propagate(track.state, track.errors, taken, lr, hyperparameters, computed, stored)
            track.state = TensorState(
                *([read(x) for x in part] for part in (taken.after.params, taken.after.m, taken.after.v))
            )
            masks.append(taken.mask)
            alphas.append(computed.round(taken.alpha))
            bounds["alpha"].cover(computed.round(taken.alpha), track.errors.alpha, computed)
        for track in tracks:
            for name in stored_names:
                for x, error in zip(getattr(track.state, name), getattr(track.errors, name), strict=True):
                    bounds[name].cover(x, error, stored)
        shapes = [track.shape for track in tracks]
        yield {
            **{
                name: write(shapes, [[float(x) for x in getattr(track.state, name)] for track in tracks])
                for name in stored_names
            },
            "mask": [None if a is None else write([s], [a])[0] for s, a in zip(shapes, masks, strict=True)],
            "alpha": [None if a is None else float(a) for a in alphas],
        }


def _check_conditioning(case: Case, number: int, step: rule.Step, stored: Format) -> None:
    if case.ill_conditioned:
        return
    least = SINGLE_STEP_CONDITIONING if len(case.gradients) == 1 else TRAJECTORY_CONDITIONING
    slack = 1 - 40 * stored.unit_roundoff  # the data were rounded to the dtype
    sums = [*zip(step.after.m, step.history, step.news, strict=True), *((a + b, a, b) for a, b in step.signs)]
    for total, a, b in sums:
        size = abs(a) + abs(b)
        if mpmath.isfinite(size) and size > mpmath.ldexp(1, stored.min_exponent) and abs(total) / size < least * slack:
            raise ValueError(
                f"case {case.id!r}, step {number}: a new moment is closer to 0 than {least}. Change the data."
            )


def rounded(tensor: Tensor, stored: Format) -> list[float]:
    """Elements as numbers of the dtype, a complex one as two; the sign of a zero is kept."""
    parts: list[float] = []
    for x in tensor.data:
        parts += [x.real, x.imag] if isinstance(x, complex) else [x]
    return [math.copysign(float(stored.round(mpf(x))), x) if x == x else x for x in parts]


def writer(dtype: str) -> Callable[[Sequence[tuple[int, ...]], Sequence[Sequence[Any]]], list[dict[str, Any]]]:
    """A function from shapes and flat elements to tensors as JSON."""

    def write(shapes: Sequence[tuple[int, ...]], data: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
        return [
            {"shape": list(shape), "data": pairs(elements) if dtype.startswith("complex") else list(elements)}
            for shape, elements in zip(shapes, data, strict=True)
        ]

    def pairs(elements: Sequence[Any]) -> list[list[Any]]:
        return [list(pair) for pair in zip(elements[::2], elements[1::2], strict=True)]

    return write
