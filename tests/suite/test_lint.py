import json

import pytest

from suite import canonical
from suite.lint import lint
from suite.load import VECTORS


def test_the_vectors_have_no_problems():
    assert lint() == []


def renumber(document):
    document["groups"][0]["tests"][0]["tcId"] = 7


def flag(document):
    document["groups"][0]["tests"][0]["flags"] = ["Unheard"]


def explain(document):
    document["notes"]["Unused"] = document["notes"]["ProductUnderflow"]


def widen(document):
    document["groups"][0]["tests"][0]["initial"]["params"][0]["data"][0] = 0.1


def shorten(document):
    document["groups"][0]["type"] = "Trajectory"


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (renumber, "tcId does not count the tests from 1"),
        (flag, "flag 'Unheard' has no note"),
        (explain, "note 'Unused' explains a flag that no test has"),
        (widen, "adamw/all-agree (float32): 0.1 is no float32 number"),
        (shorten, "1 steps in a Trajectory"),
    ],
)
def test_each_problem_is_found(tmp_path, spoil, problem):
    document = json.loads((VECTORS / "mask.json").read_text())
    spoil(document)
    (tmp_path / "mask.json").write_text(canonical.dumps(document))
    assert any(problem in line for line in lint(tmp_path))


def test_another_layout_of_the_same_content_is_a_problem(tmp_path):
    document = json.loads((VECTORS / "mask.json").read_text())
    (tmp_path / "mask.json").write_text(json.dumps(document))
    assert lint(tmp_path) == ["mask.json: not in canonical form; run: python -m suite generate"]
