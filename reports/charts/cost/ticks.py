"""Places of the ticks of a logarithmic axis: few, round, and never on top of one another."""

import math

MANTISSAS = ((1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))
FEWEST = 3


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from `low` to `high`, both positive: at least two where there is room, and at most `most`."""
    first, last = math.floor(math.log10(low)), math.floor(math.log10(high))
    for mantissas in MANTISSAS:
        ticks = [
            value
            for power in range(first, last + 1)
            for mantissa in mantissas
            if low <= (value := _power(mantissa, power)) <= high
        ]
        if len(ticks) <= most:
            return ticks if len(ticks) >= FEWEST else _even_ticks(low, high)
    return ticks[:: math.ceil(len(ticks) / most)]


def _even_ticks(low: float, high: float) -> list[float]:
    """For a scale of less than a few factors: multiples of 1, 2 or 5 times a power of ten."""
    if not low < high:
        return [low]
    power = math.floor(math.log10((high - low) / FEWEST))
    step = next(_power(m, p) for m, p in ((1, power), (2, power), (5, power), (1, power + 1)) if _few(low, high, m, p))
    return [float(f"{place * step:.12g}") for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _few(low: float, high: float, mantissa: float, power: int) -> bool:
    return (high - low) / _power(mantissa, power) <= FEWEST + 2


def _power(mantissa: float, power: int) -> float:
    return float(f"{mantissa}e{power}")
