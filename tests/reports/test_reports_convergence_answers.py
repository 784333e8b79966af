"""What the top of the page says of a comparison: only as much as its seeds show."""

import itertools
import json
import math
import re
import statistics
from pathlib import Path

import pytest
from scipy import stats

from reports.charts.convergence.answers import answers
from reports.charts.convergence.naming import named
from reports.results import Results
from reports.sources.comparisons import load_comparison
from tests.reports.comparison_folders import BEST, SEEDS, ComparisonFolder, seconds


def quiet(path, reason):
    raise AssertionError(f"{path}: {reason}")


def made(paces, shift, optimizer, rate, seed, step):
    return 2 + 3 * math.exp(-paces[optimizer] * step / 15) + shift(optimizer, seed)


@pytest.fixture
def say(tmp_path):
    """The answers to a comparison of optimizers with these paces, whose losses a seed shifts by `shift`."""

    def answer(shift=lambda optimizer, seed: 0.002 * seed, name="c", framework="torch", summarize=True, **paces):
        paces = {key.replace("_", "-"): pace for key, pace in paces.items()}

        def loss(*arguments):
            return made(paces, shift, *arguments)

        folder = ComparisonFolder(tmp_path / name, framework=framework, loss=loss).fill(*paces)
        if summarize:
            folder.summarize()
        return load_comparison(folder.root, quiet)

    return answer


def sentences(*comparisons):
    return [answer.sentence for answer in answers(Results(comparisons=comparisons))]


def steps_to(pace, seed, target, shift):
    points = [(step, 2 + 3 * math.exp(-pace * step / 15) + shift) for step in range(2, 41, 2)]
    for (before, high), (after, low) in itertools.pairwise(points):
        if low <= target:
            return before + (high - target) / (high - low) * (after - before)
    raise AssertionError("not reached")


def test_the_fewest_steps_and_the_least_time_have_intervals_and_seeds(say):
    comparison = say(adamw=1.0, alphaadam=1.4)
    first, second = sentences(comparison)
    target = statistics.median(2 + 3 * math.exp(-32 / 15) + 0.002 * seed for seed in SEEDS)
    own = [steps_to(1.4, seed, target, 0.002 * seed) for seed in SEEDS]
    base = [steps_to(1.0, seed, target, 0.002 * seed) for seed in SEEDS]
    pairs = [b - a for a, b in zip(own, base, strict=True)]

    def student(values):
        return statistics.fmean(values), *stats.t.interval(
            0.95, len(values) - 1, statistics.fmean(values), stats.sem(values)
        )

    (steps, low, high), (fewer, least, most) = student(own), student(pairs)
    times = [seconds("alphaadam", seed, 1) * step for seed, step in zip(SEEDS, own, strict=True)]
    assert first == (
        f"gpt2-nano, PyTorch: AlphaAdam reached the target loss ({target:.4f} nats/byte, tuned AdamW's median at 80 % "
        f"of the budget) in the fewest steps: in a mean of {steps:.0f} steps [95 % interval {low:.0f} to {high:.0f}] "
        f"of 40, over 3 seeds; {fewer:.0f} [{least:.0f} to {most:.0f}] fewer than AdamW, paired by seed. The shortest "
        f"mean time to it was AlphaAdam's, {statistics.fmean(times):.1f} seconds, but trials of the optimizers ran at "
        "different times on a shared machine, so times show no difference between optimizers."
    )
    size = f"{3 * (math.exp(-1.0 * 40 / 15) - math.exp(-1.4 * 40 / 15)):.4f}"
    assert second == (
        f"gpt2-nano, PyTorch: AlphaAdam's mean loss ends {size} [95 % interval {size} to {size}] lower than AdamW's "
        "(nats/byte, paired over 3 seeds, p < 0.0001)."
    )


def test_what_is_within_noise_is_not_called_a_win(say):
    def noise(optimizer, seed):
        return {"adamw": 0.0, "alphaadam": 0.02 * (seed - 9)}[optimizer]

    first, second = sentences(say(noise, adamw=1.0, alphaadam=1.01))
    assert "AlphaAdam has the lowest mean: it reached the target loss" in first
    assert re.search(r"over 3 seeds; no difference from AdamW \(\d+\) is shown\. The shortest", first)
    assert "in the fewest steps" not in first
    assert "fewer than" not in first
    assert "lower than" not in second
    assert "the mean difference of AlphaAdam's loss at the end from AdamW's is -0." in second
    assert re.search(r" \[95 % interval -0\.\d{4} to \+0\.\d{4}\], so no difference is shown \(nats/byte,", second)


def test_an_alphaadam_that_loses_is_said_to_lose(say):
    first, second = sentences(say(adamw=1.0, alphaadam=0.8))
    assert "PyTorch: only AdamW reached the target loss" in first
    assert "with every seed, in a mean of" in first
    assert "over 3 seeds; it is the baseline itself. Not" in first
    assert "Not with every seed: AlphaAdam 2 of 3." in first
    assert second.startswith("gpt2-nano, PyTorch: AlphaAdam loses: its mean loss ends ")
    assert "higher than AdamW's (" in second


def test_others_that_end_lower_than_alphaadam_are_named(say):
    _, second = sentences(say(adamw=1.0, alphaadam=1.2, cautious_adamw=1.4, lion=0.9))
    assert "Cautious AdamW ends lower than it, by " in second
    assert "Lion" not in second
    _, second = sentences(say(name="best", adamw=1.0, alphaadam=1.5, cautious_adamw=1.4))
    assert second.endswith("No other ends lower.")


def test_seeds_that_did_not_finish_are_told(say, tmp_path):
    say(adamw=1.0, alphaadam=1.4)
    folder = ComparisonFolder(tmp_path / "c")
    for seed in SEEDS:
        folder.write("alphaadam", BEST, seed, "diverged", end=4)
    first, second = sentences(load_comparison(folder.root, quiet))
    assert "AdamW reached the target" in first
    assert "AlphaAdam 0 of 3" in first
    assert second == (
        "gpt2-nano, PyTorch: AlphaAdam cannot be compared with AdamW at the end of the budget (0 of 3 final seeds of "
        "AlphaAdam and 3 of 3 of AdamW finished)."
    )


def test_the_reason_for_no_comparison_counts_the_baselines_seeds_too(say, tmp_path):
    say(adamw=1.0, alphaadam=1.4)
    folder = ComparisonFolder(tmp_path / "c")
    for seed in SEEDS:
        folder.write("adamw", BEST, seed, "failed", error="died")
    first, second = sentences(load_comparison(folder.root, quiet))
    assert first.endswith("there is no target, as not every trial of AdamW finished.")
    assert second.endswith("(3 of 3 final seeds of AlphaAdam and 0 of 3 of AdamW finished).")


@pytest.mark.parametrize(("pace", "way"), [(1.4, "lower"), (0.8, "higher")])
def test_of_seeds_that_did_not_finish_the_rest_shows_no_winner(say, tmp_path, pace, way):
    say(adamw=1.0, alphaadam=pace)
    folder = ComparisonFolder(tmp_path / "c")
    folder.write("alphaadam", BEST, SEEDS[1], "diverged", end=4)
    _, second = sentences(load_comparison(folder.root, quiet))
    assert second.startswith("gpt2-nano, PyTorch: among the pairs that finished, AlphaAdam's mean loss is ")
    assert f"] {way} than AdamW's (nats/byte, paired over 2 seeds, p" in second
    assert second.endswith("; 1 of 3 seeds of AlphaAdam and 0 of 3 of AdamW did not finish and are not counted.")
    assert "ends" not in second


def test_seeds_of_the_baseline_that_did_not_finish_are_told_as_well(say, tmp_path):
    folder = ComparisonFolder(tmp_path / "c")
    say(adamw=1.0, alphaadam=1.4, cautious_adamw=1.6)
    folder.write("adamw", BEST, SEEDS[0], "failed", error="died")
    folder.write("cautious-adamw", BEST, SEEDS[2], "diverged", end=4)
    _, second = sentences(load_comparison(folder.root, quiet))
    assert "; 0 of 3 seeds of AlphaAdam and 1 of 3 of AdamW did not finish and are not counted." in second
    assert "Cautious AdamW ends lower than it among the pairs that finished, by 0." in second


def test_an_optimizer_with_one_seed_left_is_not_compared(say, tmp_path):
    say(adamw=1.0, alphaadam=1.4, lion=0.9)
    folder = ComparisonFolder(tmp_path / "c")
    for seed in SEEDS[:2]:
        folder.write("lion", BEST, seed, "diverged", end=4)
    _, second = sentences(load_comparison(folder.root, quiet))
    assert second.endswith("p < 0.0001). Too few seeds finished to compare it with Lion.")


def test_a_comparison_that_runs_answers_nothing_yet(say):
    assert sentences(say(summarize=False, adamw=1.0, alphaadam=1.4)) == [
        "gpt2-nano, PyTorch: the comparison has not ended (6 final trials are finished), so it answers nothing yet."
    ]


def test_every_comparison_has_answers_of_its_own_that_lead_to_its_figures(say):
    torch, jax = say(adamw=1.0, alphaadam=1.4), say(name="d", framework="jax", adamw=1.0, alphaadam=0.8)
    found = answers(Results(comparisons=(torch, jax)))
    assert [answer.anchor for answer in found] == [
        "to-target-gpt2-nano-torch",
        "final-loss-gpt2-nano-torch",
        "to-target-gpt2-nano-jax",
        "final-loss-gpt2-nano-jax",
    ]
    assert [answer.sentence.partition(":")[0] for answer in found[1:3]] == ["gpt2-nano, PyTorch", "gpt2-nano, JAX"]


def test_without_alphaadam_or_adamw_the_rest_is_still_said(say):
    (sentence,) = sentences(say(adamw=1.0, lion=1.2))
    assert "Lion reached the target loss" in sentence
    (sentence,) = sentences(say(name="e", alphaadam=1.0, lion=1.2))
    assert sentence == "gpt2-nano, PyTorch: there is no target, as AdamW was not part of the comparison."


def test_the_first_is_named_among_those_that_reached_the_target_with_every_seed(say):
    first, _ = sentences(say(adamw=1.0, alphaadam=1.4, lion=0.5))
    assert "PyTorch: of the optimizers that reached the target loss (" in first
    assert "of the budget) with every seed, AlphaAdam did so in the fewest steps: in a mean of" in first
    assert "Not with every seed: Lion 0 of 3. The shortest mean time" in first

    def noise(optimizer, seed):
        return 0.02 * (seed - 9) if optimizer == "alphaadam" else 0.0

    first, _ = sentences(say(noise, name="d", adamw=1.0, alphaadam=1.01, lion=0.5))
    assert "with every seed, AlphaAdam has the lowest mean: it did so in a mean of" in first


def test_one_seed_cannot_show_a_difference(say, tmp_path):
    say(summarize=False, adamw=1.0, alphaadam=1.4)
    folder = ComparisonFolder(tmp_path / "c")
    for name, seed in itertools.product(("adamw", "alphaadam"), SEEDS[1:]):
        folder.path(name, BEST, seed).unlink()
    folder.summarize(finalSeeds=[SEEDS[0]])
    first, second = sentences(load_comparison(folder.root, quiet))
    assert "PyTorch: AlphaAdam has the lowest number of steps: it reached the target loss" in first
    assert re.search(r"of the budget\) in \d+ steps of 40, over 1 seed; one seed cannot show a difference\. ", first)
    assert re.search(r"is -0\.\d{4}; one seed cannot show a difference \(nats/byte, paired over 1 seed\)\.$", second)


def test_a_target_that_no_optimizer_reached_with_every_seed_has_no_time(say, tmp_path):
    folder = ComparisonFolder(tmp_path / "c")
    say(lambda optimizer, seed: 0.3 * (seed - 9), adamw=1.0, alphaadam=0.9)
    (sentence, _) = sentences(load_comparison(folder.root, quiet))
    assert "no optimizer reached the target loss" in sentence
    assert sentence.endswith("with every seed.")


def test_where_only_holms_p_is_too_large_the_number_of_comparisons_is_said(say):
    def noise(optimizer, seed):
        # t is 5: the interval leaves out 0 and p is 0.04, which is too much among two comparisons.
        return {"adamw": 0.0, "alphaadam": -0.05 + 0.0173 * (seed - 9), "lion": 0.1 * (seed - 9)}[optimizer]

    _, second = sentences(say(noise, adamw=1.0, alphaadam=1.0, lion=1.0))
    assert "], which among 2 comparisons shows no difference (nats/byte, paired over 3 seeds, p = " in second
    assert " after Holm's correction for 2 comparisons)." in second
    assert "so no difference" not in second


def test_times_are_not_tested_against_one_another(say):
    first, _ = sentences(say(adamw=1.0, alphaadam=1.0))
    assert "The shortest mean time to it was AdamW's, " in first
    assert "less than" not in first


def test_others_are_compared_with_the_comparisons_own_confidence(say, tmp_path):
    say(summarize=False, adamw=1.0, alphaadam=1.2, cautious_adamw=1.4)
    folder = ComparisonFolder(
        tmp_path / "c", loss=lambda *of: 2 - {"adamw": 0, "alphaadam": 1}.get(of[0], 1.5 + 0.1 * (of[2] == 9))
    )
    folder.fill("adamw", "alphaadam", "cautious-adamw").summarize(confidence=0.9)
    _, second = sentences(load_comparison(folder.root, quiet))
    values = [0.5, 0.6, 0.5]
    low, high = stats.t.interval(0.9, 2, statistics.fmean(values), stats.sem(values))
    assert f"Cautious AdamW ends lower than it, by 0.5333 [90 % interval {low:.4f} to {high:.4f}]." in second


def test_of_two_comparisons_of_one_task_and_framework_the_one_with_more_trials_speaks(say, tmp_path):
    few, many = say(name="few", adamw=1, alphaadam=1.2), say(name="many", adamw=1, alphaadam=1.2, lion=0.9)
    other = say(name="other", framework="jax", adamw=1, alphaadam=1.2)
    anchors = [answer.anchor for answer in answers(Results(comparisons=(few, many, other)))]
    first = [item.slug for item in named(Results(comparisons=(few, many, other)))]
    assert anchors == [f"{kind}-{slug}" for slug in first[1:] for kind in ("to-target", "final-loss")]


def test_this_repositorys_comparison_is_told_by_its_own_figures():
    folder = Path("bench/results/compare/gpt2-nano-torch")
    of = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))["optimizers"]
    final = {name: {trial["seed"]: trial["loss"]["100"] for trial in one["final"]} for name, one in of.items()}
    first, second = sentences(load_comparison(folder, quiet))
    steps = {name: [trial["stepsToTarget"] for trial in one["final"]] for name, one in of.items()}
    best = min(statistics.fmean(values) for values in steps.values() if None not in values)
    assert f"in a mean of {best:.0f} steps [95 % interval " in first

    def ends(name, beside):
        differences = [final[name][seed] - final[beside][seed] for seed in final[name]]
        mean = statistics.fmean(differences)
        low, high = stats.t.interval(0.95, len(differences) - 1, mean, stats.sem(differences))
        return mean, f"{abs(mean):.4f} [95 % interval {min(abs(low), abs(high)):.4f} to {max(abs(low), abs(high)):.4f}]"

    mean, words = ends("alphaadam", "adamw")
    assert f"AlphaAdam's mean loss ends {words} {'lower' if mean < 0 else 'higher'} than AdamW's" in second
    mean, words = ends("cautious-adamw", "alphaadam")
    assert f"Cautious AdamW ends {'lower' if mean < 0 else 'higher'} than it, by {words}" in second
