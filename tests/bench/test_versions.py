"""Tests of bench.changes.versions."""

import subprocess

import pytest

from bench.changes.versions import PACKAGES, WORKING_TREE, version


@pytest.fixture
def repository(tmp_path):
    """Two commits that differ in the code, and a third that differs in a text only."""
    root = tmp_path / "repository"
    module = root / PACKAGES / "alphaadam" / "__init__.py"
    module.parent.mkdir(parents=True)

    def git(*arguments):
        subprocess.run(
            ["git", "-C", root, "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments],
            check=True,
            capture_output=True,
        )

    git("init")
    (root / "README").write_text("nothing yet")
    git("add", ".")
    git("commit", "-m", "empty")
    for number in (1, 2):
        module.write_text(f"number = {number}\n")
        git("add", ".")
        git("commit", "-m", f"number {number}")
    (root / "README").write_text("text")
    git("commit", "-a", "-m", "text")
    return root


def test_each_version_has_its_own_code(repository, tmp_path):
    def number(name):
        made = version(name, tmp_path / "code", repository)
        return (made.folder / "alphaadam" / "__init__.py").read_text(), made

    (first, old), (second, new) = number("HEAD~2"), number("HEAD~1")
    assert (first, second) == ("number = 1\n", "number = 2\n")
    assert (old.subject, new.subject) == ("number 1", "number 2")
    assert old.digest != new.digest == version("HEAD", tmp_path / "code", repository).digest


def test_the_working_tree_is_measured_with_what_is_not_committed(repository, tmp_path):
    (repository / PACKAGES / "alphaadam" / "__init__.py").write_text("number = 3\n")
    made = version(None, tmp_path / "code", repository)
    assert (made.folder / "alphaadam" / "__init__.py").read_text() == "number = 3\n"
    assert made.name == WORKING_TREE
    assert sorted(path.name for path in (tmp_path / "code").iterdir()) == [made.digest]  # and nothing half made


def test_what_cannot_be_measured_is_named(repository, tmp_path):
    with pytest.raises(ValueError, match="nosuch"):
        version("nosuch", tmp_path / "code", repository)
    with pytest.raises(ValueError, match=f"HEAD~3 cannot be measured.*{PACKAGES}"):
        version("HEAD~3", tmp_path / "code", repository)
