"""How far a careful implementation may be from the exact result: a forward error analysis, step by step.

Every operation of floating-point arithmetic is off by at most the unit roundoff r, relatively: half an ulp. Below, each
quantity lists the operations between its inputs and its result, for the worst of the usual ways to write it; beside
each number of roundings stands what they are. Bounds are first order in r (its square is 2^-48 in float32), and add up
over the steps of a trajectory. Subnormal results have an absolute error instead, half the smallest number.
"""

from dataclasses import dataclass
from typing import Any

import mpmath
from mpmath import mpf

from suite.reference.directions import TensorState
from suite.reference.formats import Format
from suite.reference.rule import DEFAULT_CAPS, Step


@dataclass
class Errors:
    """Bounds on the absolute errors of a tensor's parameters and moments, and on the last alpha's."""

    params: list[mpf]
    m: list[mpf]
    v: list[mpf]
    alpha: mpf


def none(state: TensorState) -> Errors:
    """The errors of stated inputs."""
    params, m, v = ([mpf(0)] * len(part) for part in (state.params, state.m, state.v))
    return Errors(params, m, v, mpf(0))


# 1 - b^t is asked for to 2 ulp of the compute dtype: 4 roundings' worth.
_BIAS_CORRECTION = 4


def propagate(
    before: TensorState,
    errors: Errors,
    step: Step,
    lr: mpf,
    hyperparameters: dict[str, Any],
    computed: Format,
    stored: Format,
) -> Errors:
    """Bound the errors after a step by those before it and the roundings in between.

    Args:
        before: The tensor before the step.
        errors: Their bounds.
        step: The exact step.
        lr: Learning rate of the step.
        hyperparameters: As the step had them.
        computed: Format of the arithmetic.
        stored: Format of parameters and moments.

    Returns:
        Bounds after the step.
    """
    arguments = before, errors, step, lr, hyperparameters, computed, stored
    return (_propagate_adam if hyperparameters["direction"] == "adam" else _propagate_wrapped)(*arguments)


def _propagate_adam(
    before: TensorState,
    errors: Errors,
    step: Step,
    lr: mpf,
    hyperparameters: dict[str, Any],
    computed: Format,
    stored: Format,
) -> Errors:
    b1, b2 = mpf(hyperparameters["beta1"]), mpf(hyperparameters["beta2"])
    shrink = lr * mpf(hyperparameters["weight_decay"])
    r = computed.unit_roundoff
    # Storing in the compute format itself is the rounding of the last operation, already counted.
    s = stored.unit_roundoff if stored != computed else mpf(0)
    tiny = stored.spacing(mpf(0)) / 2
    after = step.after

    m_errors, v_errors, u_relative, u_common_free = [], [], [], []
    for i, m in enumerate(after.m):
        a, b = abs(step.history[i]), abs(step.news[i])
        # Either b1*m + (1-b1)*g: a constant, a product, a sum. Or m + (1-b1)*(g-m): a difference, a constant, a product
        # on (1-b1)*|g-m| <= a + b, and a sum.
        e_m = 3 * r * (a + b) + (r + s) * abs(m) + b1 * errors.m[i] + tiny
        v = after.v[i]
        # Terms: constant, product and constant, square, product; then a sum.
        e_v = 3 * r * v + (r + s) * v + b2 * errors.v[i] + tiny
        m_errors.append(e_m)
        v_errors.append(e_v)
        # From the stored m and v, whose own errors are the implementation's: what they do to u, relatively.
        inherited = (e_m / abs(m) if m else mpf(0)) + (e_v / v / 2 if v else mpf(0))
        # Root, bias correction's root (half of it, and a root), quotient, eps, sum; then m's quotient and the last one.
        u_common_free.append(inherited + 5 * r)
        u_relative.append(inherited + (5 + _BIAS_CORRECTION / 2 + 1 + _BIAS_CORRECTION + 2) * r)

    alpha_relative = _alpha_relative(step, hyperparameters, u_common_free, r)

    p_errors = []
    for i, theta in enumerate(after.params):
        moved = abs(lr * step.alpha * step.mask[i] * step.u[i]) if step.mask[i] else mpf(0)
        old = abs(before.params[i])
        # The factor 1 - lr*wd: two constants, a product, a difference; its product with theta.
        e = abs(1 - shrink) * errors.params[i] + old * (r * (1 + 3 * shrink) + r)
        # lr, alpha and u multiplied, lr rounded; alpha as it came out, u as it came out.
        e += moved * (u_relative[i] + alpha_relative + 4 * r)
        # A library may return an update in the stored format and add it: u, weight_decay * theta, their sum, and its
        # product with the rate are then rounded to that format.
        e += 4 * stored.unit_roundoff * (moved + shrink * old)
        e += (r + s) * abs(theta) + tiny  # the difference; storing it
        p_errors.append(e)
    return Errors(p_errors, m_errors, v_errors, alpha_relative * step.alpha)


def _alpha_relative(step: Step, hyperparameters: dict[str, Any], u_relative: list[mpf], r: mpf) -> mpf:
    """Bound alpha's relative error; 0 where the rule makes it 1 or its cap exactly."""
    rule = hyperparameters["alpha"]
    if not isinstance(rule, str):
        return r  # the constant as a number of the dtype
    if step.alpha == 1 or step.alpha == mpf(hyperparameters["alpha_max"] or DEFAULT_CAPS[rule]):
        return mpf(0)
    if rule == "count":
        return 2 * r  # counts are exact: a conversion and a quotient
    # Squares, n-1 sums in whatever order, a root, twice; a quotient. Beside these, an element's error enters both norms
    # by its part in each: errors common to all of u cancel.
    norm2 = mpmath.fsum(ui * ui for ui in step.u)
    masked2 = mpmath.fsum(ui * ui for ui, a in zip(step.u, step.mask, strict=True) if a)
    if not (norm2 and masked2 and mpmath.isfinite(norm2)):
        return mpf(0)
    inherited = mpmath.fsum(
        error * abs(ui * ui / norm2 - a * ui * ui / masked2)
        for error, ui, a in zip(u_relative, step.u, step.mask, strict=True)
        if ui
    )
    return inherited + (len(step.u) + 3) * r


def _propagate_wrapped(
    before: TensorState,
    errors: Errors,
    step: Step,
    lr: mpf,
    hyperparameters: dict[str, Any],
    computed: Format,
    stored: Format,
) -> Errors:
    """Around another optimizer: an implementation may know u, or read it from the parameters that the other one moved.

    Those are rounded where they are stored, so that the move is known to half an ulp of the parameter. That is the
    larger of the two errors, and alpha multiplies it.
    """
    r = computed.unit_roundoff
    s = stored.unit_roundoff if stored != computed else mpf(0)
    tiny = stored.spacing(mpf(0)) / 2
    shrink = lr * mpf(hyperparameters["weight_decay"])
    m_errors, u_errors = (_sgd if hyperparameters["direction"] == "sgd" else _lion)(step, errors, hyperparameters, r, s)
    m_errors = [e + tiny for e in m_errors]

    read_errors = []  # of lr * u
    for theta, ui, e_u in zip(before.params, step.u, u_errors, strict=True):
        move = abs(lr * ui)
        # u; the rate as a number of the dtype, and the product.
        e = lr * e_u + 2 * r * move
        if e:
            # The moved parameter is rounded; not by more than the move, since the parameter itself is a number.
            e += min(stored.unit_roundoff * abs(theta - lr * ui), move) + tiny
            e += 2 * r * move  # the difference of the two, and where u itself is wanted, its quotient by the rate
        read_errors.append(e)
    alpha_error = _alpha_wrapped(step, hyperparameters, lr, read_errors, u_errors, r)

    p_errors = []
    for i, theta in enumerate(step.after.params):
        moved = abs(lr * step.alpha * step.mask[i] * step.u[i]) if step.mask[i] else mpf(0)
        old = abs(before.params[i])
        # The factor 1 - lr*wd: two constants, a product, a difference; its product with theta.
        e = abs(1 - shrink) * errors.params[i] + old * (r * (1 + 3 * shrink) + r)
        if step.mask[i]:
            e += step.alpha * read_errors[i] + alpha_error * abs(lr * step.u[i])
        # Rate and alpha multiplied, the product with u; alpha rounded from where it was computed.
        e += 4 * r * moved
        # Decay and move may be applied one after the other to the stored parameter, or be returned as an update in its
        # dtype: each of both, and their sum.
        e += stored.unit_roundoff * (old + 3 * moved + 2 * shrink * old)
        e += (r + s) * abs(theta) + tiny  # the last sum; storing it
        p_errors.append(e)
    return Errors(p_errors, m_errors, [], alpha_error)


def _sgd(step: Step, errors: Errors, hyperparameters: dict[str, Any], r: mpf, s: mpf) -> tuple[list[mpf], list[mpf]]:
    """Errors of SGD's momentum and of its direction."""
    momentum = mpf(hyperparameters["momentum"])
    m_errors, u_errors = [], []
    for m, u, a, inherited in zip(step.after.m, step.u, step.history, errors.m, strict=True):
        # A constant and a product; a sum.
        e_m = 2 * r * abs(a) + (r + s) * abs(m) + momentum * inherited
        m_errors.append(e_m)
        # Once more, from the momentum as it came out.
        nesterov = momentum * e_m + 2 * r * momentum * abs(m) + r * abs(u)
        u_errors.append(nesterov if hyperparameters["nesterov"] else e_m)
    return m_errors, u_errors


def _lion(step: Step, errors: Errors, hyperparameters: dict[str, Any], r: mpf, s: mpf) -> tuple[list[mpf], list[mpf]]:
    """Errors of Lion's momentum and of its direction, a sign of what the generator keeps away from 0."""
    b2 = mpf(hyperparameters["beta2"])
    m_errors = [
        3 * r * (abs(a) + abs(b)) + (r + s) * abs(m) + b2 * inherited
        for m, a, b, inherited in zip(step.after.m, step.history, step.news, errors.m, strict=True)
    ]
    return m_errors, [mpf(0)] * len(m_errors)


def _alpha_wrapped(
    step: Step,
    hyperparameters: dict[str, Any],
    lr: mpf,
    read_errors: list[mpf],
    u_errors: list[mpf],
    r: mpf,
) -> mpf:
    """Bound alpha's absolute error where it is computed from what another optimizer did to the parameters.

    Raises:
        ValueError: The moves are lost beside the parameters, and alpha with them.
    """
    rule = hyperparameters["alpha"]
    if not isinstance(rule, str):
        return r * step.alpha  # the constant as a number of the dtype
    if rule == "count":
        return mpf(0) if all(step.mask) or not any(step.mask) else 2 * r * step.alpha
    moves, moves_errors = (step.u, u_errors) if lr == 0 else ([lr * ui for ui in step.u], read_errors)
    total = mpmath.fsum(x * x for x in moves)
    kept = mpmath.fsum(x * x for x, a in zip(moves, step.mask, strict=True) if a)
    if hyperparameters["masking"] == "none" or not total or not mpmath.isfinite(total) or kept == total or not kept:
        return mpf(0)
    # To first order by the derivative of log(total / kept) / 2, and the squares of the errors, which count where a
    # move is smaller than its error.
    relative = mpmath.fsum(
        (e * abs(x) + e * e / 2) * abs(1 / total - a / kept)
        for x, e, a in zip(moves, moves_errors, step.mask, strict=True)
    )
    relative += (len(moves) + 3) * r
    if relative > mpf(1) / 64:
        raise ValueError("the update is lost beside the parameter")
    ratio = mpmath.sqrt(total / kept)
    return max(mpf(0), relative * ratio - (ratio - step.alpha))  # what the cap cuts off is no error
