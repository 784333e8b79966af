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
    conformance = conformance_file(conformance_data)
    output = tmp_path / "new" / "report.html"
    return ["--asv", str(full_folder.root), "--conformance", str(conformance), "--output", str(output)]


def test_it_writes_one_file_and_prints_its_path_last(arguments, capsys):
    assert command.main(arguments) == 0
    path = Path(capsys.readouterr().out.splitlines()[-1])
    assert str(path) == arguments[-1]
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [item.name for item in path.parent.iterdir()] == ["report.html"]


def test_the_page_says_how_it_was_made(arguments):
    command.main(arguments)
    assert f"python -m reports --asv {arguments[1]}" in Path(arguments[-1]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("position", "said"), [(1, "asv machine --yes && asv run"), (3, "python -m suite run --adapter torch")]
)
def test_a_missing_source_is_one_line_that_names_it_and_the_remedy(arguments, capsys, position, said):
    arguments[position] = "no/such/place"
    assert command.main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: no/such/place: no such f")
    assert printed.err.count("\n") == 1
    assert said in printed.err


def test_a_failing_run_leaves_the_old_report(arguments, full_folder):
    output = Path(arguments[-1])
    assert command.main(arguments) == 0
    before = output.read_bytes()
    next(full_folder.root.glob("box/*-torch.json")).write_text("{")
    assert command.main(arguments) == 1
    assert output.read_bytes() == before
    assert [item.name for item in output.parent.iterdir()] == ["report.html"]


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
    arguments[-1] = str(tmp_path)
    assert command.main(arguments) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: cannot write the report")
    assert "--output" in printed


def test_text_that_is_not_unicode_does_not_stop_the_report(arguments, conformance_data, conformance_file):
    conformance_data["results"][0].update(outcome="fail", message="half of a pair: \ud800")
    conformance_file(conformance_data)
    assert command.main(arguments) == 0
    assert "half of a pair: ?" in Path(arguments[-1]).read_text(encoding="utf-8")


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        command.main(["--help"])
    printed = capsys.readouterr().out
    for words in ("asv machine --yes && asv run", "python -m suite run", "results/report.html", "without a network"):
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
