"""How often a comparison of two commits said something, where the truth is known."""

from typing import NamedTuple

from scipy import stats

from reports.sources.power import SLOWER, UNCHANGED, Case, Made, Power

NOTHING, SLOWED = "no difference", "kernels 10 % slower"


class Rate(NamedTuple):
    """One method on cases of one truth.

    Attributes:
        method: the command that compared.
        truth: `NOTHING` or `SLOWED`.
        cases: how many there were.
        reported: in how many a change was reported; of slowed ones, a slowdown.
        comparisons: how many comparisons the cases are of.
        wrong_comparisons: how many of these were wrong about at least one of their cases.
        low: lower end of the exact 95 % interval of the rate.
        high: its upper end.
        seconds: of the comparisons, as far as they are known.
    """

    method: str
    truth: str
    cases: int
    reported: int
    comparisons: int
    wrong_comparisons: int
    low: float
    high: float
    seconds: tuple[float, ...]

    @property
    def rate(self) -> float:
        """The part of the cases in which a change was reported."""
        return self.reported / self.cases

    @property
    def wrong(self) -> int:
        """In how many cases the method was wrong."""
        return self.reported if self.truth == NOTHING else self.cases - self.reported


def rates(power: Power) -> list[Rate]:
    """The rates of each method, first where nothing differed; a truth that was not tried is left out."""
    found = []
    for method in power.methods():
        made = [item for item in power.comparisons if item.method == method]
        for truth in (NOTHING, SLOWED):
            of_truth = [
                (item, [case for case in item.cases if item.is_slowed(case) == (truth == SLOWED)]) for item in made
            ]
            of_truth = [(item, cases) for item, cases in of_truth if cases]
            if of_truth:
                found.append(_rate(method, truth, of_truth))
    return found


def _rate(method: str, truth: str, made: list[tuple[Made, list[Case]]]) -> Rate:
    cases = [case for _, own in made for case in own]
    reported = sum(_is_reported(case, truth) for case in cases)
    wrong = sum(any(_is_reported(case, truth) == (truth == NOTHING) for case in own) for _, own in made)
    low, high = exact_interval(reported, len(cases))
    seconds = tuple(sorted(item.seconds for item, _ in made if item.seconds is not None))
    return Rate(method, truth, len(cases), reported, len(made), wrong, low, high, seconds)


def _is_reported(case: Case, truth: str) -> bool:
    return case.word != UNCHANGED if truth == NOTHING else case.word == SLOWER


def exact_interval(found: int, of: int) -> tuple[float, float]:
    """The exact binomial interval (Clopper and Pearson) of level 95 % for a proportion."""
    interval = stats.binomtest(found, of).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)
