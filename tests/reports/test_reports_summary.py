"""The paragraph at the top: it states what the files say, gaps and losses included."""

import pytest

from reports.sources import load_asv, load_conformance
from reports.summary import summarize

VALIDATION = "convergence.Convergence.track_validation_loss"
RATIO = "throughput.OptimizerStep.track_ratio_to_adamw"


@pytest.fixture
def summary(asv_folder, conformance_data, conformance_file):
    """Summarizes results in which these frameworks recorded what `change` makes of the usual values."""

    def make(change=lambda name, parameters, value: value, frameworks=("torch", "jax", "keras")):
        for framework in frameworks:
            asv_folder.measure(framework, change)
        return summarize(load_asv(asv_folder.root), load_conformance(conformance_file(conformance_data)))

    return make


def text(made):
    return " ".join(made.sentences)


def test_conformance_counts_cases_that_pass_in_every_adapter(summary):
    assert "9 of 9 conformance cases pass in both adapters (torch, keras-jax)." in text(summary())


def test_conformance_says_which_adapter_falls_short(summary, conformance_data):
    conformance_data["results"][0]["outcome"] = "fail"
    conformance_data["results"][3]["outcome"] = "skipped"
    del conformance_data["results"][5]
    expected = "6 of 9 conformance cases pass in both adapters (torch, keras-jax); torch 1 fail; keras-jax 1 skipped"
    assert f"{expected} and 1 missing." in text(summary())


def test_conformance_without_results_is_missing(summary, conformance_data):
    conformance_data["results"] = []
    assert "Conformance is missing" in text(summary())


def test_step_time_is_the_measured_ratio_in_each_framework(summary):
    expected = "1.50× in PyTorch, 1.60× in JAX and 1.70× in Keras."
    assert f"One AlphaAdam step takes, relative to AdamW's, {expected}" in text(summary())


def test_step_time_gives_both_ends_where_shapes_differ(summary):
    def slower(name, parameters, value):
        return value * 2 if (name, parameters) == (RATIO, ("alphaadam", "gpt2-small")) else value

    assert "1.50× to 3.00× in PyTorch" in text(summary(slower))


def test_what_was_not_measured_is_said_to_be_missing(summary):
    def failed(name, parameters, value):
        return None if parameters == ("alphaadam", "gpt2-small") else value

    made = summary(failed, frameworks=("torch", "jax"))
    assert "1.50× in PyTorch (1 of 2 shapes missing)" in text(made)
    assert "an unknown factor in Keras (missing)" in text(made)
    assert "unknown in Keras (missing)" in text(made)


def test_state_that_is_equal_everywhere_is_called_exact(summary):
    assert "Its state takes exactly as many bytes as AdamW's" in text(summary())


def test_state_that_is_larger_is_given_as_a_factor(summary):
    def larger(name, parameters, value):
        return value * 1.5 if "state" in name and parameters[0] == "alphaadam" else value

    assert "Its state takes, relative to AdamW's, 1.500× in PyTorch" in text(summary(larger))


def test_a_worse_loss_is_called_worse_and_a_better_one_is_no_victory(summary):
    def scripted(name, parameters, value):
        final = {"adamw": 1.5, "alphaadam": 1.75, "cautious-adamw": 1.6}
        return final[parameters[0]] if name == VALIDATION and parameters[1] == 100 else value

    made = text(summary(scripted))
    assert "At 100 % of the step budget its validation loss (nats/byte) is, compared with AdamW's, " in made
    assert "0.2500 higher (worse) in PyTorch, 0.2500 higher (worse) in JAX and" in made
    assert "one seed, no interval: these differences do not show which optimizer is better." in made

    def reversed_(name, parameters, value):
        return 3 - scripted(name, parameters, value)

    assert "0.2500 lower (better) in PyTorch" in text(summary(reversed_))


def test_the_table_has_every_answer_for_every_framework(summary, recorded):
    table = summary().table
    assert [headers for headers, _ in table.rows] == [("PyTorch",), ("JAX",), ("Keras",)]
    jax = dict(zip(table.columns[1:], table.rows[1][1], strict=True))
    assert jax["step time\ngpt2-small"].value == recorded(RATIO, "jax", ("alphaadam", "gpt2-small"))
    assert jax["loss at 100 %\nCautious AdamW"].value == recorded(VALIDATION, "jax", ("cautious-adamw", 100))
    assert jax["state\ngpt2-nano"].text == "1.000×"


def test_a_benchmark_that_asv_does_not_know_leaves_the_other_answers(asv_folder, summary):
    asv_folder.describe(without=RATIO)
    made = summary()
    assert f"Step time is missing: asv's benchmarks.json has no benchmark {RATIO}." in text(made)
    assert "Its state takes exactly" in text(made)


@pytest.mark.parametrize(("commit", "warned"), [("f" * 40, "of commit ffffffff"), (None, "do not say which commit")])
def test_results_of_different_commits_are_warned_of(summary, conformance_data, commit, warned):
    assert summary().warnings == []
    conformance_data["commit"] = commit
    assert warned in summary().warnings[0]
