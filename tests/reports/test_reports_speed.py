"""Step times are read as they are; what is broken in a file costs only itself, and is named."""

import json
import math
import statistics
from pathlib import Path

import pytest

from reports.sources.error import SourceError
from reports.sources.speed import load_speed
from tests.reports.speed_files import ENVIRONMENT, cell, pair_ratios, write

RESULTS = Path(__file__).parents[2] / "bench" / "results"


@pytest.fixture
def load():
    """Reads a file that nothing is wrong with."""

    def load_path(path):
        return load_speed(path, lambda path, reason: pytest.fail(f"{path}: {reason}"))

    return load_path


@pytest.fixture
def load_bad(tmp_path):
    """Reads a file of these cells, and gives it with what was complained about."""

    def load_cells(*cells, **changes):
        complaints = []
        speed = load_speed(
            write(tmp_path / "s.json", *cells, **changes), lambda path, reason: complaints.append(reason)
        )
        return speed, complaints

    return load_cells


def test_a_ratio_is_the_median_of_pairs_of_rounds_in_either_order(tmp_path, load):
    times = {"seconds": [2.0, 8.0, 3.0, 3.0, 5.0, 5.0], "baselineSeconds": [1.0, 2.0, 1.0, 3.0, 5.0, 5.0]}
    found = load(write(tmp_path / "s.json", cell() | times)).cells[0]
    # Rounds' ratios: 2, 4, 3, 1, 1, 1. Of pairs: sqrt(8), sqrt(3), 1.
    assert found.pairs == 3
    assert found.ratio == pytest.approx(((1 + math.sqrt(3)) / 2, math.sqrt(3), (math.sqrt(3) + math.sqrt(8)) / 2))
    assert found.seconds == pytest.approx((3.0, 4.0, 5.0))
    assert found.baseline_seconds.median == pytest.approx(2.5)


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*-s[pc]*-cpu.json")), ids=lambda path: path.stem)
def test_this_repositorys_files_give_the_numbers_of_their_samples(load, path):
    speed = load(path)
    records = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert len(speed.cells) == len(records) > 0
    for found, record in zip(speed.cells, records, strict=True):
        quartiles = statistics.quantiles(pair_ratios(record), n=4, method="inclusive")
        assert found.ratio == pytest.approx(quartiles)
        assert found.seconds.median == pytest.approx(statistics.median(record["seconds"]))
        if "fastestSeconds" in record:
            assert found.fastest.median == pytest.approx(statistics.median(pair_ratios(record, "fastestSeconds")))
        assert (found.state_bytes, found.minimal_bytes) == (record["stateBytes"], record["minimalBytes"])
        assert found.grown_bytes == record.get("transientResidentBytes")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seconds": [0.1] * 7}, "seconds is no list of an even number"),
        ({"seconds": [0.1] * 6}, "6 rounds of the step, and 8"),
        ({"seconds": []}, "seconds is no list"),
        ({"seconds": None}, "seconds is no list"),
        ({"seconds": [0.1, math.nan] * 4}, "something other than seconds"),
        ({"seconds": [0.1, math.inf] * 4}, "something other than seconds"),
        ({"seconds": [0.1, 0] * 4}, "something other than seconds"),
        ({"seconds": [0.1, -1] * 4}, "something other than seconds"),
        ({"seconds": [0.1, True] * 4}, "something other than seconds"),
        ({"seconds": [0.1, 10**400] * 4}, "something other than seconds"),
        ({"seconds": [1e-11] * 8, "baselineSeconds": [1e8] * 8}, "beyond all measure"),
        ({"baselineSeconds": [0.1] * 6}, "8 rounds of the step, and 6"),
        ({"baselineSeconds": "0.1"}, "baselineSeconds is no list"),
    ],
)
def test_times_that_are_none_make_the_cell_missing_with_the_reason(load_bad, change, reason):
    speed, complaints = load_bad(cell() | change, cell("adamw-fused"))
    broken, whole = speed.cells
    assert reason in broken.missing
    assert broken.ratio is broken.seconds is None
    assert whole.ratio is not None
    assert len(complaints) == 1
    assert complaints[0].startswith("cells[0]: ")
    assert reason in complaints[0]


def test_a_cell_that_was_not_measurable_keeps_the_reason_and_is_no_trouble(tmp_path, load):
    names = {key: cell()[key] for key in ("device", "dtype", "shapes", "variant", "environment")}
    found = load(write(tmp_path / "s.json", {**names, "reason": "needs 12 GiB"})).cells[0]
    assert (found.missing, found.ratio, found.state_bytes) == ("needs 12 GiB", None, None)


@pytest.mark.parametrize("value", [None, "many", -1, math.nan, 1e19, [], True])
def test_bytes_that_are_no_number_are_missing_and_named(load_bad, value):
    speed, complaints = load_bad(cell(stateBytes=value))
    assert speed.cells[0].state_bytes is None
    assert speed.cells[0].ratio is not None
    assert len(complaints) == 1
    assert "stateBytes" in complaints[0]


def test_what_is_optional_may_be_absent(tmp_path, load):
    one = cell()
    del one["transientBytes"], one["coresBusyElsewhere"]
    found = load(write(tmp_path / "s.json", one)).cells[0]
    assert found.transient_bytes is found.busy is None
    assert not found.disturbed


def test_a_repeated_cell_is_named_and_the_first_is_shown(load_bad):
    speed, complaints = load_bad(cell(ratio=1.5), cell(ratio=9.0), cell("adamw-fused"))
    assert [found.variant for found in speed.cells] == ["alphaadam-fused", "adamw-fused"]
    assert speed.cells[0].ratio.median == pytest.approx(statistics.median(pair_ratios(cell(ratio=1.5))))
    assert complaints == ["cells[1]: cpu float32 gpt2-small alphaadam-fused was there before; the first is shown."]


@pytest.mark.parametrize("record", [3, None, "x", [], {}, {**cell(), "variant": ""}, {**cell(), "dtype": 4}])
def test_what_is_no_cell_is_named_and_left_out(load_bad, record):
    speed, complaints = load_bad(record, cell())
    assert len(speed.cells) == 1
    assert complaints[0].startswith("cells[0]: ")


@pytest.mark.parametrize("place", [1, -1, "0", None, True, 0.0])
def test_a_cell_without_an_environment_is_shown_without_one(load_bad, place):
    speed, complaints = load_bad(cell(environment=place))
    assert speed.cells[0].environment.machine == "a machine that the file does not name"
    assert speed.cells[0].ratio is not None
    assert "It has no environment" in complaints[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "walking"}, "Its kind is 'walking'"),
        ({"framework": None}, "names no framework"),
        ({"cells": {}}, "has no list of cells"),
        ({"schema": "alphaadam-speed-2"}, "Its schema is 'alphaadam-speed-2'"),
    ],
)
def test_a_file_of_something_else_is_refused_in_words(tmp_path, changes, message):
    path = write(tmp_path / "s.json", **changes)
    with pytest.raises(SourceError, match=message):
        load_speed(path, lambda path, reason: None)


def test_the_origin_names_machine_versions_and_code_and_measures_every_cell_again(tmp_path, load):
    other = {**ENVIRONMENT, "alphaadamSource": "fedcba", "threads": 1}
    path = write(
        tmp_path / "kept" / "s.json",
        cell(),
        cell("adamw-fused", shapes="10x1000", dtype="bfloat16", environment=1, date="2026-05-03"),
        environments=[ENVIRONMENT, other],
    )
    origin = load(path).origin()
    facts = [value for _, value in origin.facts]
    assert "kept/s.json" in facts
    assert "Fast One, 2 threads on 2 cores, Linux x" in facts
    assert "Fast One, 1 threads on 2 cores, Linux x" in facts
    assert {"abcdef012345", "fedcba", "2026-05-01", "2026-05-03", "alphaadam 0.1.0, torch 2.13.0"} <= set(facts)
    assert not any(str(tmp_path) in value for value in facts)
    assert origin.command == (
        "python -m bench speed --frameworks torch --devices cpu --shapes gpt2-small,10x1000"
        " --dtypes float32,bfloat16 --variants alphaadam-fused,adamw-fused"
    )


def test_a_name_that_a_shell_would_run_is_quoted_in_the_command(tmp_path, load):
    command = load(write(tmp_path / "s.json", cell("$(reboot)"))).origin().command
    assert command.endswith("--variants '$(reboot)'")
