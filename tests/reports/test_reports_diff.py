"""The comparison in the terminal: what it says, what it refuses, and its exit code."""

import re

import pytest

from reports.__main__ import main

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
    faster, slower = [line for line in out.splitlines() if SECONDS in line]
    assert "-50 %" in faster
    assert "(shapes gpt2-nano)" in faster
    assert "+20 %" in slower
    assert "AlphaAdam" in slower


def test_only_better_is_no_failure(diff):
    assert diff("aaaa", "aaab", change=times({QUICK: 0.5}))[0] == 0


def test_the_threshold_decides_and_all_lists_what_did_not_move(diff):
    change = times({SLOW: 1.2})
    assert diff("aaaa", "aaab", "--threshold", "25", change=change)[0] == 0
    code, out, _ = diff("aaaa", "aaab", "--threshold", "25", "--all", change=change)
    assert code == 0
    assert re.search(r"below the threshold +\+20 %", out)


def test_what_only_one_commit_has_is_listed_with_the_reason(diff):
    gone = lambda name, parameters, value: None if (name, parameters) == (SECONDS, SLOW) else value  # noqa: E731
    code, out, _ = diff("aaaa", "aaab", change=gone)
    assert code == 0
    assert re.search(r"only in A .* missing: failed", out)


def test_nothing_to_compare_is_no_success(diff):
    code, _, err = diff("aaaa", "aaab", change=lambda *what: None)
    assert code == 2
    assert "no benchmark has a value at both commits" in err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("aaa", "aaab"), "no commit called 'aaa' was measured. The newest that were: aaab2222; aaaa1111."),
        (("nothing", "aaab"), "no commit called 'nothing' was measured"),
        (("aaaa", "aaab", "--machine", "other"), "there are results of box, not of other"),
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
    assert f"'aaaa' is ambiguous: it is {OLD}; aaaa{'3' * 36}." in err


def test_without_results_there_is_nothing_to_compare(tmp_path, capsys):
    assert main(["diff", "aaaa", "aaab", str(tmp_path)]) == 2
    assert "there are no results of asv" in capsys.readouterr().err
    assert main(["diff", "aaaa", "aaab", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "x"])
def test_a_threshold_that_is_no_percentage_is_refused(diff, text):
    with pytest.raises(SystemExit) as stopped:
        diff("aaaa", "aaab", f"--threshold={text}")
    assert stopped.value.code == 2


def test_what_could_not_be_read_is_said(asv_folder, diff):
    (asv_folder.root / "box").mkdir()
    (asv_folder.root / "box" / "broken.json").write_text("{")
    code, _, err = diff("aaaa", "aaab")
    assert code == 0
    assert "could not read" in err
    assert "broken.json" in err


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
