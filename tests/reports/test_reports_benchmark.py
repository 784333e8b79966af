"""How often comparisons of commits are wrong is counted as they were made, with exact intervals."""

import json
from pathlib import Path

import pytest
import vl_convert
from scipy import stats

from reports.charts.benchmark.answers import answers
from reports.charts.benchmark.noise import BesideItself
from reports.charts.benchmark.power import ComparingCommits
from reports.charts.benchmark.rates import NOTHING, SLOWED, exact_interval, rates
from reports.results import Results
from reports.sources.error import SourceError
from reports.sources.power import load_power
from reports.sources.read import read
from tests.reports.speed_files import cell, write

RESULTS = Path(__file__).parents[2] / "bench" / "results"
OURS, ASV = "python -m bench changes", "asv continuous"


def made(words, kind="null", method=OURS, seconds=100.0, **changes):
    """A comparison whose cases are AlphaAdam's, AdamW's and so on, with these words."""
    optimizers = ("alphaadam", "adamw", "cautious-adamw")
    cases = [
        {"framework": "torch", "optimizer": optimizer, "shapes": "s", "word": word}
        for optimizer, word in zip(optimizers, words, strict=False)
    ]
    machine = {"processor": "Fast One", "system": "Linux x", "cores": 2}
    record = {"method": method, "kind": kind, "commit": "a" * 40, "machine": machine, "seconds": seconds}
    return {**record, "cases": cases, **changes}


@pytest.fixture
def load(tmp_path):
    """Reads comparisons, and gives them with what was complained about."""

    def load_records(*records):
        path = tmp_path / "power.json"
        path.write_text(json.dumps({"schema": "alphaadam-power-1", "comparisons": list(records)}))
        complaints = []
        return load_power(path, lambda path, reason: complaints.append(reason)), complaints

    return load_records


SAME = "no change shown"
EXPERIMENT = (
    made([SAME, SAME, SAME], seconds=100.0),
    made(["slower", "faster", SAME], seconds=120.0),
    made(["slower", SAME, SAME], "planted", seconds=90.0),
    made(["faster", "slower", "slower"], "planted", seconds=80.0),
    made([SAME, SAME], method=ASV, seconds=300.0),
)


def test_reports_of_nothing_and_found_slowdowns_are_counted_apart(load):
    power, complaints = load(*EXPERIMENT)
    assert complaints == []
    nothing, slowed, asv = rates(power)
    # AdamW runs on kernels that nobody slowed: its two cases of the planted comparisons count as nothing.
    assert (nothing.method, nothing.truth, nothing.cases, nothing.reported, nothing.wrong) == (OURS, NOTHING, 8, 3, 3)
    assert (nothing.comparisons, nothing.wrong_comparisons) == (4, 2)
    # Found are slowdowns: a report of a speed-up is none.
    assert (slowed.truth, slowed.cases, slowed.reported, slowed.wrong) == (SLOWED, 4, 2, 2)
    assert (slowed.comparisons, slowed.wrong_comparisons) == (2, 2)
    assert slowed.seconds == (80.0, 90.0)
    assert (asv.method, asv.truth, asv.cases, asv.reported) == (ASV, NOTHING, 2, 0)


@pytest.mark.parametrize(("found", "of"), [(0, 24), (24, 24), (3, 8), (1, 372)])
def test_intervals_are_those_of_clopper_and_pearson(found, of):
    low = stats.beta.ppf(0.025, found, of - found + 1) if found else 0.0
    high = stats.beta.ppf(0.975, found + 1, of - found) if found < of else 1.0
    assert exact_interval(found, of) == pytest.approx((low, high))
    if found == 0:
        assert exact_interval(found, of)[1] == pytest.approx(1 - 0.025 ** (1 / of))


def test_the_table_and_the_chart_have_every_rate(load):
    power, _ = load(*EXPERIMENT)
    (figure,) = ComparingCommits().draw(Results(powers=(power,)))
    table = {names: dict(zip(figure.tables[0].columns[2:], row, strict=True)) for names, row in figure.tables[0].rows}
    ours = table[OURS, "no difference"]
    assert ours["rate"].value == 3 / 8
    assert ours["95 % interval\nupper"].value == pytest.approx(stats.beta.ppf(0.975, 4, 5))
    assert ours["seconds per comparison\nmedian"].value == 95.0
    assert ours["seconds per comparison\nmost"].value == 120.0
    assert figure.missing == [f"Found slowdowns: kernels 10 % slower: not tried with {ASV}."]
    false, found = figure.panels
    assert f"{OURS} 3 of 8, 37.5 % (95 % interval 8.5 to 75.5 %)" in false.description
    assert f"{OURS} 2 of 4" in found.description
    for panel in figure.panels:
        assert "</svg>" in vl_convert.vegalite_to_svg({**panel.spec, "width": 300}, vl_version="6.4")


def test_the_answer_gives_rates_with_intervals_for_each_method(load):
    power, _ = load(*EXPERIMENT)
    ours, asv = answers(Results(powers=(power,)))
    assert ours.sentence == (
        f"Comparing two commits, {OURS} reported a change in 3 of 8 cases where nothing differed, 37.5 % (95 % interval"
        " 8.5 to 75.5 %) and found a slowdown in 2 of 4 cases whose kernels take 10 % longer, 50 % (95 % interval 6.8"
        " to 93.2 %). (The intervals take cases as independent; those of one comparison are not quite.)"
    )
    assert asv.sentence.startswith(f"Comparing two commits, {ASV} reported a change in 0 of 2 cases")
    assert ours.anchor == "comparing-commits"


def test_this_repositorys_experiment_is_counted_right():
    path = RESULTS / "power-cpu.json"
    power = load_power(path, lambda path, reason: pytest.fail(reason))
    records = json.loads(path.read_text(encoding="utf-8"))["comparisons"]
    for rate in rates(power):
        cases = [
            (item["word"], record["kind"] == "planted" and item["optimizer"] != "adamw")
            for record in records
            if record["method"] == rate.method
            for item in record["cases"]
        ]
        words = [word for word, slowed in cases if slowed == (rate.truth == SLOWED)]
        assert rate.cases == len(words) > 0
        assert rate.reported == sum(word == "slower" or (word == "faster" and rate.truth == NOTHING) for word in words)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (None, "It is no comparison with a list of cases"),
        (made([SAME], cases=None), "It is no comparison with a list of cases"),
        (made([SAME], kind="imagined"), "its kind is none of null and planted"),
        (made([SAME], method=3), "It names no method"),
    ],
)
def test_what_is_no_comparison_is_named_and_left_out(load, record, reason):
    power, complaints = load(record, made([SAME]))
    assert len(power.comparisons) == 1
    assert len(complaints) == 1
    assert complaints[0].startswith("comparisons[0]: ")
    assert reason in complaints[0]


def test_a_case_that_says_nothing_known_is_named_and_not_counted(load):
    power, complaints = load(made([SAME, "perhaps", None]))
    assert [case.optimizer for case in power.comparisons[0].cases] == ["alphaadam"]
    assert [reason.partition(" names")[0] for reason in complaints] == [
        "comparisons[0]: cases[1]",
        "comparisons[0]: cases[2]",
    ]


def test_what_stands_twice_is_counted_once(load):
    doubled = made([SAME, SAME])
    doubled["cases"].append({**doubled["cases"][0], "word": "slower"})
    power, complaints = load(doubled, doubled, made([SAME, SAME], seconds=100.5))
    assert [len(item.cases) for item in power.comparisons] == [2, 2]
    assert any("torch alphaadam s was there before" in reason for reason in complaints)
    assert any("the same as an earlier one" in reason for reason in complaints)


@pytest.mark.parametrize("seconds", [None, "long", float("nan"), -1])
def test_a_comparison_of_unknown_length_counts_and_its_seconds_are_missing(load, seconds):
    power, complaints = load(made([SAME], seconds=seconds))
    assert complaints == ["comparisons[0]: Its seconds are no number."]
    (figure,) = ComparingCommits().draw(Results(powers=(power,)))
    assert [item.missing for item in figure.tables[0].rows[0][1][-2:]] == ["not in the file"] * 2


def test_an_empty_experiment_draws_nothing_and_says_so(load):
    power, _ = load()
    (figure,) = ComparingCommits().draw(Results(powers=(power,)))
    assert (figure.panels, figure.tables) == ([], [])
    assert len(figure.missing) == 2
    assert answers(Results(powers=(power,))) == []
    assert ComparingCommits().draw(Results()) == BesideItself().draw(Results()) == answers(Results()) == []


def test_a_file_without_comparisons_is_refused_in_words(tmp_path):
    path = tmp_path / "power.json"
    path.write_text('{"schema": "alphaadam-power-1", "comparisons": {}}')
    with pytest.raises(SourceError, match="It has no list of comparisons"):
        load_power(path, lambda path, reason: None)


def test_the_origin_counts_comparisons_and_names_machine_and_commit(load):
    power, _ = load(*EXPERIMENT)
    origin = power.origin()
    assert ("machine", "Fast One, 2 cores, Linux x") in origin.facts
    assert (OURS, "2 null and 2 planted comparisons") in origin.facts
    assert ("commit", "a" * 40) in origin.facts
    assert origin.command == "python -m bench power --null 2 --planted 2 --asv-null 1 --asv-planted 0"


def test_adamw_beside_itself_shows_how_far_ratios_can_be_off(tmp_path):
    write(
        tmp_path / "torch-speed-cpu.json",
        cell("adamw-fused", ratio=1.0),
        cell("adamw-loop", ratio=4.0),  # beside the fused one: no noise
        cell("adamw-fused", shapes="gpt2-nano", ratio=5.0, coresBusyElsewhere=1.5),
        cell("alphaadam-fused", ratio=1.5),
    )
    write(tmp_path / "optax-speed-cpu.json", cell("adamw-eager", ratio=0.8), framework="optax")
    found = read([tmp_path])
    (figure,) = BesideItself().draw(found)
    names = [names for names, _ in figure.tables[0].rows]
    assert names == [
        ("PyTorch fused, speed", "gpt2-small", "float32"),
        ("PyTorch fused, speed", "gpt2-nano", "float32†"),
        ("Optax on JAX eager, speed", "gpt2-small", "float32"),
    ]
    assert "in Optax on JAX eager on gpt2-small in float32" in figure.lead
    (answer,) = answers(found)
    assert "in 2 measurements on a CPU (farthest from 1: Optax on JAX eager, gpt2-small)" in answer.sentence
    assert answer.anchor == figure.anchor == "adamw-beside-itself-cpu"
    for panel in figure.panels:
        assert "</svg>" in vl_convert.vegalite_to_svg({**panel.spec, "width": 300}, vl_version="6.4")
