"""Reading asv's folder: every value with its parameters, every gap with its reason, every broken file named."""

import json
import math

import pytest
from asv import util

from reports.sources import MISSING, MissingBenchmarkError, SourceError, load_asv

LOSS = "convergence.Convergence.track_validation_loss"
HEAD = (
    '"params": {"machine": "box"}, "requirements": {}, "commit_hash": "a", "python": "", "env_name": "", "env_vars": {}'
)
SECONDS = "throughput.OptimizerStep.track_step_seconds"


def rows_of(results, benchmark, framework, *parameters):
    rows = results.select(benchmark, *parameters)
    return rows[rows["framework"] == framework]


def test_every_value_has_its_framework_and_parameters(full_folder, recorded):
    results = load_asv(full_folder.root)
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
        ("2.5", "not a number"),
        (True, "not a number"),
    ],
)
def test_a_recorded_gap_is_missing_with_its_reason_and_never_zero(asv_folder, written, reason):
    here = (SECONDS, ("adamw", "gpt2-nano"))
    asv_folder.measure("torch", lambda name, parameters, value: written if (name, parameters) == here else value)
    rows = rows_of(load_asv(asv_folder.root), SECONDS, "torch", "optimizer", "shapes")
    assert list(rows.loc[rows["value"].isna(), "missing"]) == [reason]
    assert not (rows["value"] == 0).any()
    assert reason in MISSING


def test_a_benchmark_that_failed_for_all_parameters_is_missing_for_all(asv_folder):
    asv_folder.measure("torch", lambda name, parameters, value: None if name == SECONDS else value)
    rows = rows_of(load_asv(asv_folder.root), SECONDS, "torch", "optimizer", "shapes")
    assert set(rows["missing"]) == {"failed"}


def test_a_framework_without_a_result_file_is_missing(asv_folder):
    asv_folder.measure("torch")
    results = load_asv(asv_folder.root)
    assert set(rows_of(results, SECONDS, "keras", "optimizer", "shapes")["missing"]) == {"no result file"}
    assert [environment.framework for environment in results.environments] == ["torch"]


def test_a_benchmark_that_was_not_run_is_missing(asv_folder):
    asv_folder.measure("torch", without=SECONDS)
    rows = rows_of(load_asv(asv_folder.root), SECONDS, "torch", "optimizer", "shapes")
    assert set(rows["missing"]) == {"not run"}


def test_parameters_that_the_result_file_does_not_have_are_missing(asv_folder):
    path = asv_folder.measure("torch")
    data = util.load_json(str(path))
    columns, row = data["result_columns"], data["results"][SECONDS]
    row[columns.index("params")][1] = ["'gpt2-nano'"]
    row[columns.index("result")] = row[columns.index("result")][::2]
    path.write_text(json.dumps(data))
    rows = rows_of(load_asv(asv_folder.root), SECONDS, "torch", "optimizer", "shapes")
    assert set(rows.loc[rows["shapes"] == "gpt2-small", "missing"]) == {"not run"}
    assert set(rows.loc[rows["shapes"] == "gpt2-nano", "missing"]) == {""}


def test_values_of_another_benchmark_version_are_missing(asv_folder):
    asv_folder.describe(versions={SECONDS: "2"})
    asv_folder.measure("torch")
    results = load_asv(asv_folder.root)
    assert set(rows_of(results, SECONDS, "torch", "optimizer", "shapes")["missing"]) == {"outdated"}
    assert set(rows_of(results, LOSS, "torch", "optimizer", "budget_percent")["missing"]) == {""}


def test_a_benchmark_that_asv_does_not_know_or_knows_otherwise_says_so(asv_folder):
    asv_folder.describe(without=LOSS)
    asv_folder.measure("torch")
    results = load_asv(asv_folder.root)
    with pytest.raises(MissingBenchmarkError, match=f"benchmarks.json has no benchmark {LOSS}"):
        results.select(LOSS, "optimizer", "budget_percent")
    with pytest.raises(MissingBenchmarkError, match=r"has the parameters .'optimizer', 'shapes'., not .'optimizer'."):
        results.select(SECONDS, "optimizer")
    assert any(LOSS in item for item in results.left_out)


def test_the_newest_commit_on_the_machine_that_measured_last_is_shown(asv_folder):
    newest, older = "a" * 40, "b" * 40
    asv_folder.measure("torch", commit=older, day=3)
    asv_folder.measure("torch", commit=newest, day=4)
    asv_folder.measure("jax", commit="c" * 40, day=2, machine="old-box")
    results = load_asv(asv_folder.root)
    assert (results.commit, results.machine["machine"]) == (newest, "box")
    assert results.date.isoformat() == "2026-05-04T00:00:00+00:00"
    assert results.measured.isoformat() == "2026-05-04T01:00:00+00:00"
    assert set(rows_of(results, SECONDS, "jax", "optimizer", "shapes")["missing"]) == {"no result file"}
    assert any("old-box" in item for item in results.left_out)
    assert any("bbbbbbbb" in item for item in results.left_out)


def test_result_files_that_are_not_shown_are_named(asv_folder):
    asv_folder.measure("torch", environment="py3.11")
    asv_folder.measure("torch", environment="py3.12")
    asv_folder.measure(None, environment="nobody")
    results = load_asv(asv_folder.root)
    assert len(results.environments) == 1
    assert len(results.left_out) == 2
    assert any("BENCH_FRAMEWORK" in item for item in results.left_out)


def test_environments_carry_versions_and_variables(full_folder):
    environment = load_asv(full_folder.root).environments[1]
    assert (environment.framework, environment.python) == ("jax", "3.11")
    assert environment.versions == {"numpy": "2.4.6"}
    assert environment.variables == {"BENCH_FRAMEWORK": "jax"}


def test_a_missing_folder_names_the_path_and_the_command(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere: no such folder.*asv machine --yes && asv run"):
        load_asv(tmp_path / "nowhere")


def test_a_folder_without_results_says_how_to_make_them(asv_folder):
    with pytest.raises(SourceError, match=r"no result files in it.*asv run"):
        load_asv(asv_folder.root)


@pytest.mark.parametrize("name", ["benchmarks.json", "box/machine.json"])
def test_a_missing_description_names_the_path_and_the_command(full_folder, name):
    (full_folder.root / name).unlink()
    with pytest.raises(SourceError, match=rf"{name} is missing\. Make it with `asv"):
        load_asv(full_folder.root)


@pytest.mark.parametrize("name", ["benchmarks.json", "box/machine.json"])
@pytest.mark.parametrize("content", ["{", "", "[]", '{"version": 99}', "{}", '{"version": 2, "x": {}}', "\x00"])
def test_a_broken_description_names_the_path(full_folder, name, content):
    if (name, content) == ("box/machine.json", '{"version": 2, "x": {}}'):
        content = '{"version": "x"}'
    (full_folder.root / name).write_text(content)
    with pytest.raises(SourceError, match=name):
        load_asv(full_folder.root)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "",
        "[]",
        "null",
        '{"version": 1}',
        '{"version": 3}',
        '{"version": 2}',
        f'{{"version": 2, {HEAD}, "date": null, "results": {{}}, "result_columns": []}}',
        f'{{"version": 2, {HEAD}, "date": 1, "results": {{"x": [[1, 2]]}}, "result_columns": ["result", "params"]}}',
    ],
)
def test_a_broken_result_file_is_named_and_not_left_out(full_folder, content):
    path = next(full_folder.root.glob("box/*-jax.json"))
    path.write_text(content)
    with pytest.raises(SourceError, match=path.name):
        load_asv(full_folder.root)
