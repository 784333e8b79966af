"""One commit of asv's results: every value with its parameters, every gap with its reason."""

import json
import math

import pytest
from asv import util

from reports.sources.asv_history import load_asv
from reports.sources.asv_results import MISSING, MissingBenchmarkError

LOSS = "convergence.Convergence.track_validation_loss"
SECONDS = "throughput.OptimizerStep.track_step_seconds"


def newest(folder):
    """The newest commit of the machine that measured last, in a folder without faults."""

    def complain(path, reason):
        raise AssertionError(f"{path}: {reason}")

    return load_asv(folder, complain)[0].newest


def rows_of(results, benchmark, framework, *parameters):
    rows = results.select(benchmark, *parameters)
    return rows[rows["framework"] == framework]


def test_every_value_has_its_framework_and_parameters(full_folder, recorded):
    results = newest(full_folder.root)
    rows = results.select(LOSS, "optimizer", "budget_percent")
    assert len(rows) == 3 * 3 * 4
    for row in rows.itertuples():
        assert row.value == recorded(LOSS, row.framework, (row.optimizer, row.budget_percent))
    assert results.units[LOSS] == "nats/byte"
    assert list(rows["framework"].unique()) == ["torch", "jax", "keras"]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (None, "failed"),
        (math.nan, "skipped"),
        (math.inf, "not finite"),
        pytest.param(10**400, "not finite", id="too long"),
        ([1.0], "not a number"),
        ("2.5", "not a number"),
        (True, "not a number"),
    ],
)
def test_a_recorded_gap_is_missing_with_its_reason_and_never_zero(asv_folder, written, reason):
    here = (SECONDS, ("adamw", "gpt2-nano"))
    asv_folder.measure("torch", lambda name, parameters, value: written if (name, parameters) == here else value)
    rows = rows_of(newest(asv_folder.root), SECONDS, "torch", "optimizer", "shapes")
    assert list(rows.loc[rows["value"].isna(), "missing"]) == [reason]
    assert not (rows["value"] == 0).any()
    assert reason in MISSING


def test_a_benchmark_that_failed_for_all_parameters_is_missing_for_all(asv_folder):
    asv_folder.measure("torch", lambda name, parameters, value: None if name == SECONDS else value)
    rows = rows_of(newest(asv_folder.root), SECONDS, "torch", "optimizer", "shapes")
    assert set(rows["missing"]) == {"failed"}


def test_a_framework_without_a_result_file_is_missing(asv_folder):
    asv_folder.measure("torch")
    results = newest(asv_folder.root)
    assert set(rows_of(results, SECONDS, "keras", "optimizer", "shapes")["missing"]) == {"no result file"}
    assert [environment.framework for environment in results.environments] == ["torch"]


def test_a_benchmark_that_was_not_run_is_missing(asv_folder):
    asv_folder.measure("torch", without=SECONDS)
    rows = rows_of(newest(asv_folder.root), SECONDS, "torch", "optimizer", "shapes")
    assert set(rows["missing"]) == {"not run"}


def test_parameters_that_the_result_file_does_not_have_are_missing(asv_folder):
    path = asv_folder.measure("torch")
    data = util.load_json(str(path))
    columns, row = data["result_columns"], data["results"][SECONDS]
    row[columns.index("params")][1] = ["'gpt2-nano'"]
    row[columns.index("result")] = row[columns.index("result")][::2]
    path.write_text(json.dumps(data))
    rows = rows_of(newest(asv_folder.root), SECONDS, "torch", "optimizer", "shapes")
    assert set(rows.loc[rows["shapes"] == "gpt2-small", "missing"]) == {"not run"}
    assert set(rows.loc[rows["shapes"] == "gpt2-nano", "missing"]) == {""}


def test_values_of_another_benchmark_version_are_missing(asv_folder):
    asv_folder.describe(versions={SECONDS: "2"})
    asv_folder.measure("torch")
    results = load_asv(asv_folder.root, lambda path, reason: None)[0].newest
    assert set(rows_of(results, SECONDS, "torch", "optimizer", "shapes")["missing"]) == {"outdated"}
    assert set(rows_of(results, LOSS, "torch", "optimizer", "budget_percent")["missing"]) == {""}


def test_a_benchmark_that_asv_does_not_know_or_knows_otherwise_says_so(asv_folder):
    asv_folder.describe(without=LOSS)
    asv_folder.measure("torch")
    results = load_asv(asv_folder.root, lambda path, reason: None)[0].newest
    with pytest.raises(MissingBenchmarkError, match=f"benchmarks.json has no benchmark {LOSS}"):
        results.select(LOSS, "optimizer", "budget_percent")
    with pytest.raises(MissingBenchmarkError, match=r"has the parameters .'optimizer', 'shapes'., not .'optimizer'."):
        results.select(SECONDS, "optimizer")


def test_environments_carry_versions_and_variables(full_folder):
    environment = newest(full_folder.root).environments[1]
    assert (environment.framework, environment.python) == ("jax", "3.11")
    assert environment.versions == {"numpy": "2.4.6"}
    assert environment.variables == {"BENCH_FRAMEWORK": "jax"}
