"""Tests of merging asv's results."""

import json
import math

import pytest

from bench.__main__ import main
from bench.track.merge import merge
from bench.track.problems import Problem, read_problems, settle, write_problems

COMMIT = "0123456789abcdef0123456789abcdef01234567"
COLUMNS = ["result", "params", "version", "started_at", "duration", "stats_q_25", "samples", "profile"]
NAN = math.nan


def row(values, started, version="1", params=(("'a'", "'b'"),), samples=None):
    made = [values, [list(some) for some in params], version, started, 1.5]
    return made if samples is None else [*made, None, samples]


def write(folder, rows, machine="vm", environment="env-torch", commit=COMMIT, cpu="fast"):
    """A results folder with one result file, and what it is called there."""
    place = folder / machine
    place.mkdir(parents=True, exist_ok=True)
    description = {"machine": machine, "cpu": cpu, "os": "Linux", "version": 1}
    (place / "machine.json").write_text(json.dumps(description))
    content = {
        "commit_hash": commit,
        "env_name": environment,
        "date": 1,
        "params": {"machine": machine},
        "python": "3.11",
        "requirements": {},
        "env_vars": {},
        "result_columns": COLUMNS,
        "results": rows,
        "durations": {},
        "version": 2,
    }
    path = place / f"{commit[:8]}-{environment}.json"
    path.write_text(json.dumps(content))
    descriptions = {"version": 2} | {
        name: {"name": name, "version": some[2], "params": some[1], "unit": "s"} for name, some in rows.items()
    }
    (folder / "benchmarks.json").write_text(json.dumps(descriptions))
    return path


def results(path):
    return json.loads(path.read_text())["results"]


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def here(tmp_path):
    return tmp_path / "here"


@pytest.fixture
def there(tmp_path):
    return tmp_path / "there"


def test_what_is_only_there_comes_here_and_what_is_only_here_stays(here, there):
    target = write(here, {"m.A.track_a": row([1.0, 2.0], 10)})
    write(there, {"m.B.track_b": row([3.0, 4.0], 10)})
    other = write(there, {"m.B.track_b": row([3.0, 4.0], 10)}, environment="env-jax")
    merge([there], here)
    assert {name: some[0] for name, some in results(target).items()} == {
        "m.A.track_a": [1.0, 2.0],
        "m.B.track_b": [3.0, 4.0],
    }
    assert results(here / "vm" / other.name) == results(other)
    assert set(json.loads((here / "benchmarks.json").read_text())) == {"version", "m.A.track_a", "m.B.track_b"}


@pytest.mark.parametrize(("started", "kept"), [(11, [7.0, 8.0]), (9, [1.0, 2.0]), (10, [1.0, 2.0])])
def test_the_later_measurement_stays(started, kept, here, there):
    target = write(here, {"m.A.track_a": row([1.0, 2.0], 10)})
    write(there, {"m.A.track_a": row([7.0, 8.0], started)})
    merge([there], here)
    assert results(target)["m.A.track_a"][0] == kept


def test_a_later_failure_or_omission_replaces_no_value(here, there):
    target = write(
        here, {"m.A.track_a": row([1.0, 2.0], 10, samples=[[1.0], [2.0]]), "m.A.track_b": row([1.0, 2.0], 10)}
    )
    write(there, {"m.A.track_a": row([NAN, 5.0], 11, samples=[None, [5.0]]), "m.A.track_b": row(None, 11)})
    merge([there], here)
    assert results(target)["m.A.track_a"][0] == [1.0, 5.0]
    assert results(target)["m.A.track_a"][6] == [[1.0], [5.0]]
    assert results(target)["m.A.track_b"][0] == [1.0, 2.0]


def test_values_are_matched_by_their_parameters(here, there):
    target = write(here, {"m.A.track_a": row([1.0, 2.0], 10)})
    write(there, {"m.A.track_a": row([NAN, 6.0, 5.0], 11, params=(("'b'", "'c'", "'a'"),))})
    merge([there], here)
    assert results(target)["m.A.track_a"][:2] == [[2.0, 6.0, 5.0], [["'b'", "'c'", "'a'"]]]


def test_values_of_another_version_are_not_mixed(here, there):
    target = write(here, {"m.A.track_a": row([1.0, 2.0], 10)})
    write(there, {"m.A.track_a": row([NAN, 5.0], 11, version="2")})
    merge([there], here)
    assert results(target)["m.A.track_a"][2] == "2"
    assert math.isnan(results(target)["m.A.track_a"][0][0])
    assert json.loads((here / "benchmarks.json").read_text())["m.A.track_a"]["version"] == "2"


def test_an_older_description_does_not_come_back(here, there):
    write(here, {"m.A.track_a": row([1.0, 2.0], 10, version="10")})
    write(there, {"m.A.track_a": row([1.0, 2.0], 11, version="9")})
    merge([there], here)
    assert json.loads((here / "benchmarks.json").read_text())["m.A.track_a"]["version"] == "10"


def test_merging_again_changes_nothing_and_a_dry_run_never_does(here, there):
    write(here, {"m.A.track_a": row([1.0, 2.0], 10)})
    write(there, {"m.A.track_a": row([7.0, NAN], 11), "m.B.track_b": row([1.0, 2.0], 3)})
    before = files(here)
    assert merge([there], here, dry_run=True)
    assert files(here) == before
    assert merge([there], here)
    merged = files(here)
    assert merge([there], here) == []
    assert files(here) == merged != before


def test_several_folders_meet_in_one_file(here, there, tmp_path):
    write(there, {"m.A.track_a": row([1.0, NAN], 10)})
    write(tmp_path / "third", {"m.A.track_a": row([NAN, 2.0], 11)})
    merge([there, tmp_path / "third"], here)
    assert results(here / "vm" / f"{COMMIT[:8]}-env-torch.json")["m.A.track_a"][0] == [1.0, 2.0]


def test_a_single_machine_can_be_given_and_renamed(here, there):
    write(here, {"m.A.track_a": row([1.0, 2.0], 10)}, cpu="slow")
    path = write(there, {"m.A.track_a": row([7.0, 8.0], 11)})
    merge([there / "vm"], here, rename="h200")
    assert results(here / "vm" / path.name)["m.A.track_a"][0] == [1.0, 2.0]
    renamed = json.loads((here / "h200" / path.name).read_text())
    assert (renamed["params"]["machine"], renamed["results"]["m.A.track_a"][0]) == ("h200", [7.0, 8.0])
    assert json.loads((here / "h200" / "machine.json").read_text())["machine"] == "h200"


def _truncate(path):
    path.write_text(path.read_text()[:-20])


def _other_version(path):
    path.write_text(path.read_text().replace('"version": 2}', '"version": 1}'))


def _other_machine(path):
    path.write_text(path.read_text().replace('"machine": "vm"', '"machine": "other"'))


def _too_few_values(path):
    path.write_text(path.read_text().replace("[7.0, 8.0]", "[7.0]"))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_truncate, "is no JSON file"),
        (_other_version, "has the version 1, not 2"),
        (_other_machine, "is of the machine 'other'"),
        (_too_few_values, "not one value for each set of parameters"),
    ],
)
def test_a_broken_file_is_named_and_nothing_is_written(spoil, words, here, there):
    write(here, {"m.A.track_a": row([1.0, 2.0], 10)})
    write(there, {"m.A.track_a": row([7.0, 8.0], 11)}, environment="env-good")
    spoil(write(there, {"m.A.track_a": row([7.0, 8.0], 11)}))
    before = files(here)
    with pytest.raises(ValueError, match=words):
        merge([there], here)
    assert files(here) == before


def test_other_machines_of_the_same_name_are_refused(here, there):
    write(here, {"m.A.track_a": row([1.0, 2.0], 10)}, cpu="slow")
    write(there, {"m.A.track_a": row([7.0, 8.0], 11)})
    with pytest.raises(ValueError, match=r"different machines of one name: \{'cpu': 'slow'\} here.*--as NAME"):
        merge([there], here)


def test_two_commits_that_begin_alike_are_refused(here, there):
    write(here, {"m.A.track_a": row([1.0, 2.0], 10)})
    write(there, {"m.A.track_a": row([7.0, 8.0], 11)}, commit=COMMIT[:-1] + "0")
    with pytest.raises(ValueError, match="differ in commit_hash"):
        merge([there], here)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, "is no folder"),
        (lambda folder: folder.mkdir(), "has no results in it"),
        (lambda folder: (write(folder, {}), (folder / "vm" / "machine.json").unlink()), "has no machine.json"),
    ],
)
def test_a_folder_without_results_is_refused(make, words, here, there):
    make(there)
    with pytest.raises(ValueError, match=words):
        merge([there], here)


def test_asv_reads_what_was_merged(here, there):
    from asv.results import Results

    write(here, {"m.A.track_a": row([1.0, 2.0], 10)})
    path = write(there, {"m.A.track_a": row([7.0, NAN], 11)})
    merge([there], here)
    loaded = Results.load(str(here / "vm" / path.name), machine_name="vm")
    assert loaded.get_result_value("m.A.track_a", [["'a'", "'b'"]]) == [7.0, 2.0]


def problem(when, benchmark="m.A.track_a", parameters=("'a'",), reason="it failed", kind="failed"):
    return Problem(COMMIT, "env-torch", reason, when, benchmark, kind, "1", parameters)


def test_reasons_are_carried_and_the_newest_stays(here, there):
    write(here, {})
    write(there, {})
    write_problems(here / "vm", [problem("2026-01-01"), problem("2026-01-01", "m.B.track_b")])
    write_problems(there / "vm", [problem("2026-01-02", reason="no memory")])
    merge([there], here)
    assert {(p.benchmark, p.reason) for p in read_problems(here / "vm")} == {
        ("m.A.track_a", "no memory"),
        ("m.B.track_b", "it failed"),
    }


def test_what_was_tried_again_is_settled_and_the_rest_is_not():
    before = [problem("1", parameters=("'a'", "'b'")), problem("1", parameters=("'c'",), kind="skipped")]
    after = settle(before, COMMIT, "env-torch", {"m.A.track_a": ["'a'"]}, [])
    assert {(p.kind, p.parameters) for p in after} == {("failed", ("'b'",)), ("skipped", ("'c'",))}
    again = settle(before, COMMIT, "env-torch", {"m.A.track_a": ["'a'"]}, [problem("2")])
    assert {(p.kind, p.parameters) for p in again} == {("failed", ("'b'", "'a'")), ("skipped", ("'c'",))}


def test_a_broken_line_of_reasons_is_named(here, there):
    write(there, {})
    (there / "vm" / "problems.jsonl").write_text('{"commit": "0"}\n')
    with pytest.raises(ValueError, match=r"problems.jsonl, line 1, is no record"):
        merge([there], here)


def test_the_command_says_what_it_did(here, there, capsys):
    path = write(there, {"m.A.track_a": row([7.0, 8.0], 11)})
    assert main(["merge", str(there), "--into", str(here), "--dry-run"]) == 0
    assert f"new: {here / 'vm' / path.name}" in capsys.readouterr().out
    assert not here.exists()
    assert main(["merge", str(there), "--into", str(here)]) == 0
    assert main(["merge", str(there), "--into", str(here)]) == 0
    assert "nothing is new" in capsys.readouterr().out
    assert main(["merge", str(there / "absent"), "--into", str(here)]) == 1
    assert "is no folder" in capsys.readouterr().err
