"""The command: what it prints, and that a failing run leaves the old report alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reports import __main__ as command


@pytest.fixture
def arguments(full_folder, conformance_data, conformance_file, tmp_path):
    """Arguments for files that are complete."""
    sources = [str(full_folder.root), str(conformance_file(conformance_data))]
    return [*sources, "--output", str(tmp_path / "new" / "report.html")]


def test_it_writes_one_file_and_prints_its_path_last(arguments, capsys):
    assert command.main(arguments) == 0
    printed = capsys.readouterr()
    path = Path(printed.out.splitlines()[-1])
    assert str(path) == arguments[-1]
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [item.name for item in path.parent.iterdir()] == ["report.html"]
    assert printed.err == ""


def test_the_same_results_give_the_same_bytes(arguments):
    command.main(arguments)
    before = Path(arguments[-1]).read_bytes()
    command.main(arguments)
    assert Path(arguments[-1]).read_bytes() == before


def test_the_page_says_how_it_was_made(arguments):
    command.main(arguments)
    assert f"python -m reports {arguments[0]} {arguments[1]} --output" in Path(arguments[-1]).read_text("utf-8")


def test_a_path_that_is_not_there_is_one_line_that_names_it(arguments, capsys):
    arguments[0] = "no/such/place"
    assert command.main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: no/such/place: No such file")
    assert printed.err.count("\n") == 1


def test_no_results_are_one_line_that_says_how_to_make_some(tmp_path, capsys):
    output = tmp_path / "report.html"
    (tmp_path / "results").mkdir()
    assert command.main([str(tmp_path / "results"), "--output", str(output)]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {tmp_path / 'results'}: no result files. Make some with")
    assert printed.count("\n") == 1
    assert not output.exists()


def test_what_cannot_be_read_is_announced_and_does_not_stop_the_report(arguments, full_folder, capsys):
    next(full_folder.root.glob("box/*-torch.json")).write_text("{")
    assert command.main(arguments) == 0
    assert capsys.readouterr().err == "1 result could not be read in whole; the report says which, and why\n"


def test_an_interrupted_write_leaves_the_old_report_and_no_rest(tmp_path, monkeypatch):
    output = tmp_path / "report.html"
    command.write(output, "old")

    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command.write(output, "new")
    assert output.read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]


def test_an_output_that_cannot_be_written_is_one_line(arguments, capsys, tmp_path):
    (tmp_path / "file").touch()
    arguments[-1] = str(tmp_path / "file" / "report.html")
    assert command.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: cannot write {arguments[-1]}: ")
    assert error.endswith(". Name another file with --output.\n")


@pytest.mark.parametrize("output", ["", "."])
def test_an_output_that_is_a_folder_is_refused_before_anything_is_read(arguments, capsys, output):
    with pytest.raises(SystemExit):
        command.main(["no/such/place", "--output", output])
    assert "argument --output: '.' is a folder; name a file in it" in capsys.readouterr().err


def test_text_that_is_not_unicode_does_not_stop_the_report(arguments, conformance_data, conformance_file):
    conformance_data["results"][0].update(outcome="fail", message="half of a pair: \ud800")
    conformance_file(conformance_data)
    assert command.main(arguments) == 0
    assert "half of a pair: ?" in Path(arguments[-1]).read_text(encoding="utf-8")


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        command.main(["--help"])
    printed = capsys.readouterr().out
    for words in ("tox run -e bench", "python -m suite run", "results/report.html", "without a network"):
        assert words in printed


def test_it_needs_neither_a_framework_nor_the_measured_code(arguments):
    code = (
        "import sys; from reports.__main__ import main; status = main(sys.argv[1:]); "
        "unwanted = {'torch', 'jax', 'keras', 'tensorflow', 'optax', 'alphaadam', 'suite', 'bench'}; "
        "unwanted &= set(sys.modules); "
        "sys.exit(f'imported {unwanted}' if unwanted else status)"
    )
    root = Path(command.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
