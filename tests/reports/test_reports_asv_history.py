"""Reading asv's folder: every machine, commit and environment; what is broken is named, and the rest is kept."""

import json
import subprocess

import pytest

from reports.sources.asv_history import load_asv
from reports.sources.error import SourceError
from reports.sources.repository import Repository

SECONDS = "throughput.OptimizerStep.track_step_seconds"
LOSS = "convergence.Convergence.track_validation_loss"
OLD, MIDDLE, NEW = "b" * 40, "a" * 40, "c" * 40
HEAD = (
    '"params": {"machine": "box"}, "requirements": {}, "commit_hash": "a", "python": "", "env_name": "", '
    '"env_vars": {"BENCH_FRAMEWORK": "jax"}'
)


class Read:
    """What a folder gives, and what is complained about it."""

    def __init__(self, folder, repository=Repository()):  # noqa: B008
        self.complaints = []
        self.histories = load_asv(
            folder.root, lambda path, reason: self.complaints.append(f"{path.name}: {reason}"), repository
        )
        self.history = self.histories[0]

    def series(self, benchmark, framework="torch", *parameters):
        return next(
            item
            for item in self.history.series
            if (item.benchmark, item.framework) == (benchmark, framework)
            and tuple(value for _, value in item.parameters) == parameters
        )


def first_result(path, change):
    """Rewrites one file after `change` of its contents."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_each_series_has_a_value_or_a_reason_for_every_commit_in_order(asv_folder):
    here = (SECONDS, ("adamw", "gpt2-nano"))
    for day, commit in ((2, MIDDLE), (1, OLD), (3, NEW)):
        asv_folder.measure("torch", lambda name, at, value, day=day: day if (name, at) == here else value, commit, day)
    asv_folder.measure("jax", commit=OLD, day=1)
    asv_folder.measure("jax", lambda *what: None, commit=NEW, day=3)
    read = Read(asv_folder)
    assert [commit.name for commit in read.history.commits] == [OLD, MIDDLE, NEW]
    assert read.series(SECONDS, "torch", "adamw", "gpt2-nano").values == (1, 2, 3)
    assert read.series(SECONDS, "torch", "adamw", "gpt2-nano").optimizer == "adamw"
    of_jax = read.series(SECONDS, "jax", "adamw", "gpt2-nano")
    assert [value is None for value in of_jax.values] == [False, True, True]
    assert of_jax.missing == {1: "no result file", 2: "failed"}
    assert read.complaints == []


def test_each_machine_has_a_history_of_its_own_the_last_that_measured_first(asv_folder):
    asv_folder.measure("torch", commit=OLD, day=1, machine="a-box")
    asv_folder.measure("torch", commit=NEW, day=2, machine="z-box")
    histories = Read(asv_folder).histories
    assert [(history.name, history.newest.commit) for history in histories] == [("z-box", NEW), ("a-box", OLD)]


def test_the_newest_commit_is_the_last_and_not_the_one_measured_last(asv_folder):
    asv_folder.measure("torch", commit=NEW, day=4)
    path = asv_folder.measure("torch", commit=OLD, day=3)

    def again(content):
        for row in content["results"].values():
            row[content["result_columns"].index("started_at")] += 10**9

    first_result(path, again)
    newest = Read(asv_folder).history.newest
    assert (newest.commit, newest.date.isoformat()) == (NEW, "2026-05-04T00:00:00+00:00")
    assert newest.measured.isoformat() == "2026-05-04T01:00:00+00:00"


def test_of_two_environments_of_a_framework_the_one_measured_later_counts_and_the_other_is_named(asv_folder):
    early = asv_folder.measure("torch", lambda *what: 1.0, environment="py3.12")
    late = asv_folder.measure("torch", lambda *what: 2.0, environment="py3.11")

    def later(content):
        for row in content["results"].values():
            row[content["result_columns"].index("started_at")] += 1

    first_result(late, later)
    read = Read(asv_folder)
    assert set(read.series(SECONDS, "torch", "adamw", "gpt2-nano").values) == {2.0}
    assert len(read.complaints) == 1
    assert early.name in read.complaints[0]
    assert late.name not in read.complaints[0]


def test_many_duplicates_make_one_complaint(asv_folder):
    for day in range(1, 9):
        for environment in ("py3.11", "py3.12"):
            asv_folder.measure("torch", commit=str(day) * 40, day=day, environment=environment)
    read = Read(asv_folder)
    assert len(read.history.commits) == 8
    assert len(read.complaints) == 1
    assert "and 7 more" in read.complaints[0]


def test_the_environment_of_each_commit_is_kept(asv_folder):
    asv_folder.measure("torch", commit=OLD, day=1, environment="py3.11")
    asv_folder.measure("torch", commit=NEW, day=2, environment="py3.12")
    assert Read(asv_folder).history.environments == {"torch": ("py3.11-torch", "py3.12-torch")}


def test_a_file_that_does_not_say_its_framework_or_is_of_another_machine_is_named(asv_folder):
    asv_folder.measure("torch")
    nobody = asv_folder.measure(None, environment="nobody")
    moved = asv_folder.measure("jax", machine="other").rename(asv_folder.root / "box" / "moved.json")
    read = Read(asv_folder)
    assert [history.name for history in read.histories] == ["box"]
    assert any(nobody.name in text and "BENCH_FRAMEWORK" in text for text in read.complaints)
    assert any(moved.name in text and "of machine 'other'" in text for text in read.complaints)


def test_values_of_another_version_of_a_benchmark_are_missing_and_named_once(asv_folder):
    asv_folder.describe(versions={SECONDS: "2"})
    for day, commit in ((1, OLD), (2, NEW)):
        asv_folder.measure("torch", commit=commit, day=day)
    read = Read(asv_folder)
    assert set(read.series(SECONDS, "torch", "adamw", "gpt2-nano").missing.values()) == {"outdated"}
    assert [text for text in read.complaints if SECONDS in text] == read.complaints
    assert len(read.complaints) == 1


def test_a_benchmark_that_is_not_described_is_shown_without_a_unit_and_named(asv_folder, recorded):
    asv_folder.describe(without=LOSS)
    asv_folder.measure("torch")
    read = Read(asv_folder)
    series = read.series(LOSS, "torch", "adamw", "100")
    assert series.values == (recorded(LOSS, "torch", ("adamw", 100)),)
    assert (series.unit, series.parameters[0]) == ("", ("parameter 1", "adamw"))
    assert any(LOSS in text for text in read.complaints)


def test_parameters_that_a_benchmark_no_longer_has_keep_their_values(asv_folder):
    path = asv_folder.measure("torch")
    path.write_text(path.read_text().replace("gpt2-nano", "gpt2-former"))
    assert None not in Read(asv_folder).series(SECONDS, "torch", "adamw", "gpt2-former").values


def test_commits_have_the_subjects_that_git_knows_and_its_order(asv_folder, tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        return subprocess.run(
            ["git", "-C", tmp_path / "clone", *identity, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    (tmp_path / "clone").mkdir()
    git("init", "-q")
    names = []
    for subject in ("<script>alert(1)</script>", "second", ""):
        git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", subject)
        names.append(git("rev-parse", "HEAD"))
    for day, name in zip((3, 2, 1), names, strict=True):  # rebased: the dates go the other way
        asv_folder.measure("torch", commit=name, day=day)
    repository = Repository(tmp_path / "clone", "https://example.org/commit/")
    commits = Read(asv_folder, repository).history.commits
    assert [commit.name for commit in commits] == names
    assert [commit.subject for commit in commits] == ["<script>alert(1)</script>", "second", ""]
    assert commits[0].link == f"https://example.org/commit/{names[0]}"
    assert [(commit.name, commit.subject, commit.link) for commit in Read(asv_folder).history.commits] == [
        (name, "", "") for name in reversed(names)
    ]
    # One that git does not know: the others keep their subjects.
    asv_folder.measure("torch", commit=NEW, day=4)
    subjects = {commit.name: commit.subject for commit in Read(asv_folder, repository).history.commits}
    assert (subjects[NEW], subjects[names[1]]) == ("", "second")


def test_a_folder_without_results_says_how_to_make_them(asv_folder):
    with pytest.raises(SourceError, match=r"No result file in it can be used.*bench track"):
        Read(asv_folder)


@pytest.mark.parametrize("name", ["benchmarks.json", "box/machine.json"])
@pytest.mark.parametrize(
    "content", [None, "{", "", "[]", "null", "3", '{"version": 99}', '{"version": "x"}', "{}", "\x00", "[" * 100_000]
)
def test_a_broken_description_is_named_and_the_values_are_shown(full_folder, name, content, recorded):
    if content is None:
        (full_folder.root / name).unlink()
    else:
        (full_folder.root / name).write_text(content)
    read = Read(full_folder)
    assert any(text.startswith(name.rpartition("/")[2]) for text in read.complaints)
    assert read.series(SECONDS, "jax", "adamw", "gpt2-nano").values == (
        recorded(SECONDS, "jax", ("adamw", "gpt2-nano")),
    )


@pytest.mark.parametrize(
    "change",
    [
        {"param_names": None},
        {"param_names": ["optimizer"]},
        {"param_names": ["value", "shapes"]},
        {"params": 3},
        {"params": [[1], [2]]},
        {"params": [["'x'"] * 1000] * 9},
    ],
)
def test_a_broken_description_of_one_benchmark_leaves_the_others(full_folder, change, recorded):
    path = full_folder.root / "benchmarks.json"
    first_result(path, lambda content: content[LOSS].update(change))
    read = Read(full_folder)
    assert any(LOSS in text for text in read.complaints)
    assert read.series(LOSS, "torch", "adamw", "100").values == (recorded(LOSS, "torch", ("adamw", 100)),)
    assert SECONDS in read.history.newest.tables
    assert LOSS not in read.history.newest.tables


@pytest.mark.parametrize(
    "content",
    [
        *("{", "", "[]", "null", "3", '{"version": 1}', '{"version": 3}', '{"version": 2}', "[" * 100_000),
        f'{{"version": 2, {HEAD}, "date": null, "results": {{}}, "result_columns": []}}',
        f'{{"version": 2, {HEAD}, "date": 1e300, "results": {{}}, "result_columns": []}}',
        f'{{"version": 2, {HEAD}, "date": NaN, "results": {{}}, "result_columns": []}}',
        f'{{"version": 2, {HEAD}, "date": 1, "results": [], "result_columns": []}}',
    ],
)
def test_a_broken_result_file_is_named_and_the_others_are_read(full_folder, content):
    path = next(full_folder.root.glob("box/*-jax.json"))
    path.write_text(content)
    read = Read(full_folder)
    assert [text for text in read.complaints if text.startswith(path.name)] == read.complaints != []
    assert {series.framework for series in read.history.series} == {"torch", "keras"}


@pytest.mark.parametrize(
    "row",
    [
        3,
        None,
        [],
        [[1, 2], [["'x'"]]],
        [[1], "x"],
        [[1, 1], [["'x'", "'x'"]]],
        [[1], [["'x'"] * 10**6, ["'y'"] * 10**6]],
    ],
)
def test_a_broken_record_in_a_result_file_is_named_and_the_others_are_read(full_folder, row, recorded):
    path = next(full_folder.root.glob("box/*-jax.json"))
    first_result(path, lambda content: content["results"].update({LOSS: row}))
    read = Read(full_folder)
    assert len(read.complaints) == 1
    assert read.complaints[0].startswith(f"{path.name}: {LOSS}")
    at = ("adamw", "gpt2-nano")
    assert read.series(SECONDS, "jax", *at).values == (recorded(SECONDS, "jax", at),)


def test_half_a_surrogate_pair_in_a_name_can_be_written(full_folder):
    for path in [full_folder.root / "benchmarks.json", *full_folder.root.glob("box/*-*.json")]:
        path.write_text(path.read_text().replace("gpt2-nano", "\\udc80").replace("nats/byte", "\\ud800"))
    for series in Read(full_folder).history.series:
        f"{series.unit}{series.parameters}".encode()


def test_the_origin_names_machine_versions_and_commits(full_folder):
    origin = Read(full_folder).history.origin()
    facts = dict(origin.facts)
    assert facts["cpu"] == "A <b>fast</b> one"
    assert facts["newest commit"].startswith("1234567890abcdef")
    assert "numpy 2.4.6" in facts["PyTorch at the newest commit"]
    assert origin.command.startswith("python -m bench track 1234567890abcdef")
