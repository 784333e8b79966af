"""``python -m suite`` as a user meets it."""

import json

import pytest

from suite.__main__ import main
from suite.load import VECTORS


@pytest.fixture
def one_file(tmp_path):
    folder = tmp_path / "vectors"
    folder.mkdir()
    (folder / "mask.json").write_text((VECTORS / "mask.json").read_text())
    return folder


def test_run_prints_a_matrix_and_writes_every_result(one_file, tmp_path, capsys):
    output = tmp_path / "new" / "conformance.json"
    assert main(["run", "--adapter", "torch", "--vectors", str(one_file), "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "mask.json SingleStep float32" in printed
    assert "45/45 pass" in printed
    document = json.loads(output.read_text())
    assert document["adapters"][0]["versions"].keys() == {"alphaadam", "torch"}
    assert len(document["results"]) == 90
    assert {r["outcome"] for r in document["results"]} == {"pass"}


def test_a_failing_test_is_printed_and_fails_the_run(one_file, tmp_path, capsys):
    path = one_file / "mask.json"
    document = json.loads(path.read_text())
    document["groups"][0]["tests"][0]["steps"][0]["expected"]["mask"][0]["data"] = [1, 0, 1, 1]
    path.write_text(json.dumps(document))
    output = tmp_path / "conformance.json"
    assert main(["run", "--adapter", "torch", "--vectors", str(one_file), "--output", str(output)]) == 1
    printed = capsys.readouterr().out
    assert "FAIL torch mask.json adamw/all-agree float32" in printed
    assert "mask[0] differs in 1 of 4 elements, first at element [1]: expected 0, found 1" in printed


def test_an_unknown_adapter_is_told_the_known_ones(capsys):
    assert main(["run", "--adapter", "tourch"]) == 2
    assert "--adapter tourch: unknown. Choose from: torch, optax, keras-torch" in capsys.readouterr().err


def test_a_corrupted_vector_file_stops_the_run_with_one_line(one_file, tmp_path, capsys):
    (one_file / "mask.json").write_text("{")
    output = tmp_path / "conformance.json"
    output.write_text("the last good results")
    assert main(["run", "--adapter", "torch", "--vectors", str(one_file), "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "mask.json: not JSON" in error
    assert output.read_text() == "the last good results"
