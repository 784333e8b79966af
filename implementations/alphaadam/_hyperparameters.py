"""Names, ranges and errors of hyperparameters, AlphaAdam's and its baselines', the same in every framework.

Every check raises ``TypeError`` for a value of the wrong kind and ``ValueError`` for one out of range. The message
begins with the optimizer, ``owner``, and names the argument as the host framework spells it, the value, and what to
pass instead.
"""

import difflib
import math
from numbers import Integral, Real
from typing import Any

MASKINGS = ("async", "sync", "none")

#: The rules that compute alpha from the mask, each with its default cap. The norm's cap is appendix F.4 of the paper;
#: the count's only keeps alpha finite when the mask selects nothing.
ALPHA_RULES = {"norm": 2.0, "count": 1000.0}


def is_number(value: object) -> bool:
    """Tell whether ``value`` is a real number as Python and NumPy know them; a bool is not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def _fail(error: type[Exception], name: str, value: object, wanted: str, owner: str = "AlphaAdam") -> None:
    raise error(f"{owner}: {name}={value!r} is not valid. Pass {wanted}.")


def _require_number(name: str, value: object, wanted: str, owner: str = "AlphaAdam") -> float:
    if not is_number(value):
        _fail(TypeError, name, value, wanted, owner)
    return float(value)  # type: ignore[arg-type]


def check_nonnegative(name: str, value: object, example: str, owner: str = "AlphaAdam") -> None:
    """Check that ``value`` is a finite number >= 0: a learning rate, epsilon or a weight decay."""
    wanted = f"a finite number >= 0, for example {name}={example}"
    number = _require_number(name, value, wanted, owner)
    if not (math.isfinite(number) and number >= 0):
        _fail(ValueError, name, value, wanted, owner)


def check_positive(name: str, value: object, example: str, owner: str) -> None:
    """Check that ``value`` is a finite number > 0: a scale or a threshold."""
    wanted = f"a finite number > 0, for example {name}={example}"
    number = _require_number(name, value, wanted, owner)
    if not (math.isfinite(number) and number > 0):
        _fail(ValueError, name, value, wanted, owner)


def check_beta(name: str, value: object, example: str, owner: str = "AlphaAdam") -> None:
    """Check that ``value`` is a number in [0, 1): the decay rate of a moment."""
    wanted = f"a number in [0, 1), for example {example}"
    if not 0 <= _require_number(name, value, wanted, owner) < 1:
        _fail(ValueError, name, value, wanted, owner)


def check_fraction(name: str, value: object, example: str, owner: str) -> None:
    """Check that ``value`` is a number in (0, 1]: a part of something."""
    wanted = f"a number in (0, 1], for example {name}={example}"
    if not 0 < _require_number(name, value, wanted, owner) <= 1:
        _fail(ValueError, name, value, wanted, owner)


def check_count(name: str, value: object, example: str, owner: str, least: int = 1, most: float = math.inf) -> None:
    """Check that ``value`` is a whole number from ``least`` to ``most``: a rank, a number of steps, a size."""
    wanted = f"a whole number >= {least}{'' if most == math.inf else f' and <= {most}'}, for example {name}={example}"
    if not isinstance(value, Integral) or isinstance(value, bool):
        _fail(TypeError, name, value, wanted, owner)
    elif not least <= int(value) <= most:
        _fail(ValueError, name, value, wanted, owner)


def check_flag(name: str, value: object, owner: str = "AlphaAdam") -> None:
    """Check that ``value`` is ``True`` or ``False``."""
    if not isinstance(value, bool):
        _fail(TypeError, name, value, f"{name}=True or {name}=False", owner)


def check_masking(value: object) -> None:
    """Check that ``value`` names a masking rule."""
    check_choice("masking", value, MASKINGS)


def check_alpha(alpha: Any, alpha_max: Any) -> None:
    """Check the strength ``alpha`` (a rule's name or a number) together with the rule's cap ``alpha_max``."""
    if is_number(alpha):
        if not (math.isfinite(alpha) and alpha > 0):
            _fail(ValueError, "alpha", alpha, "a finite number > 0, or one of the rules 'norm' and 'count'")
        if alpha_max is not None:
            _fail(ValueError, "alpha_max", alpha_max, "alpha_max=None: a number as alpha is not capped")
        return
    check_choice("alpha", alpha, tuple(ALPHA_RULES), otherwise=", or a finite number > 0")
    if alpha_max is not None:
        wanted = "a finite number >= 1, or None for the rule's own cap"
        number = _require_number("alpha_max", alpha_max, wanted)
        if not (math.isfinite(number) and number >= 1):
            _fail(ValueError, "alpha_max", alpha_max, wanted)


def alpha_cap(alpha: str, alpha_max: float | None) -> float:
    """Return the cap of the rule named ``alpha``: ``alpha_max``, or the rule's own where that is None."""
    return ALPHA_RULES[alpha] if alpha_max is None else alpha_max


def check_choice(
    name: str, value: object, choices: tuple[str, ...], owner: str = "AlphaAdam", otherwise: str = ""
) -> None:
    """Check that ``value`` is one of some names; ``otherwise`` says what else would be valid."""
    wanted = "one of " + ", ".join(map(repr, choices)) + otherwise
    if not isinstance(value, str):
        _fail(TypeError, name, value, wanted, owner)
    elif value not in choices:
        close = difflib.get_close_matches(value, choices, n=1, cutoff=0.5)
        _fail(ValueError, name, value, wanted + (f" (did you mean {close[0]!r}?)" if close else ""), owner)
