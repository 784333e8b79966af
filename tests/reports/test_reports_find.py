"""What is found below the paths, what is left alone, and what is listed because it cannot be opened."""

import inspect
import json
import os
import shutil
import sys

import pytest

from reports.sources.error import SourceError
from reports.sources.find import WORKSHOP, find
from reports.sources.read import read


@pytest.fixture
def write(tmp_path, conformance_data):
    """Writes conformance results to a path below a folder `results`."""

    def write(name, **changes):
        path = tmp_path / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**conformance_data, **changes}))
        return path

    return write


def names(results):
    return [item.path.name for item in results.conformance]


def test_everything_below_a_folder_is_found_in_the_order_of_names(write, tmp_path):
    write("b.json")
    write("a/z.json")
    write("c/d/e.json")
    results = read([tmp_path / "results"])
    assert names(results) == ["z.json", "b.json", "e.json"]
    assert not results.unread


def test_one_file_that_is_reached_twice_is_read_once(write, tmp_path):
    path = write("a.json")
    (path.parent / "link.json").symlink_to(path)
    (path.parent / "loop").symlink_to(path.parent)
    assert names(read([path, tmp_path / "results", path.parent / "loop"])) == ["a.json"]


@pytest.mark.parametrize("sign", WORKSHOP)
def test_folders_of_work_files_are_left_alone_but_not_silently_where_they_were_asked_for(write, tmp_path, sign):
    write("a.json")
    work = write("work/code/b.json").parents[1]
    (work / sign).touch()
    results = read([tmp_path / "results"])
    assert names(results) == ["a.json"]
    assert not results.unread
    [item] = read([work]).unread
    assert item.reason.startswith(f"It holds {sign}: work files, not results.")


@pytest.mark.parametrize("name", ["none", "x" * 5000, "null\0byte", "loop"])
def test_a_path_that_does_not_exist_is_an_error_in_one_line(tmp_path, name):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(SourceError, match=r"Name a file or folder that holds results\.$") as error:
        read([tmp_path / name])
    assert "\n" not in str(error.value)


def test_what_cannot_be_opened_is_listed_and_the_rest_is_read(write, tmp_path):
    folder = write("a.json").parent
    (folder / "gone.json").symlink_to(folder / "nowhere.json")
    (folder / "loop.json").symlink_to(folder / "loop.json")
    os.mkfifo(folder / "pipe.json")
    (folder / "folder.json").mkdir()
    shutil.copy(folder / "a.json", folder / "folder.json" / "b.json")
    results = read([folder])
    assert names(results) == ["a.json", "b.json"]
    assert [(item.path.rpartition("/")[2], item.reason[:30]) for item in results.unread] == [
        ("gone.json", "It cannot be opened (No such f"),
        ("loop.json", "It cannot be opened (Too many "),
        ("pipe.json", "It is neither a file nor a fol"),
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_listed(write):
    path = write("secret/a.json")
    other = write("b.json")
    path.parent.chmod(0)
    other.chmod(0)
    results = read([other.parent])
    path.parent.chmod(0o755)
    assert [item.reason.startswith(("It is not readable", "It cannot be opened")) for item in results.unread] == [
        True
    ] * 2


def test_folders_nested_deeper_than_the_stack_are_searched(write, tmp_path):
    write("a.json")
    write(f"{'d/' * 150}b.json")
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 120)
    try:
        found = list(find([tmp_path], print))
    finally:
        sys.setrecursionlimit(before)
    assert [path.name for path in found] == ["a.json", "b.json"]


def test_results_beside_asvs_and_beside_a_comparison_are_found(write, full_folder, tmp_path):
    shutil.move(full_folder.root, tmp_path / "results" / "asv")
    write("asv/conformance.json")
    write("comparison/conformance.json")
    (tmp_path / "results" / "comparison" / "torch-adamw.jsonl").touch()
    results = read([tmp_path / "results"])
    assert len(results.conformance) == 2
    assert len(results.histories) == 1
    assert any("comparison" in item.path for item in results.unread)


def test_one_machine_of_asvs_names_the_folder_that_is_wanted(full_folder):
    [item] = read([full_folder.root / "box"]).unread
    assert item.reason == "It is the folder of one machine of asv's. Name the folder above it."


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (None, "Its schema is missing; this version reads alphaadam-conformance-1, alphaadam-conformance-2, "),
        ("alphaadam-conformance-9", "Its schema is 'alphaadam-conformance-9'; this version reads"),
        (["alphaadam-conformance-2"], "Its schema is no text; this version reads"),
    ],
)
def test_an_unknown_schema_is_listed_with_the_known_ones(write, tmp_path, schema, said):
    write("a.json", schema=schema)
    [item] = read([tmp_path]).unread
    assert item.path.endswith("results/a.json")
    assert item.reason.startswith(said)


def test_a_name_that_stands_twice_in_one_object_is_no_result(write, tmp_path):
    path = write("a.json")
    path.write_text(path.read_text()[:-1] + ', "results": []}')
    [item] = read([tmp_path]).unread
    assert "'results' stands twice in one object" in item.reason


def test_a_mistake_of_a_reader_costs_its_file_alone(write, tmp_path, monkeypatch):
    write("a.json", created="once")
    write("b.json")
    from reports.sources import read as module

    def wrong(path, complain):
        if path.name == "a.json":
            raise ZeroDivisionError("oh")
        return original(path, complain)

    kind, original = module.READERS["alphaadam-conformance-3"]
    monkeypatch.setitem(module.READERS, "alphaadam-conformance-3", (kind, wrong))
    results = read([tmp_path])
    assert names(results) == ["b.json"]
    assert [item.reason for item in results.unread] == [
        "The reader failed on it (ZeroDivisionError: oh). Please report this as a bug."
    ]
