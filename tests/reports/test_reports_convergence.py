"""The figures of comparisons: every number that is drawn, recomputed from what the records hold."""

import itertools
import json
import math
import re
import statistics

import pytest
import vl_convert
from scipy import stats

from reports.anchors import slug
from reports.charts.convergence.ablation import Ablation
from reports.charts.convergence.curves import TrainingCurves, ValidationCurves
from reports.charts.convergence.directions import Directions
from reports.charts.convergence.final_loss import FinalLoss, joint_tests
from reports.charts.convergence.frameworks import Frameworks
from reports.charts.convergence.learning_rates import LearningRates
from reports.charts.convergence.naming import named
from reports.charts.convergence.performance_profile import PerformanceProfile, profile, shares
from reports.charts.convergence.tensors import Tensors
from reports.charts.convergence.to_target import ToTarget
from reports.results import Results
from reports.sources.comparisons import load_comparison
from tests.reports.comparison_folders import (
    BEST,
    RATES,
    SEARCH_SEED,
    SEEDS,
    TENSORS,
    ComparisonFolder,
    alpha,
    batch_loss,
    correlation,
    loss,
    seconds,
    write_lines,
)

CHARTS = (
    ToTarget(),
    FinalLoss(),
    ValidationCurves(),
    TrainingCurves(),
    LearningRates(),
    Ablation(),
    Frameworks(),
    Tensors("alpha"),
    Tensors("maskFraction"),
    Directions(),
)


def quiet(path, reason):
    raise AssertionError(f"{path}: {reason}")


def results(*folders, complain=quiet):
    return Results(comparisons=tuple(load_comparison(folder.root, complain) for folder in folders))


@pytest.fixture
def folder(tmp_path):
    """A folder with a whole comparison."""
    made = ComparisonFolder(tmp_path / "compare").fill()
    made.summarize()
    return made


@pytest.fixture
def draw(folder):
    """Draws the only figure of a chart."""

    def draw_chart(chart):
        (figure,) = chart.draw(results(folder))
        return figure

    return draw_chart


def rows(data, **keys):
    """The rows with these values, as dictionaries."""
    found = [dict(zip([field.name for field in data.fields], row, strict=True)) for row in data.rows]
    return [row for row in found if all(row[key] == value for key, value in keys.items())]


def cells(table):
    """The cells by row header and column."""
    return {
        (*headers, column): cell
        for headers, row in table.rows
        for column, cell in zip(table.columns[len(headers) :], row, strict=True)
    }


def compiled(figure):
    """The panels as SVG, with the data that the page gives them."""
    data = {item.anchor: rows(item) for item in figure.data}
    return [
        vl_convert.vegalite_to_svg({**panel.spec, "width": 300, "datasets": data}, vl_version="6.4")
        for panel in figure.panels
    ]


def digits(value):
    return float(f"{value:.7g}")


def test_validation_loss_is_the_median_and_the_range_over_seeds(draw):
    data = draw(ValidationCurves()).data[0]
    assert len(data.rows) == 3 * 20
    (row,) = rows(data, optimizer="AlphaAdam", step=26)
    values = [loss("alphaadam", BEST, seed, 26) for seed in SEEDS]
    assert (row["median"], row["low"], row["high"]) == tuple(
        map(digits, (statistics.median(values), min(values), max(values)))
    )
    assert row["seconds"] == pytest.approx(
        statistics.median(seconds("alphaadam", seed, 26) for seed in SEEDS), rel=1e-4
    )
    assert (row["tokens"], row["seeds"]) == (26 * 8 * 128, 3)


@pytest.mark.parametrize("pace", [1.0, 0.3])
def test_losses_above_the_drawing_are_counted_by_their_last_step(tmp_path, pace):
    def slow(optimizer, rate, seed, step):
        # The drawing begins with the highest median at step 8, which is Lion's; one seed stays above it for longer.
        late = 3 * (step < 25) if (optimizer, seed) == ("adamw", 9) and pace < 1 else 0
        return 2 + 3 * math.exp(-step / 15) + late

    folder = ComparisonFolder(tmp_path / "slow", loss=slow).fill("adamw", "lion")
    (figure,) = ValidationCurves().draw(results(folder))
    assert figure.panels[0].spec["layer"]
    said = re.search(
        r"Losses above (\S+) nats/byte lie above the drawings: all of them are of the first (\d+)", figure.lead
    )
    assert int(said[2]) == (6 if pace == 1 else 24)
    top = float(said[1])
    above = [row["step"] for row in rows(figure.data[0]) if row["high"] > top]
    assert max(above) == int(said[2])


def test_a_drawing_that_holds_every_loss_leaves_none_out(tmp_path):
    folder = ComparisonFolder(tmp_path / "flat", loss=lambda *of: 2.0).fill("adamw")
    (figure,) = ValidationCurves().draw(results(folder))
    assert "above the drawings" not in figure.lead


def test_training_loss_is_a_mean_over_windows_of_steps(tmp_path):
    folder = ComparisonFolder(tmp_path / "long", steps=250).fill("adamw")
    (figure,) = TrainingCurves().draw(results(folder))
    assert "each seed's mean over 3 steps" in figure.lead
    assert len(figure.data[0].rows) == 84
    (row,) = rows(figure.data[0], step=30)
    means = [statistics.fmean(batch_loss("adamw", BEST, seed, step) for step in (28, 29, 30)) for seed in SEEDS]
    assert (row["median"], row["low"], row["high"]) == tuple(
        map(digits, (statistics.median(means), min(means), max(means)))
    )
    (last,) = rows(figure.data[0], step=250)  # the last window has one step only
    assert last["median"] == digits(statistics.median(batch_loss("adamw", BEST, seed, 250) for seed in SEEDS))


def test_a_seed_that_diverged_counts_as_higher_than_every_loss(folder):
    folder.write("alphaadam", BEST, 9, "diverged", end=21)
    (figure,) = ValidationCurves().draw(results(folder))
    (row,) = rows(figure.data[0], optimizer="AlphaAdam", step=26)
    others = sorted(loss("alphaadam", BEST, seed, 26) for seed in (8, 10))
    assert (row["median"], row["low"], row["high"], row["seeds"]) == (digits(others[1]), *map(digits, others), 3)
    assert any("AlphaAdam: 1 of 3 seeds diverged" in note for note in figure.missing)
    folder.write("alphaadam", BEST, 10, "diverged", end=29)
    (figure,) = ValidationCurves().draw(results(folder))
    assert max(row["step"] for row in rows(figure.data[0], optimizer="AlphaAdam")) == 28


def test_a_running_trial_is_drawn_where_none_has_ended(folder):
    for seed in SEEDS:
        path = folder.path("lion", BEST, seed)
        path.unlink()
        write_lines(folder.root / f".{path.stem}.1.running", folder.lines("lion", BEST, seed, end=10 + seed))
    (figure,) = ValidationCurves().draw(results(folder))
    assert max(row["step"] for row in rows(figure.data[0], optimizer="Lion")) == 18
    assert any("3 of 3 seeds have not ended and are drawn as far as all of them got" in note for note in figure.missing)
    folder.write("lion", BEST, 8)
    (folder.root / f".{folder.path('lion', BEST, 8).stem}.1.running").unlink()
    (figure,) = ValidationCurves().draw(results(folder))
    assert max(row["step"] for row in rows(figure.data[0], optimizer="Lion")) == 40
    assert any("2 of 3 seeds have not ended and are not drawn" in note for note in figure.missing)


def test_failed_seeds_are_counted_and_not_drawn(folder):
    folder.write("lion", BEST, 9, "failed", error="died")
    (figure,) = TrainingCurves().draw(results(folder))
    assert rows(figure.data[0], optimizer="Lion")[0]["seeds"] == 2
    assert any("1 of 3 seeds failed" in note for note in figure.missing)
    (figure,) = FinalLoss().draw(results(folder))
    assert cells(figure.tables[0])["Lion", "failed"].value == 1


def test_optimizers_without_records_are_named(folder):
    for seed in SEEDS:
        folder.path("lion", BEST, seed).unlink()
    for chart in (ValidationCurves(), TrainingCurves()):
        (figure,) = chart.draw(results(folder))
        assert "Lion: no curve, as no record of a final trial is there." in figure.missing
        assert not rows(figure.data[0], optimizer="Lion")


def test_the_size_of_a_curve_does_not_grow_with_the_budget(tmp_path):
    folder = ComparisonFolder(tmp_path / "long", steps=3000)
    folder.write("alphaadam", BEST, 8)
    made = results(folder)
    assert len(TrainingCurves().draw(made)[0].data[0].rows) == 100
    assert len(Directions().draw(made)[0].data[0].rows) == 100
    heat, quantiles = Tensors("alpha").draw(made)[0].data
    assert len(heat.fields) == 2 + 301  # 4 tensors: all observed steps have room
    assert len(quantiles.rows) == 100


def test_a_map_of_many_tensors_shows_fewer_steps_and_says_so(tmp_path):
    folder = ComparisonFolder(tmp_path / "wide", steps=200)
    lines = folder.lines("alphaadam", BEST, 8)
    lines[0]["tensors"] = [f"t{number}" for number in range(400)]
    for line in lines:
        if "alpha" in line:
            line["alpha"] = [1.5] * 400
            del line["maskFraction"]
    write_lines(folder.path("alphaadam", BEST, 8), [*lines, {"kind": "footer", "outcome": "finished"}])
    (figure,) = Tensors("alpha").draw(results(folder))
    assert len(figure.data[0].fields) == 2 + 10
    assert figure.data[0].fields[2].name == "s1"
    assert figure.data[0].fields[-1].name == "s200"
    assert "AlphaAdam: the map shows 10 of 21 observed steps." in figure.missing


def student(values):
    low, high = stats.t.interval(0.95, len(values) - 1, statistics.fmean(values), stats.sem(values))
    return statistics.fmean(values), low, high


def test_final_losses_and_paired_differences_have_students_intervals(draw):
    figure = draw(FinalLoss())
    losses = {name: [loss(name, BEST, seed, 40) for seed in SEEDS] for name in ("adamw", "alphaadam", "lion")}
    here = cells(figure.tables[0])
    found = [here["AlphaAdam", column].value for column in ("loss", "low", "high")]
    assert found == pytest.approx(student(losses["alphaadam"]))
    assert here["AlphaAdam", "rate"].value == BEST
    assert here["AlphaAdam", "finished"].value == 3
    differences = {
        name: [a - b for a, b in zip(losses[name], losses["adamw"], strict=True)] for name in ("alphaadam", "lion")
    }
    p = {name: stats.ttest_1samp(values, 0).pvalue for name, values in differences.items()}
    beside = cells(figure.tables[1])
    for name, label, words in (("alphaadam", "AlphaAdam", "lower loss"), ("lion", "Lion", "higher loss")):
        found = [beside[label, words, column].value for column in ("difference", "low", "high")]
        assert found == pytest.approx(student(differences[name]))
        assert beside[label, words, "p"].value == pytest.approx(p[name])
        other = p["lion" if name == "alphaadam" else "alphaadam"]
        expected = 2 * p[name] if p[name] <= other else max(p[name], 2 * other)
        assert beside[label, words, "p, Holm"].value == pytest.approx(expected)


def test_an_axis_that_leaves_out_zero_is_said(tmp_path, draw):
    assert draw(FinalLoss()).lead.endswith("The axis of the losses does not begin at 0.")
    folder = ComparisonFolder(tmp_path / "near", loss=lambda *of: 0.1 * (of[2] - 8)).fill("adamw")
    assert "begin at 0" not in FinalLoss().draw(results(folder))[0].lead


def test_differences_that_were_not_tested_are_no_comparisons(folder):
    for seed in SEEDS[1:]:
        folder.write("lion", BEST, seed, "diverged", end=4)
    (comparison,) = results(folder).comparisons
    assert joint_tests(comparison.standings) == 1


def test_a_difference_within_noise_is_said_to_show_nothing(tmp_path):
    def noisy(optimizer, rate, seed, step):
        return loss("adamw", rate, seed, step) + (0.01 * (seed - 9) if optimizer == "alphaadam" else 0)

    folder = ComparisonFolder(tmp_path / "noisy", loss=noisy).fill("adamw", "alphaadam")
    (figure,) = FinalLoss().draw(results(folder))
    assert figure.tables[1].rows[0][0] == ("AlphaAdam", "no difference shown")


def test_one_seed_has_a_loss_but_no_interval(tmp_path):
    folder = ComparisonFolder(tmp_path / "one")
    for name in ("adamw", "alphaadam"):
        folder.write(name, BEST, 8)
    (figure,) = FinalLoss().draw(results(folder))
    found = cells(figure.tables[0])
    assert found["AdamW", "loss"].value == loss("adamw", BEST, 8, 40)
    assert found["AdamW", "low"].missing == "one seed has no interval"
    assert figure.tables[1].rows[0][0] == ("AlphaAdam", "too few pairs to say")


def reached(optimizer, seed, target):
    """Steps to the target, by hand."""
    points = [(step, loss(optimizer, BEST, seed, step)) for step in range(2, 41, 2)]
    for (before, high), (after, low) in itertools.pairwise(points):
        if low <= target:
            return before + (high - target) / (high - low) * (after - before)
    return None


def test_steps_and_seconds_to_the_target_are_means_over_seeds(draw):
    figure = draw(ToTarget())
    found = cells(figure.tables[0])
    target = statistics.median(loss("adamw", BEST, seed, 32) for seed in SEEDS)
    steps = [reached("alphaadam", seed, target) for seed in SEEDS]
    row = [cell.value for headers, cells_ in figure.tables[0].rows if headers == ("AlphaAdam",) for cell in cells_]
    assert row[:3] == pytest.approx(student(steps))
    times = [seconds("alphaadam", seed, 1) * step for seed, step in zip(SEEDS, steps, strict=True)]
    assert row[3:6] == pytest.approx(student(times))
    assert row[6:8] == [3, 3]
    assert figure.tables[0].columns[1:4] == ["steps", "low", "high"]
    end = statistics.median(loss("adamw", BEST, seed, 40) for seed in SEEDS)
    final = [cell.value for headers, cells_ in figure.tables[1].rows if headers == ("AlphaAdam",) for cell in cells_]
    assert final == pytest.approx([*student([reached("alphaadam", seed, end) for seed in SEEDS]), 3, 3])
    assert found["Lion", "steps"].missing == "reached by 0 of 3"
    assert f"{target:.4f}" in figure.lead


def test_seconds_are_said_to_show_nothing_of_the_machine(draw):
    lead = draw(ToTarget()).lead
    assert "the trials of one optimizer ran together, at other times than those of the others" in lead
    assert "the intervals of seconds cover the seeds, not the state of the machine; compare steps rather than" in lead


def test_without_a_target_the_figure_says_what_it_waits_for(folder, tmp_path):
    folder.write("adamw", BEST, 9, "diverged", end=5)
    (figure,) = ToTarget().draw(results(folder))
    assert not figure.panels
    assert figure.missing[0].startswith("There is no target: ")
    assert "not all final trials of AdamW got there" in figure.missing[0]
    other = ComparisonFolder(tmp_path / "other").fill("lion")
    (figure,) = ToTarget().draw(results(other))
    assert figure.missing[0].startswith("There is no target yet: ")
    assert "no trial of AdamW is there" in figure.missing[0]
    other.summarize()
    (figure,) = ToTarget().draw(results(other))
    assert "AdamW was not part of the comparison" in figure.missing[0]


def test_the_search_has_every_rate_and_marks_the_best(draw):
    figure = draw(LearningRates())
    data = figure.data[0]
    assert len(data.rows) == 9
    (row,) = rows(data, optimizer="AlphaAdam", rate=BEST)
    assert (row["loss"], row["best"], row["outcome"]) == (loss("alphaadam", BEST, SEARCH_SEED, 40), "yes", "finished")
    assert [row["best"] for row in rows(data, optimizer="Lion")] == ["no", "yes", "no"]


def test_rates_that_diverged_are_marked_and_listed(folder):
    folder.write("lion", 0.004, SEARCH_SEED, "diverged", end=3)
    (figure,) = LearningRates().draw(results(folder))
    (row,) = rows(figure.data[0], optimizer="Lion", rate=0.004)
    assert (row["loss"], row["outcome"]) == (None, "diverged")
    assert "Lion: diverged at the rate 0.004." in figure.missing
    assert "An arrow at the top marks" in figure.lead
    assert "↑" in compiled(figure)[0]


def test_growth_and_edges_of_a_grid_are_said(folder):
    for seed in SEEDS:
        folder.path("lion", BEST, seed).unlink()
        folder.write("lion", 0.004, seed)
    (figure,) = LearningRates().draw(results(folder))
    assert "Lion: the best rate so far lies at the edge of its grid." in figure.missing
    entry = {
        "search": {
            "bestLearningRate": 0.002,
            "remark": "something is odd",
            "addedAtEdges": 1,
            "grid": [{"learningRate": rate, "finalValidationLoss": 2.0, "outcome": "finished"} for rate in RATES],
        },
        "final": [],
        "loss": {},
        "stepsToTarget": {"n": 0, "mean": None, "low": None, "high": None, "reached": 0, "of": 0},
        "stepsToBaselineLoss": {"n": 0, "mean": None, "low": None, "high": None, "reached": 0, "of": 0},
    }
    folder.summarize(optimizers={"lion": entry})
    (figure,) = LearningRates().draw(results(folder))
    assert "Lion's grid of 2 grew by 1 rate, as its best lay at the edge." in figure.lead
    assert "Lion: something is odd." in figure.missing


def test_the_ablation_stands_beside_the_papers_figures(tmp_path):
    folder = ComparisonFolder(tmp_path / "a").fill("adamw", "alphaadam", "adamw-am")
    (figure,) = Ablation().draw(results(folder))
    found = cells(figure.tables[0])
    here, paper = "here: gpt2-nano", "the paper: GPT-2 125M"
    mean = statistics.fmean(loss("adamw-am", BEST, seed, 16) for seed in SEEDS)
    base = statistics.fmean(loss("adamw", BEST, seed, 16) for seed in SEEDS)
    assert found["+AM", here, "loss\n40 %"].value == pytest.approx(mean)
    assert found["+AM", here, "beside\n40 %"].value == pytest.approx(100 * (mean / base - 1))
    assert found["+AM+α", paper, "loss\n20 %"].value == 3.658
    assert found["+AM+α", paper, "beside\n20 %"].value == pytest.approx(-3.7, abs=0.02)
    assert found["+SM", paper, "loss\n100 %"].value == 3.227
    assert found["+SM", here, "loss\n100 %"].missing == "not run"
    assert figure.missing == ["+SM was not run here (adamw-sm)."]
    assert "another model, other data and another budget" in figure.lead


def test_without_masked_optimizers_there_is_no_ablation(tmp_path):
    folder = ComparisonFolder(tmp_path / "a").fill("adamw", "lion")
    assert Ablation().draw(results(folder)) == []


def test_frameworks_lie_over_one_another_where_they_share_rate_and_seeds(tmp_path):
    def shifted(optimizer, rate, seed, step):
        return loss(optimizer, rate, seed, step) * (1 + 1e-6 * step * (seed - 7))

    torch = ComparisonFolder(tmp_path / "torch").fill("adamw", "alphaadam")
    jax = ComparisonFolder(tmp_path / "jax", framework="jax", loss=shifted).fill("adamw", "lion")
    jax.path("adamw", BEST, 10).unlink()
    (figure,) = Frameworks().draw(results(torch, jax))
    assert figure.anchor == "frameworks-gpt2-nano"
    assert [panel.heading for panel in figure.panels] == ["AdamW"]
    assert figure.missing == [
        "AlphaAdam: no rate and seed was trained in two frameworks.",
        "Lion: no rate and seed was trained in two frameworks.",
    ]
    (row,) = rows(figure.data[0], framework="JAX", step=33)
    values = [shifted("adamw", BEST, seed, 33) + 0.01 * math.sin(33 + seed) for seed in (8, 9)]
    assert row["median"] == digits(statistics.median(values))
    found = cells(figure.tables[0])
    relative = {
        step: max(
            (shifted("adamw", BEST, seed, step) - loss("adamw", BEST, seed, step))
            / batch_loss("adamw", BEST, seed, step)
            for seed in (8, 9)
        )
        for step in range(1, 41)
    }
    step = max(relative, key=lambda step: relative[step])
    assert found["AdamW", "PyTorch and JAX", "largest relative\ndifference"].value == pytest.approx(relative[step])
    assert found["AdamW", "PyTorch and JAX", "at step"].value == step
    assert found["AdamW", "PyTorch and JAX", "seeds"].value == 2


def test_another_task_is_not_laid_over_this_one(tmp_path):
    torch = ComparisonFolder(tmp_path / "torch").fill("adamw")
    other = ComparisonFolder(tmp_path / "other", task="gpt2-other", framework="jax").fill("adamw")
    assert Frameworks().draw(results(torch, other)) == []


def test_alpha_and_mask_are_medians_over_seeds_by_tensor_and_step(draw):
    figure = draw(Tensors("alpha"))
    data = figure.data[0]
    assert [field.name for field in data.fields] == ["number", "tensor", "s1", "s10", "s20", "s30", "s40"]
    (row,) = rows(data, tensor=TENSORS[2])
    assert row["s30"] == float(f"{statistics.median(alpha('alphaadam', seed, 30, 2) for seed in SEEDS):.4g}")
    mask = draw(Tensors("maskFraction")).data[0]
    (row,) = rows(mask, tensor=TENSORS[3])
    assert row["s40"] == float(f"{statistics.median(1 / alpha('alphaadam', seed, 40, 3) for seed in SEEDS):.4g}")
    assert [panel.heading for panel in figure.panels] == ["AlphaAdam", "Lion", "Quantiles over tensors"]
    assert 'capped at 2 by AlphaAdam\'s rule and at 1000 by the rule "count", which Cautious AdamW uses.' in figure.lead


def test_quantiles_are_over_tensors(draw):
    data = draw(Tensors("alpha")).data[-1]
    (row,) = rows(data, optimizer="AlphaAdam", step=30)
    values = [statistics.median(alpha("alphaadam", seed, 30, index) for seed in SEEDS) for index in range(4)]
    quarter, middle, three = statistics.quantiles(values, n=4, method="inclusive")
    assert [row["q25"], row["q50"], row["q75"]] == pytest.approx([quarter, middle, three], rel=1e-3)


def test_an_alpha_of_one_throughout_is_no_map(folder):
    for seed in SEEDS:
        path = folder.path("lion", BEST, seed)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        write_lines(path, [{**line, "alpha": [1.0] * 4} if "alpha" in line else line for line in lines])
    (figure,) = Tensors("alpha").draw(results(folder))
    assert [panel.heading for panel in figure.panels] == ["AlphaAdam", "Quantiles over tensors"]


def test_tensors_that_were_not_observed_stay_empty(folder):
    for seed in SEEDS:
        path = folder.path("alphaadam", BEST, seed)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        changed = [{**line, "alpha": [None, *line["alpha"][1:]]} if "alpha" in line else line for line in lines]
        write_lines(path, changed)
    (figure,) = Tensors("alpha").draw(results(folder))
    (row,) = rows(figure.data[0], tensor=TENSORS[0])
    assert row["s30"] is None
    assert all("</svg>" in svg for svg in compiled(figure))


def test_directions_are_medians_where_they_were_recorded(draw, tmp_path):
    figure = draw(Directions())
    assert [panel.heading for panel in figure.panels] == ["Gradient correlation", "Directional sharpness"]
    (row,) = rows(figure.data[0], optimizer="AlphaAdam", step=20)
    assert row["median"] == digits(statistics.median(correlation("alphaadam", seed, 20) for seed in SEEDS))
    (row,) = rows(figure.data[1], optimizer="Lion", step=40)
    assert (row["low"], row["median"], row["high"]) == (408, 409, 410)


def test_directions_that_were_not_recorded_make_no_figure(tmp_path):
    folder = ComparisonFolder(tmp_path / "plain")
    lines = [
        {key: value for key, value in line.items() if key not in ("gradientCorrelation", "directionalSharpness")}
        for line in folder.lines("adamw", BEST, 8)
    ]
    write_lines(folder.path("adamw", BEST, 8), [*lines, {"kind": "footer", "outcome": "finished"}])
    made = results(folder)
    assert Directions().draw(made) == []
    assert Tensors("alpha").draw(made) == []


def test_a_performance_profile_needs_five_tasks(tmp_path):
    def of_task(number):
        def changed(optimizer, rate, seed, step):
            faster = {"alphaadam": (1.0, 1.5, 0.9, 1.1, 0.3)[number], "adamw": 1.0}.get(optimizer, 0.95)
            return 2 + 3 * math.exp(-faster * step / 12) + 0.001 * seed

        names = ("adamw", "alphaadam") if number else ("adamw", "alphaadam", "lion")
        return ComparisonFolder(tmp_path / str(number), task=f"task-{number}", loss=changed).fill(*names)

    folders = [of_task(number) for number in range(5)]
    assert PerformanceProfile().draw(results(*folders[:4])) == []
    made = results(*folders)
    (figure,) = PerformanceProfile().draw(made)
    assert figure.anchor == "performance-profile-torch"
    assert figure.missing == ["Lion is left out, as it was not run on every task."]
    means = [
        {name: comparison.standings[name].to_target.interval.mean for name in ("adamw", "alphaadam")}
        for comparison in made.comparisons
    ]
    assert means[4]["alphaadam"] is None
    ratios = profile(made.comparisons)
    assert list(ratios) == ["adamw", "alphaadam"]
    for index, mean in enumerate(means):
        best = min(value for value in mean.values() if value)
        assert ratios["adamw"][index] == mean["adamw"] / best
        assert ratios["alphaadam"][index] == (mean["alphaadam"] / best if mean["alphaadam"] else None)
    last = rows(figure.data[0], optimizer="AlphaAdam")[-1]
    assert last["share"] == 4 / 5


def test_shares_rise_at_each_ratio_and_never_count_what_was_not_reached():
    assert shares([1.0, 2.0, None, 1.0], 4) == [(1.0, 0.5), (2.0, 0.75), (4, 0.75)]
    assert shares([None, 3.0], 4) == [(1.0, 0.0), (3.0, 0.5), (4, 0.5)]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: type(chart).__name__)
def test_every_panel_compiles_and_is_described(tmp_path, chart):
    torch = ComparisonFolder(tmp_path / "torch").fill()
    torch.write("lion", BEST, 9, "diverged", end=5)
    torch.write("lion", 0.004, SEARCH_SEED, "failed", error="<script>")
    jax = ComparisonFolder(tmp_path / "jax", framework="jax").fill()
    for figure in chart.draw(results(torch, jax)):
        assert figure.panels
        assert figure.tables or figure.data
        for panel, svg in zip(figure.panels, compiled(figure), strict=True):
            assert "</svg>" in svg
            assert panel.spec["description"].startswith(panel.heading)
            assert "NaN" not in json.dumps(panel.spec)
            assert "Infinity" not in json.dumps(panel.spec)


def test_the_same_records_give_the_same_figures(folder):
    first = [chart.draw(results(folder)) for chart in CHARTS]
    assert first == [chart.draw(results(folder)) for chart in CHARTS]


def test_anchors_are_unique_and_safe_whatever_the_names(tmp_path):
    hostile = "<script>alert(1)</script>\ud800 'é'"
    folders = [ComparisonFolder(tmp_path / str(n), task=hostile).fill("adamw", "alphaadam") for n in range(2)]
    folders += [ComparisonFolder(tmp_path / str(n), task="a", framework="b").fill("adamw") for n in range(2, 4)]
    folders += [ComparisonFolder(tmp_path / "5", task="a-b", framework="2").fill("adamw")]
    folders += [ComparisonFolder(tmp_path / "6", task="a", framework="b-data").fill("adamw", "a b", "a-b", "quantiles")]
    made = results(*folders)
    figures = [figure for chart in CHARTS for figure in chart.draw(made)]
    anchors = [anchor for figure in figures for anchor in (figure.anchor, *(data.anchor for data in figure.data))]
    assert len(set(anchors)) == len(anchors)
    assert all(re.fullmatch(r"[a-z0-9]+(--?[a-z0-9]+)*", anchor) for anchor in anchors)
    assert [item.slug for item in named(made)][2:] == ["a-b", "a-b-2", "a-b-2-2", "a-b-data"]
    assert slug("…") == "unnamed"
