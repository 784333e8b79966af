"""Which optimizer reached the target first, and where AlphaAdam stands: in words, one answer for each comparison."""

from collections.abc import Mapping

from reports.anchors import endings
from reports.charts.convergence import validation_loss
from reports.charts.convergence.final_loss import final, joint_tests, verdict
from reports.charts.convergence.naming import Named, named, percent
from reports.figures import Answer
from reports.intervals import Difference, Interval, differences
from reports.names import framework_label, listing, optimizer_label
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
        return [answer for item in _widest(named(results)) for answer in _of_comparison(item)]
    ends = endings([history.name for history in results.histories])
    return [
        Answer(sentence, f"validation-loss{end}")
        for history, end in zip(results.histories, ends, strict=True)
        if (sentence := _of_asv(history.newest))
    ]


def _widest(found: list[Named]) -> list[Named]:
    """Of several comparisons of one task in one framework the one with the most final trials speaks for all."""
    widest: dict[tuple[str, str], Named] = {}
    for item in found:
        of = item.comparison.task, item.comparison.framework
        if of not in widest or _trials(item) > _trials(widest[of]):
            widest[of] = item
    return list(widest.values())


def _trials(item: Named) -> int:
    return sum(standing.count("finished") for standing in item.comparison.standings.values())


def _of_comparison(item: Named) -> list[Answer]:
    comparison, where = item.comparison, item.where
    if not comparison.ended:
        done = _trials(item)
        trials = "1 final trial is" if done == 1 else f"{done} final trials are"
        sentence = f"{where}: the comparison has not ended ({trials} finished), so it answers nothing yet."
        return [Answer(sentence, f"final-loss-{item.slug}")] if comparison.standings else []
    first = f"{where}: {_fewest(comparison)} {_least_time(comparison)}".rstrip()
    found = [Answer(first, f"to-target-{item.slug}")]
    if SUBJECT in comparison.standings and comparison.baseline in comparison.standings:
        found.append(Answer(f"{where}: {_standing(comparison)}", f"final-loss-{item.slug}"))
    return found


def _fewest(comparison: Comparison) -> str:
    standings, base = comparison.standings, optimizer_label(comparison.baseline)
    if comparison.target.loss is None:
        if comparison.baseline not in standings:
            return f"there is no target, as {base} was not part of the comparison."
        return f"there is no target, as not every trial of {base} finished."
    reached = {name: s for name, s in standings.items() if s.to_target.interval.mean is not None}
    target = (
        f"the target loss ({comparison.target.loss:.4f} {comparison.unit}, tuned {base}'s median at "
        f"{percent(comparison.target.percent)} of the budget)"
    )
    if not reached:
        return f"no optimizer reached {target} with every seed."
    best = min(reached, key=lambda name: reached[name].to_target.interval.mean or 0.0)
    pairs = {name: paired(standings[best], s, "steps") for name, s in reached.items() if name != best}
    found = differences(pairs, comparison.confidence)
    interval = reached[best].to_target.interval
    mean = "a mean of " if interval.n > 1 else ""
    steps = f"in {mean}{interval.mean:.0f} steps{_between(interval, 0, comparison)} of {comparison.budget:,}"
    sentence = f"{_first(best, target, found, len(standings), interval.n)} {steps}, over {_counted(interval.n, 'seed')}"
    return f"{'; '.join([sentence, *_beside(comparison, best, found)])}.{_others(standings, reached)}"


def _first(best: str, target: str, found: Mapping[str, Difference], of: int, seeds: int) -> str:
    """Who reached the target first, `found` being its differences from the others that did, among `of` optimizers."""
    label = optimizer_label(best)
    if not found:
        return f"{label} reached {target}" if of == 1 else f"only {label} reached {target} with every seed,"
    lowest = f"{label} has the lowest {'mean' if seeds > 1 else 'number of steps'}"
    unsure = any(difference.within_noise for difference in found.values())
    if len(found) + 1 < of:
        among = f"of the optimizers that reached {target} with every seed,"
        return f"{among} {lowest}: it did so" if unsure else f"{among} {label} did so in the fewest steps:"
    return f"{lowest}: it reached {target}" if unsure else f"{label} reached {target} in the fewest steps:"


def _beside(comparison: Comparison, best: str, found: Mapping[str, Difference]) -> list[str]:
    """How the first differs from the baseline, and from which others it cannot be told apart."""
    standings, base = comparison.standings, comparison.baseline
    words = []
    if base in found and not found[base].within_noise:
        _, mean, low, high = found[base].interval
        fewer = f"{-(mean or 0):.0f} [{-(high or 0):.0f} to {-(low or 0):.0f}] fewer"
        words.append(f"{fewer} than {optimizer_label(base)}, paired by seed")
    elif best == base and len(standings) > 1:
        words.append("it is the baseline itself")
    if found and standings[best].to_target.interval.n == 1:
        return [*words, "one seed cannot show a difference"]
    few = [name for name, difference in found.items() if difference.interval.n < 2]
    unsure = [name for name, difference in found.items() if difference.within_noise and name not in few]
    if unsure:
        words.append(f"no difference from {_with_means(standings, unsure)} is shown")
    if few:
        words.append(f"too few seeds are in common to compare it with {_with_means(standings, few)}")
    return words


def _with_means(standings: Mapping[str, Standing], names: list[str]) -> str:
    return listing([f"{optimizer_label(name)} ({standings[name].to_target.interval.mean:.0f})" for name in names])


def _others(standings: Mapping[str, Standing], reached: Mapping[str, Standing]) -> str:
    absent = [
        f"{optimizer_label(name)} {s.to_target.reached} of {s.to_target.of}"
        for name, s in standings.items()
        if name not in reached and s.to_target.of
    ]
    return f" Not with every seed: {listing(absent)}." if absent else ""


def _least_time(comparison: Comparison) -> str:
    """The shortest time, without a test: that the machine was slower for one optimizer looks like a difference."""
    standings = comparison.standings
    reached = any(s.to_target.interval.mean is not None for s in standings.values())
    if len(standings) < 2 or comparison.target.loss is None or not reached:
        return ""  # of one optimizer no time is the shortest
    means = {name: mean for name, s in standings.items() if (mean := s.seconds_to_target.interval.mean) is not None}
    if not means:
        return "The time to it is missing, as the records are not there."
    best = min(means, key=lambda name: means[name])
    return (
        f"The shortest mean time to it was {optimizer_label(best)}'s, {means[best]:.1f} seconds, but trials of the "
        "optimizers ran at different times on a shared machine, so times show no difference between optimizers."
    )


def _standing(comparison: Comparison) -> str:
    """AlphaAdam's loss at the end beside the baseline's, and who ends lower."""
    standings, own = comparison.standings, comparison.standings[SUBJECT]
    subject, base = optimizer_label(SUBJECT), optimizer_label(comparison.baseline)
    other, difference = standings[comparison.baseline], own.difference
    if difference is None or difference.interval.mean is None:
        counts = (
            f"{own.count('finished')} of {len(own.seeds)} final seeds of {subject} and {other.count('finished')} of "
            f"{len(other.seeds)} of {base} finished"
        )
        return f"{subject} cannot be compared with {base} at the end of the budget ({counts})."
    unfinished = ""
    if _unfinished(own) or _unfinished(other):
        unfinished = (
            f"; {_unfinished(own)} of {len(own.seeds)} seeds of {subject} and {_unfinished(other)} of "
            f"{len(other.seeds)} of {base} did not finish and are not counted"
        )
    tests = joint_tests(standings)
    p = "" if difference.p_holm is None else f", {_p(difference.p_holm)}"
    p += f" after Holm's correction for {tests} comparisons" if p and tests > 1 else ""
    counted = f"{comparison.unit}, paired over {_counted(difference.interval.n, 'seed')}{p}"
    sentence = f"{_finding(comparison, difference, bool(unfinished))} ({counted}){unfinished}."
    return f"{sentence} {_lower(comparison)}".rstrip()


def _finding(comparison: Comparison, difference: Difference, unfinished: bool) -> str:
    """What the pairs show; where seeds did not finish, of these pairs alone, as the others may have been the worst."""
    subject, base = optimizer_label(SUBJECT), optimizer_label(comparison.baseline)
    tests = joint_tests(comparison.standings)
    word = verdict(difference, tests)
    among = "among the pairs that finished, " if unfinished else ""
    if word in ("lower loss", "higher loss"):
        loses = f"{subject} loses: its" if word == "higher loss" and not unfinished else f"{subject}'s"
        ends, way = "is" if unfinished else "ends", word.partition(" ")[0]
        return f"{among}{loses} mean loss {ends} {_size(difference, comparison)} {way} than {base}'s"
    said = {
        "no difference shown": ", so no difference is shown",
        "too few pairs to say": ", with too few pairs to say",
    }.get(word, f", which among {_counted(tests, 'comparison')} shows no difference")
    if difference.interval.n == 1:
        said = "; one seed cannot show a difference"
    number = f"{difference.interval.mean:+.4f}{_between(difference.interval, 4, comparison, '+')}"
    mean = "mean " if difference.interval.n > 1 else ""
    return f"{among}the {mean}difference of {subject}'s loss at the end from {base}'s is {number}{said}"


def _unfinished(standing: Standing) -> int:
    return len(standing.seeds) - standing.count("finished")


def _p(value: float) -> str:
    return f"p = {value:.2g}" if value >= SMALLEST else f"p < {SMALLEST:g}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _between(interval: Interval, digits: int, comparison: Comparison, sign: str = "") -> str:
    """The interval in brackets, with its name."""
    if interval.low is None or interval.high is None:
        return ""
    name = f"{percent(100 * comparison.confidence)} interval"
    return f" [{name} {interval.low:{sign}.{digits}f} to {interval.high:{sign}.{digits}f}]"


def _size(difference: Difference, comparison: Comparison) -> str:
    mean, low, high = (abs(value or 0.0) for value in difference.interval[1:])
    return f"{mean:.4f}{_between(Interval(difference.interval.n, mean, min(low, high), max(low, high)), 4, comparison)}"


def _lower(comparison: Comparison) -> str:
    """Which other optimizers end lower than AlphaAdam, and from which it cannot be told apart."""
    standings = comparison.standings
    own = standings[SUBJECT]
    others = {
        name: standing
        for name, standing in standings.items()
        if name not in (SUBJECT, comparison.baseline) and final(standing).mean is not None
    }
    if not others or final(own).mean is None:
        return ""
    pairs = {name: paired(own, standing, "loss") for name, standing in others.items()}
    found = differences(pairs, comparison.confidence)
    shown = {name: difference for name, difference in found.items() if not difference.within_noise}
    lower = [name for name, difference in shown.items() if (difference.interval.mean or 0) > 0]
    few = [name for name, difference in found.items() if difference.interval.low is None]
    unsure = [name for name in found if name not in shown and name not in few]
    among = {name: " among the pairs that finished" for name in others if _unfinished(own) or _unfinished(others[name])}
    words = [
        f"{optimizer_label(name)} ends lower than it{among.get(name, '')}, by {_size(shown[name], comparison)}"
        for name in lower
    ]
    if unsure:
        words.append(f"no difference between it and {listing([optimizer_label(name) for name in unsure])} is shown")
    if few:
        words.append(f"too few seeds finished to compare it with {listing([optimizer_label(name) for name in few])}")
    sentence = "; ".join(words) or f"no other ends lower{' among the pairs that finished' if among else ''}"
    return f"{sentence[0].upper()}{sentence[1:]}."


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
