"""Hyperparameters that must be rejected: a setting that silently does something else is worse than an error."""

from collections.abc import Iterator

from suite.cases.model import InvalidCase

OPTIMIZER = "AlphaAdam"
HEADER = ["Each test changes one hyperparameter of the defaults to a value that an implementation must reject."]
NOTES: dict[str, dict[str, object]] = {}

_NAN, _INF = float("nan"), float("inf")
_NONNEGATIVE = {"negative": -1e-3, "nan": _NAN, "infinite": _INF, "string": "0.1"}
_BETA = {"negative": -0.1, "one": 1.0, "above-one": 1.5, "nan": _NAN, "infinite": _INF, "string": "0.9"}


def cases() -> Iterator[InvalidCase]:
    """All cases of this topic."""
    for name in ("lr", "eps", "weight_decay"):
        for what, value in _NONNEGATIVE.items():
            yield InvalidCase(f"{name}/{what}", f"{name} is a finite number >= 0", {name: value})
    for name in ("beta1", "beta2"):
        for what, value in _BETA.items():
            yield InvalidCase(f"{name}/{what}", f"{name} is a number in [0, 1)", {name: value})
    for what, value in {"misspelt": "asinc", "upper-case": "Async", "null": None, "number": 1.0, "bool": True}.items():
        yield InvalidCase(f"masking/{what}", "masking is 'async', 'sync' or 'none'", {"masking": value})
    alphas = {
        "misspelt": "nrom",
        "zero": 0.0,
        "negative": -1.0,
        "nan": _NAN,
        "infinite": _INF,
        "bool": True,
        "null": None,
    }
    for what, value in alphas.items():
        yield InvalidCase(f"alpha/{what}", "alpha is 'norm', 'count' or a finite number > 0", {"alpha": value})
    caps = {"below-one": 0.5, "negative": -2.0, "nan": _NAN, "infinite": _INF, "string": "2", "bool": True}
    for what, value in caps.items():
        yield InvalidCase(f"alpha_max/{what}", "alpha_max is null or a finite number >= 1", {"alpha_max": value})
    yield InvalidCase(
        "alpha_max/with-a-number",
        "a number as alpha has no cap: the setting would do nothing",
        {"alpha": 1.0, "alpha_max": 2.0},
    )
