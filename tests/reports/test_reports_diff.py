"""The comparison in the terminal: what it says, what it refuses, and its exit code."""

import re

import pytest

from reports.__main__ import main
from reports.charts.commits.words import with_unit
from reports.sources.repository import Known, Repository

OLD, NEW = "aaaa" + "1" * 36, "aaab" + "2" * 36
SECONDS = "throughput.OptimizerStep.track_step_seconds"
SLOW, QUICK = ("alphaadam", "gpt2-small"), ("adamw", "gpt2-nano")


@pytest.fixture
def diff(asv_folder, tmp_path, capsys, monkeypatch):
    """Compares two commits, of which the second has what `change` makes of the values of the first."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, change=lambda name, parameters, value: value):
        asv_folder.measure("torch", commit=OLD, day=1)
        asv_folder.measure("torch", change, commit=NEW, day=2)
        code = main(["diff", *arguments, str(asv_folder.root)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def times(factors):
    return lambda name, parameters, value: value * factors.get(parameters, 1) if name == SECONDS else value


def test_nothing_changed(diff):
    code, out, err = diff("aaaa", "aaab")
    assert (code, err) == (0, "")
    assert "on box: 51 equal" in out
    assert SECONDS not in out


def test_something_got_worse(diff):
    code, out, _ = diff("aaaa", "aaab", change=times({SLOW: 1.2, QUICK: 0.5}))
    assert code == 1
    assert "1 worse, 1 better" in out
    slower, faster = [line for line in out.splitlines() if SECONDS in line]
    assert "-50 %" in faster
    assert "(shapes gpt2-nano)" in faster
    assert "+20 %" in slower
    assert "AlphaAdam" in slower


def test_too_few_values_for_scatter_are_said_once(diff):
    _, out, err = diff("aaaa", "aaab", change=times({SLOW: 1.2, QUICK: 0.5}))
    assert re.fullmatch(
        r"scatter not known for 2 of \d+ rows: fewer than 8 values, .*`python -m bench changes`.*\n", err
    )
    assert out.count("scatter not known") == 2


def test_a_spread_is_shown_and_not_judged(asv_folder, diff, capsys):
    assert diff("aaaa", "aaab", change=times({SLOW: 9}))[0] == 1
    for path in [asv_folder.root / "benchmarks.json", *asv_folder.root.glob("box/*-torch.json")]:
        path.write_text(path.read_text().replace("track_step_seconds", "track_ratio_spread"))
    assert main(["diff", "aaaa", "aaab", str(asv_folder.root)]) == 0
    assert "track_ratio_spread" not in capsys.readouterr().out
    assert main(["diff", "aaaa", "aaab", str(asv_folder.root), "--all"]) == 0
    assert re.search(r"not judged +\+800 %.*track_ratio_spread", capsys.readouterr().out)


def test_only_better_is_no_failure(diff):
    assert diff("aaaa", "aaab", change=times({QUICK: 0.5}))[0] == 0


def test_the_threshold_decides_and_all_lists_what_did_not_move(diff):
    change = times({SLOW: 1.2})
    assert diff("aaaa", "aaab", "--threshold", "25", change=change)[0] == 0
    code, out, _ = diff("aaaa", "aaab", "--threshold", "25", "--all", change=change)
    assert code == 0
    assert re.search(r"below the threshold +\+20 %", out)


def instead(value):
    return lambda name, parameters, old: value if (name, parameters) == (SECONDS, SLOW) else old


def test_what_fails_at_b_counts_and_what_failed_at_a_does_not(diff):
    code, out, _ = diff("aaaa", "aaab", change=instead(None))
    assert code == 1
    assert "1 failed at B" in out
    assert re.search(r"failed at B .* missing: failed", out)
    code, out, _ = diff("aaab", "aaaa", change=instead(None))
    assert code == 0
    assert re.search(r"only in B .* missing: failed", out)
    assert diff("aaaa", "aaab", change=lambda *what: None)[0] == 1


def test_what_was_not_run_at_b_is_listed_and_does_not_count(diff):
    code, out, _ = diff("aaaa", "aaab", change=instead(float("nan")))
    assert code == 0
    assert re.search(r"only in A .* missing: skipped", out)


def test_worse_comes_first_then_failed_then_better(diff):
    def change(name, parameters, value):
        if name != SECONDS or parameters not in (SLOW, QUICK, ("adamw", "gpt2-small")):
            return value
        return {SLOW: value * 1.1, QUICK: value * 0.2}.get(parameters)

    _, out, _ = diff("aaaa", "aaab", change=change)
    assert [line.split()[0] for line in out.splitlines() if SECONDS in line] == ["worse,", "failed", "better,"]


def test_seconds_have_a_prefix():
    assert [with_unit(value, "seconds") for value in (0.0, 2e-9, 2.5e-5, 0.00123456, 2)] == [
        *("0 seconds", "2 ns", "25 µs", "1.235 ms", "2 s"),
    ]
    assert (with_unit(3.0, "bytes"), with_unit(0.5, "")) == ("3 bytes", "0.5")


def test_nothing_to_compare_is_no_success(diff):
    code, _, err = diff("aaaa", "aaab", change=lambda *what: float("nan"))
    assert code == 2
    assert "nothing that is judged has a value at both commits" in err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("aaa", "aaab"), "'aaa' is too short: give at least 4 digits"),
        (("nothing", "aaab"), "measure it with `python -m bench track NAME`, or name one that was, the newest first:"),
        (("nothing", "aaab"), ":\n  aaab2222\n  aaaa1111\n"),
        (("aaaa", "aaab", "--machine", "other"), "--machine other: there are no results of it, but of box."),
        (("aaaa", "aaab", "--repository", "nowhere"), "--repository nowhere: git finds no repository there"),
        (("aaaa..cccc",), "no commit called 'cccc'"),
        (("..aaab",), "no commit called 'HEAD'"),
        (("aaaa", "aaab", "--commit-url", "javascript:x"), "begins with neither"),
        (("--threshold", "5", "aaaa", "cccc"), "no commit called 'cccc'"),
    ],
)
def test_commits_that_were_not_measured_are_clear_errors(diff, arguments, reason):
    code, out, err = diff(*arguments)
    assert (code, out) == (2, "")
    assert reason in err


def test_an_ambiguous_beginning_names_what_it_could_be(asv_folder, diff):
    asv_folder.measure("torch", commit="aaaa" + "3" * 36, day=3)
    code, _, err = diff("aaaa", "aaab")
    assert code == 2
    assert f"'aaaa' is ambiguous. It is one of\n  {OLD}\n  aaaa{'3' * 36}\n" in err


def test_two_commits_are_one_argument_as_well(diff):
    change = times({SLOW: 1.2})
    assert diff("aaaa..aaab", change=change)[:2] == diff("aaaa", "aaab", change=change)[:2]


def test_one_commit_is_too_few(capsys):
    assert main(["diff", "aaaa"]) == 2
    assert "Name two commits" in capsys.readouterr().err


def test_without_results_there_is_nothing_to_compare(tmp_path, capsys):
    assert main(["diff", "aaaa", "aaab", str(tmp_path)]) == 2
    assert f"{tmp_path}: no results of asv. Name their folder, such as bench/results/asv" in capsys.readouterr().err
    assert main(["diff", "aaaa", "aaab", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "x", "5%"])
def test_a_threshold_that_is_no_percentage_is_refused(diff, capsys, text):
    with pytest.raises(SystemExit) as stopped:
        diff("aaaa", "aaab", f"--threshold={text}")
    assert stopped.value.code == 2
    assert f"'{text.strip()}' is no percentage: give a number from 0, such as 10" in capsys.readouterr().err


def test_what_could_not_be_read_is_said(asv_folder, diff):
    (asv_folder.root / "box").mkdir()
    (asv_folder.root / "box" / "broken.json").write_text("{")
    code, _, err = diff("aaaa", "aaab")
    assert code == 0
    assert "could not read" in err
    assert "broken.json" in err


def test_markdown_has_subjects_in_parentheses_and_nothing_where_unknown(diff, monkeypatch):
    monkeypatch.setattr(Repository, "known", lambda self, names: {OLD: Known(0, "old *work*")})
    line = diff("aaaa", "aaab", "--markdown")[1].splitlines()[0]
    assert line.endswith(r"from `aaaa1111` (old \*work\*) to `aaab2222`")


def test_markdown_is_one_table_with_nothing_in_it_that_runs(asv_folder, diff, capsys):
    diff("aaaa", "aaab", change=times({SLOW: 1.2}))
    for path in [asv_folder.root / "benchmarks.json", *asv_folder.root.glob("box/*-torch.json")]:
        path.write_text(path.read_text().replace("gpt2-small", "<img src=x>|`[a](b) @all\\u001b[2J"))
    arguments = ["aaaa", "aaab", str(asv_folder.root), "--commit-url", "https://e.org/c/"]
    assert main(["diff", *arguments, "--markdown"]) == 1
    out = capsys.readouterr().out
    assert f"from [`aaaa1111`](https://e.org/c/{OLD})" in out
    row = next(line for line in out.splitlines() if SECONDS.rpartition(".")[0] in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 8
    assert r"&lt;img src=x&gt;\|\`\[a\](b) \@all?\[2J" in row
    assert main(["diff", *arguments]) == 1
    assert "\x1b" not in capsys.readouterr().out
