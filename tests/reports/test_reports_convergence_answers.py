"""What the top of the page says of a comparison: only as much as its seeds show."""

import itertools
import math
import statistics
from pathlib import Path

import pytest
from scipy import stats

from reports.charts.convergence.answers import answers
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

    def interval(values, digits):
        low, high = stats.t.interval(0.95, len(values) - 1, statistics.fmean(values), stats.sem(values))
        return f"{statistics.fmean(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

    assert first.startswith(
        f"gpt2-nano, PyTorch: AlphaAdam reached the target loss ({target:.4f} nats/byte, tuned AdamW's median at 80 % "
        f"of the budget) in the fewest steps: {interval(own, 0)} of 40, over 3 seeds; {interval(pairs, 0)} fewer than "
        "AdamW."
    )
    times = [seconds("alphaadam", seed, 1) * step for seed, step in zip(SEEDS, own, strict=True)]
    assert f"In the least time: AlphaAdam, {interval(times, 1)} seconds; " in first
    ends = [3 * (math.exp(-1.0 * 40 / 15) - math.exp(-1.4 * 40 / 15))] * 3
    assert second.startswith(f"gpt2-nano, PyTorch: AlphaAdam ends {statistics.fmean(ends):.4f} [")
    assert "] lower than AdamW (nats/byte of validation loss, paired over 3 seeds, p < 0.0001 after Holm)" in second


def test_what_is_within_noise_is_not_called_a_win(say):
    def noise(optimizer, seed):
        return {"adamw": 0.0, "alphaadam": 0.02 * (seed - 9)}[optimizer]

    first, second = sentences(say(noise, adamw=1.0, alphaadam=1.01))
    assert "no difference is shown to A" in first
    assert "fewer than" not in first
    assert "lower than" not in second
    assert "beside AdamW, so no difference is shown" in second


def test_an_alphaadam_that_loses_is_said_to_lose(say):
    first, second = sentences(say(adamw=1.0, alphaadam=0.8))
    assert "AdamW reached the target loss" in first
    assert "it is the baseline itself" in first
    assert "Not with every seed: AlphaAdam 2 of 3." in first
    assert second.startswith("gpt2-nano, PyTorch: AlphaAdam loses: it ends ")
    assert "higher than AdamW" in second


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
    assert "AlphaAdam cannot be compared with AdamW at the end of the budget (0 of 3 final seeds of" in second


def test_an_optimizer_with_one_seed_left_is_not_compared(say, tmp_path):
    say(adamw=1.0, alphaadam=1.4, lion=0.9)
    folder = ComparisonFolder(tmp_path / "c")
    for seed in SEEDS[:2]:
        folder.write("lion", BEST, seed, "diverged", end=4)
    _, second = sentences(load_comparison(folder.root, quiet))
    assert second.endswith("p < 0.0001 after Holm). Too few seeds finished to compare it with Lion.")


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
    assert "there is no target" in sentence


def test_the_real_comparison_says_that_cautious_adamw_ends_lower():
    first, second = sentences(load_comparison(Path("bench/results/compare/gpt2-nano-torch"), quiet))
    assert "Cautious AdamW reached the target loss (2.3185 nats/byte" in first
    assert "254 [247, 260] of 360, over 5 seeds; 39 [31, 46] fewer than AdamW" in first
    assert "no difference is shown to AlphaAdam (258) and AdamW+AM (260)" in first
    assert "AlphaAdam ends 0.0764 [0.0570, 0.0958] lower than AdamW" in second
    assert "Cautious AdamW ends lower than it, by 0.0253 [" in second
