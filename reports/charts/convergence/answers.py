"""Which optimizer reached the target first, and where AlphaAdam stands: in words, one answer for each comparison."""

from collections.abc import Mapping, Sequence

from reports.charts.convergence import validation_loss
from reports.charts.convergence.final_loss import final, verdict
from reports.charts.convergence.naming import Named, named, percent
from reports.figures import Answer
from reports.intervals import Difference, differences
from reports.names import framework_label, in_order, listing, optimizer_label
from reports.results import Results
from reports.sources.asv_results import AsvResults, MissingBenchmarkError
from reports.sources.comparisons import Comparison
from reports.sources.standings import Standing, paired
from reports.tables import frameworks

SUBJECT = "alphaadam"
SMALLEST = 1e-4
"""Of a smaller p only that is said: so few seeds tell no more."""


def answers(results: Results) -> list[Answer]:
    """The findings of each comparison; without one, what asv's single runs say, which is little."""
    if results.comparisons:
        return [answer for item in named(results) for answer in _of_comparison(item)]
    several = len(results.histories) > 1
    return [
        Answer(sentence, f"validation-loss-{history.name}" if several else "validation-loss")
        for history in results.histories
        if (sentence := _of_asv(history.newest))
    ]


def _of_comparison(item: Named) -> list[Answer]:
    comparison, where = item.comparison, item.where
    if not comparison.ended:
        done = sum(standing.count("finished") for standing in comparison.standings.values())
        sentence = (
            f"{where}: the comparison has not ended ({done} final trials are finished), so it answers nothing yet."
        )
        return [Answer(sentence, f"final-loss-{item.slug}")] if comparison.standings else []
    found = [Answer(f"{where}: {_fewest(comparison)} {_least_time(comparison)}", f"to-target-{item.slug}")]
    if SUBJECT in comparison.standings and comparison.baseline in comparison.standings:
        found.append(Answer(f"{where}: {_standing(comparison)}", f"final-loss-{item.slug}"))
    return found


def _fewest(comparison: Comparison) -> str:
    standings, base = comparison.standings, optimizer_label(comparison.baseline)
    if comparison.target.loss is None:
        return f"there is no target, as not every trial of {base} finished."
    reached = {name: s for name, s in standings.items() if s.to_target.interval.mean is not None}
    target = (
        f"the target loss ({comparison.target.loss:.4f} {comparison.unit}, tuned {base}'s median at "
        f"{percent(comparison.target.percent)} of the budget)"
    )
    if not reached:
        return f"no optimizer reached {target} with every seed."
    best = min(reached, key=lambda name: reached[name].to_target.interval.mean or 0.0)
    interval = reached[best].to_target.interval
    sentence = (
        f"{optimizer_label(best)} reached {target} in the fewest steps: {_mean(interval.mean, interval, 0)} of "
        f"{comparison.budget:,}, over {_seeds(interval.n)}"
    )
    return f"{sentence}; {_beside(comparison, best, list(reached), 'steps', 0)}{_others(standings, reached)}"


def _least_time(comparison: Comparison) -> str:
    reached = {name: s for name, s in comparison.standings.items() if s.seconds_to_target.interval.mean is not None}
    if comparison.target.loss is None or not any(s.to_target.reached for s in comparison.standings.values()):
        return ""
    if not reached:
        return "The time to it is missing, as the records are not there."
    best = min(reached, key=lambda name: reached[name].seconds_to_target.interval.mean or 0.0)
    interval = reached[best].seconds_to_target.interval
    unsure = "; " + _beside(comparison, best, list(reached), "seconds", 1) if len(reached) > 1 else "."
    return f"In the least time: {optimizer_label(best)}, {_mean(interval.mean, interval, 1)} seconds{unsure}"


def _mean(mean: float | None, interval: Sequence[float | None], digits: int) -> str:
    low, high = interval[2], interval[3]
    ends = "" if low is None or high is None else f" [{low:.{digits}f}, {high:.{digits}f}]"
    return f"{mean:.{digits}f}{ends}"


def _seeds(count: int) -> str:
    return "1 seed" if count == 1 else f"{count} seeds"


def _beside(comparison: Comparison, best: str, names: list[str], what: str, digits: int) -> str:
    """How the best differs from the baseline, and from which others it cannot be told apart."""
    standings = comparison.standings
    pairs = {name: paired(standings[best], standings[name], what) for name in names if name != best}
    found = differences(pairs, comparison.confidence)
    words = []
    base = comparison.baseline
    if base in found and not found[base].within_noise:
        difference = found[base].interval
        ends = f" [{-(difference.high or 0):.{digits}f}, {-(difference.low or 0):.{digits}f}]"
        word = "fewer" if what == "steps" else "less"
        words.append(f"{-(difference.mean or 0):.{digits}f}{ends} {word} than {optimizer_label(base)}")
    elif best == base:
        words.append("it is the baseline itself")
    unsure = in_order([name for name, difference in found.items() if difference.within_noise], names)
    if unsure:
        words.append(
            f"no difference is shown to {listing([_with_mean(standings[n], n, what, digits) for n in unsure])}"
        )
    return f"{', '.join(words) or 'all others needed more'}."


def _with_mean(standing: Standing, name: str, what: str, digits: int) -> str:
    reach = standing.to_target if what == "steps" else standing.seconds_to_target
    return f"{optimizer_label(name)} ({reach.interval.mean:.{digits}f})"


def _others(standings: Mapping[str, Standing], reached: Mapping[str, Standing]) -> str:
    absent = [
        f"{optimizer_label(name)} {s.to_target.reached} of {s.to_target.of}"
        for name, s in standings.items()
        if name not in reached and s.to_target.of
    ]
    return f" Not with every seed: {listing(absent)}." if absent else ""


def _standing(comparison: Comparison) -> str:
    """AlphaAdam's loss at the end beside the baseline's, and who ends lower."""
    standings, own = comparison.standings, comparison.standings[SUBJECT]
    base = optimizer_label(comparison.baseline)
    subject, difference = optimizer_label(SUBJECT), own.difference
    others = len(standings) - 1
    if difference is None or difference.interval.mean is None:
        counts = f"{own.count('finished')} of {len(own.seeds)} final seeds of {subject} finished"
        return f"{subject} cannot be compared with {base} at the end of the budget ({counts})."
    word = verdict(difference, others)
    if word == "lower loss":
        sentence = f"{subject} ends {_size(difference)} lower than {base}"
    elif word == "higher loss":
        sentence = f"{subject} loses: it ends {_size(difference)} higher than {base}"
    else:
        said = "with too few pairs to say" if "too few" in word else "so no difference is shown"
        sentence = f"{subject} ends {_signed(difference)} beside {base}, {said}"
    p = "" if difference.p_holm is None else f", {_p(difference.p_holm)} after Holm"
    counted = f"paired over {_seeds(difference.interval.n)}{p}"
    return f"{sentence} ({comparison.unit} of validation loss, {counted}). {_lower(comparison, standings)}".rstrip()


def _p(value: float) -> str:
    return f"p = {value:.2g}" if value >= SMALLEST else f"p < {SMALLEST:g}"


def _size(difference: Difference) -> str:
    mean, low, high = (abs(value or 0.0) for value in difference.interval[1:])
    return f"{mean:.4f} [{min(low, high):.4f}, {max(low, high):.4f}]"


def _signed(difference: Difference) -> str:
    _, mean, low, high = difference.interval
    ends = "" if low is None or high is None else f" [{low:+.4f}, {high:+.4f}]"
    return f"{mean:+.4f}{ends}"


def _lower(comparison: Comparison, standings: Mapping[str, Standing]) -> str:
    """Which other optimizers end lower than AlphaAdam, and from which it cannot be told apart."""
    own = final(standings[SUBJECT]).mean
    others = {
        name: standing
        for name, standing in standings.items()
        if name not in (SUBJECT, comparison.baseline) and final(standing).mean is not None
    }
    if not others or own is None:
        return ""
    found = differences({name: paired(standings[SUBJECT], s, "loss") for name, s in others.items()})
    shown = {name: difference for name, difference in found.items() if not difference.within_noise}
    lower = [name for name, difference in shown.items() if (difference.interval.mean or 0) > 0]
    few = [name for name, difference in found.items() if difference.interval.low is None]
    unsure = [name for name in found if name not in shown and name not in few]
    words = [f"{optimizer_label(name)} ends lower than it, by {_size(shown[name])}" for name in lower]
    if unsure:
        words.append(f"no difference is shown between it and {listing([optimizer_label(name) for name in unsure])}")
    if few:
        words.append(f"too few seeds finished to compare it with {listing([optimizer_label(name) for name in few])}")
    sentence = "; ".join(words)
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence else "No other ends lower."


def _of_asv(results: AsvResults) -> str:
    try:
        rows = results.select(validation_loss.BENCHMARK, "optimizer", "budget_percent")
    except MissingBenchmarkError:
        return ""
    last = rows["budget_percent"].max()
    at_end = rows[(rows["budget_percent"] == last) & (rows["missing"] == "")]
    parts = []
    for framework in frameworks(at_end):
        losses = at_end[at_end["framework"] == framework].set_index("optimizer")["value"]
        if SUBJECT in losses and "adamw" in losses:
            difference = losses[SUBJECT] - losses["adamw"]
            word = f"{abs(difference):.4f} {'lower' if difference < 0 else 'higher'}" if difference else "equal"
            parts.append(f"{word} in {framework_label(framework)}")
    if not parts:
        return ""
    return (
        f"At {last} % of the budget AlphaAdam's validation loss is, beside AdamW's, {listing(parts)} "
        f"({results.units[validation_loss.BENCHMARK]}). Each is one run with one seed and no interval: that does not "
        "show which optimizer is better."
    )
