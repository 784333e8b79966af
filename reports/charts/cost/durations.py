"""Times and sizes as people read them."""


def duration(seconds: float) -> str:
    """Three digits and the unit in which they are no fraction."""
    factor, unit = next(((f, u) for f, u in ((1, "s"), (1e3, "ms")) if seconds * f >= 1), (1e6, "µs"))
    return f"{seconds * factor:.3g} {unit}"
