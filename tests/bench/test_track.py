"""Tests of tracking, with asv itself on a small repository whose environments need no packages."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bench
from bench.__main__ import main
from bench.track.asv_files import rows, values
from bench.track.environments import Environment, verify
from bench.track.problems import read_problems

ROOT = Path(bench.__file__).parents[1]
MACHINE = "toy-machine"

BENCHMARKS = """
import os
import time


def tracked(function):
    function.version, function.unit = "1", "things"
    return function


class First:
    params = ((1, 2),)
    param_names = ("n",)

    @tracked
    def track_commit(self, n):
        import toy

        return n * toy.VALUE


class Second:
    def setup(self):
        if os.environ["BENCH_FRAMEWORK"] == "jax":
            raise NotImplementedError

    @tracked
    def track_slow(self):
        import toy

        while os.path.exists(os.environ.get("TOY_WAIT", "")):
            time.sleep(0.05)
        return toy.VALUE


class Third:
    @tracked
    def track_framework(self):
        from toy import VALUE

        return {"torch": 1, "jax": 2}[os.environ["BENCH_FRAMEWORK"]] * VALUE
"""

CONFIGURATION = {
    "version": 1,
    "project": "toy",
    "repo": ".",
    "branches": ["HEAD"],
    "benchmark_dir": "benchmarks",
    "environment_type": "virtualenv",
    "results_dir": "results/asv",
    "env_dir": ".asv/env",
    "html_dir": ".asv/html",
    # The "wheel" of a commit is its module, copied to where the environment finds it; a commit can refuse to be built.
    "build_command": ["python build.py {build_cache_dir}"],
    "install_command": ["in-dir={env_dir} python {build_dir}/install.py {build_cache_dir}"],
    "uninstall_command": ["return-code=any python -c pass"],
    "exclude": [{"python": ".*"}],
    "include": [
        {"python": f"{sys.version_info[0]}.{sys.version_info[1]}", "env_nobuild": {"BENCH_FRAMEWORK": "torch"}},
        {"python": f"{sys.version_info[0]}.{sys.version_info[1]}", "env_nobuild": {"BENCH_FRAMEWORK": "jax"}},
    ],
}

BUILD = """
import pathlib, shutil, sys
source = pathlib.Path("implementations/toy/__init__.py")
if "REFUSE" in source.read_text():
    sys.exit("error: this commit refuses to be built")
shutil.copy(source, pathlib.Path(sys.argv[1], "toy.py"))
"""
INSTALL = """
import pathlib, shutil, sys, sysconfig
shutil.copy(pathlib.Path(sys.argv[1], "toy.py"), pathlib.Path(sysconfig.get_path("purelib"), "toy.py"))
"""


def git(folder, *arguments):
    done = subprocess.run(
        ["git", "-c", "user.name=toy", "-c", "user.email=toy@example.org", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def commit(folder, text):
    """A commit whose module holds `text`."""
    (folder / "implementations" / "toy" / "__init__.py").write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "toy")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A repository with asv's environment in it, which takes most of the time."""
    folder = tmp_path_factory.mktemp("toy") / "toy"
    (folder / "implementations" / "toy").mkdir(parents=True)
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "__init__.py").touch()
    (folder / "benchmarks" / "toys.py").write_text(BENCHMARKS)
    (folder / "asv.conf.json").write_text("// a comment\n" + json.dumps(CONFIGURATION))
    (folder / "build.py").write_text(BUILD)
    (folder / "install.py").write_text(INSTALL)
    (folder / ".gitignore").write_text("/results/\n/.asv/\n__pycache__/\n")
    git(folder, "init", "--quiet")
    commit(folder, "VALUE = 10\n")
    return folder


@pytest.fixture
def toy(template, monkeypatch, tmp_path):
    """The repository as it was, with results of its own; the machine file is not the user's."""
    monkeypatch.chdir(template)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("BENCH_FRAMEWORK", "BENCH_DEVICE", "TOY_WAIT"):
        monkeypatch.delenv(name, raising=False)
    first = git(template, "rev-list", "--max-parents=0", "HEAD")
    git(template, "reset", "--quiet", "--hard", first)
    subprocess.run(["rm", "-rf", "results", ".asv/track"], cwd=template, check=True)
    return template


def track(*arguments):
    return main(["track", "--machine", MACHINE, *arguments])


def measured(folder, revision="HEAD"):
    """Values by framework and benchmark."""
    found = {}
    full = git(folder, "rev-parse", revision)
    for path in (folder / "results" / "asv" / MACHINE).glob(f"{full[:8]}-*.json"):
        content = json.loads(path.read_text())
        framework = content["env_vars"]["BENCH_FRAMEWORK"]
        found[framework] = {name: list(values(row).values()) for name, row in rows(content).items()}
    return found


def problems(folder):
    return [p for p in read_problems(folder / "results" / "asv" / MACHINE) if p.kind == "failed"]


ALL = {"toys.First.track_commit": [10, 20], "toys.Second.track_slow": [10], "toys.Third.track_framework": [10]}


def test_everything_is_measured_once_and_asvs_own_commands_read_it(toy, capfd):
    assert track() == 0
    output = capfd.readouterr().err
    assert "described this machine as 'toy-machine'" in output
    assert measured(toy)["torch"] == ALL
    jax = measured(toy)["jax"]
    assert (jax["toys.First.track_commit"], jax["toys.Third.track_framework"]) == ([10, 20], [20])
    assert problems(toy) == []

    assert track() == 0  # and what a benchmark's setup skips is not asked for again
    output = capfd.readouterr().err
    assert "torch: everything is measured already" in output
    assert "jax: everything is measured already" in output
    assert "Running" not in output

    for command in (["run", "--skip-existing-successful", "--machine", MACHINE], ["publish"]):
        done = subprocess.run([sys.executable, "-m", "asv", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    pages = json.loads((toy / ".asv" / "html" / "index.json").read_text())
    assert set(pages["benchmarks"]) == set(ALL)


def test_a_broken_commit_harms_no_other(toy, capfd):
    refused = commit(toy, "VALUE = 1  # REFUSE\n")
    unimportable = commit(toy, "raise ImportError('a half-finished commit')\n")
    good = commit(toy, "VALUE = 30\n")
    assert track("--last", "4", "--frameworks", "torch") == 1
    output = capfd.readouterr().err
    assert measured(toy, "HEAD~3")["torch"] == ALL
    assert measured(toy, good)["torch"]["toys.First.track_commit"] == [30, 60]
    reasons = {p.commit: p.reason for p in problems(toy)}
    assert set(reasons) == {refused, unimportable}
    assert reasons[refused] == "cannot be built: error: this commit refuses to be built"
    assert reasons[unimportable] == "ImportError: a half-finished commit"
    assert f"{refused[:8]} everything: cannot be built" in output
    assert output.count("cannot be built") == 1


def test_an_environment_that_cannot_be_installed_harms_no_other(toy, capfd):
    broken = json.loads((toy / "asv.conf.json").read_text().partition("\n")[2])
    broken["include"][0]["req"] = {"setuptools": "0.0.0.1"}  # a version that does not exist
    broken["include"].insert(0, {"python": "2.1", "env_nobuild": {"BENCH_FRAMEWORK": "old"}})
    (toy / "asv.conf.json").write_text(json.dumps(broken))
    assert track("--allow-dirty", "--bench", "Third") == 1
    assert measured(toy)["jax"] == {"toys.Third.track_framework": [20]}
    found = {p.environment.rpartition("FRAMEWORK")[2]: p.reason for p in problems(toy)}
    assert set(found) == {"torch", "old"}
    assert found["torch"] == "cannot be installed: ERROR: No matching distribution found for setuptools==0.0.0.1"
    assert "finds no way to make an environment of the type 'virtualenv' with Python 2.1" in found["old"]
    capfd.readouterr()


def _wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.05)


def test_a_killed_run_keeps_what_was_done_and_resumes(toy, tmp_path):
    wait = tmp_path / "wait"
    wait.touch()
    log = tmp_path / "log"
    command = [sys.executable, "-m", "bench", "track", "--machine", MACHINE, "--frameworks", "torch"]
    environment = {**os.environ, "TOY_WAIT": str(wait), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=toy, env=environment, stderr=file, start_new_session=True)
        try:
            _wait_until(lambda: log.read_text().count("Benchmarking") == 2)
            time.sleep(0.5)
        finally:
            process.kill()
            process.wait()
    assert measured(toy)["torch"] == {"toys.First.track_commit": [10, 20]}

    path = next((toy / "results" / "asv" / MACHINE).glob("*-*.json"))
    before = path.stat().st_mtime_ns
    _wait_until(lambda: not _asv_processes(toy), 30)  # they end with the process that started them
    wait.unlink()
    assert track("--frameworks", "torch") == 0
    assert measured(toy)["torch"] == ALL
    assert path.stat().st_mtime_ns > before
    content = json.loads(path.read_text())
    assert content["results"]["toys.First.track_commit"][3] < content["results"]["toys.Second.track_slow"][3]


def _asv_processes(folder):
    """Processes that work in the repository and are asv's."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if "asv" in line and str(folder) in line:
            found.append(line)
    return found


def test_half_a_result_file_is_set_aside_and_measured_again(toy, capfd):
    assert track("--frameworks", "torch", "--bench", "Third") == 0
    path = next((toy / "results" / "asv" / MACHINE).glob("*-*.json"))
    path.write_text(path.read_text()[:-30])
    assert track("--frameworks", "torch", "--bench", "Third") == 0
    assert "is set aside as" in capfd.readouterr().err
    assert path.with_name(path.name + ".broken").exists()
    assert measured(toy)["torch"] == {"toys.Third.track_framework": [10]}


def test_in_an_existing_environment_frameworks_and_commits_stay_apart(toy, capfd):
    commit(toy, "VALUE = 30\n")
    assert track("--existing", "--last", "2", "--bench", "Third") == 0
    assert measured(toy, "HEAD~1") == {
        "torch": {"toys.Third.track_framework": [10]},
        "jax": {"toys.Third.track_framework": [20]},
    }
    assert measured(toy) == {
        "torch": {"toys.Third.track_framework": [30]},
        "jax": {"toys.Third.track_framework": [60]},
    }
    assert not (toy / ".asv" / "track" / "results" / MACHINE / "existing").exists()
    capfd.readouterr()
    assert track("--existing", "--last", "2", "--bench", "Third") == 0
    assert "Running" not in capfd.readouterr().err


def test_parameters_that_were_not_selected_are_measured_later(toy, capfd):
    assert track("--existing", "--frameworks", "torch", "--bench", r"First.*\(1\)") == 0
    assert measured(toy)["torch"]["toys.First.track_commit"][0] == 10
    assert track("--existing", "--frameworks", "torch", "--bench", "First") == 0
    assert measured(toy)["torch"]["toys.First.track_commit"] == [10, 20]
    capfd.readouterr()


def test_changes_that_are_not_committed_are_refused(toy, capsys):
    (toy / "benchmarks" / "new.py").write_text("\n")
    assert track("--existing") == 1
    assert "changes that are not committed (benchmarks/new.py)" in capsys.readouterr().err
    (toy / "benchmarks" / "new.py").unlink()
    (toy / "asv.conf.json").write_text((toy / "asv.conf.json").read_text() + "\n")
    assert track("--existing") == 1
    assert "M asv.conf.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-commit"], "no-such-commit"),
        (["HEAD..HEAD"], "the range HEAD..HEAD holds no commit"),
        (["HEAD", "--last", "2"], "--last 2 and HEAD: give one of both"),
        (["--frameworks", "numpy"], "--frameworks numpy: asv.conf.json has only torch, jax"),
        (["--bench", "Fourth"], "--bench Fourth selects no benchmark; there are: toys.First.track_commit"),
        (["--bench", "("], "--bench '(' is no regular expression"),
    ],
)
def test_what_does_not_exist_is_named(arguments, words, toy, capsys):
    assert track("--existing", *arguments) == 1
    assert words in capsys.readouterr().err


def test_two_runs_at_once_are_refused(toy, capsys, monkeypatch):
    from bench.track import checks as track_checks

    monkeypatch.setattr(track_checks, "WAIT", 0.0)
    with track_checks.alone(toy / ".asv" / "track"):
        assert track("--existing") == 1
    assert "another run measures here" in capsys.readouterr().err


def test_an_interrupt_is_passed_on_and_says_so(toy, tmp_path):
    wait = tmp_path / "wait"
    wait.touch()
    log = tmp_path / "log"
    # What a shell starts in the background ignores SIGINT, and so would the command.
    code = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        " runpy.run_module('bench', run_name='__main__', alter_sys=True)"
    )
    command = [sys.executable, "-c", code, "track", "--machine", MACHINE, "--existing", "--bench", "Second"]
    environment = {**os.environ, "TOY_WAIT": str(wait), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=toy, env=environment, stderr=file)
        _wait_until(lambda: "Benchmarking" in log.read_text())
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert "interrupted" in log.read_text()


def _environment(label):
    return Environment(label, f"existing-{label}", {}, True, {"BENCH_FRAMEWORK": label})


def test_the_code_that_is_measured_is_verified(tmp_path, monkeypatch):
    source, installed = (tmp_path / name for name in ("source", "installed"))
    for folder in (source, installed):
        (folder / "alphaadam").mkdir(parents=True)
        (folder / "alphaadam" / "__init__.py").touch()
        (folder / "alphaadam" / "torch.py").touch()
    monkeypatch.delenv("PYTHONPATH", raising=False)
    verify(_environment("torch"), source)
    with pytest.raises(RuntimeError, match=r"alphaadam\.optax cannot be imported: ModuleNotFoundError"):
        verify(_environment("jax"), source)
    monkeypatch.setattr(
        "bench.track.environments.process_variables", lambda *_: {**os.environ, "PYTHONPATH": str(installed)}
    )
    with pytest.raises(
        RuntimeError, match=r"finds .*/installed/alphaadam/torch\.py, not the commit's code in .*/source"
    ):
        verify(_environment("torch"), source)
