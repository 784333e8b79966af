"""ROOT's coefficients: what a user may pass, which of them a shape gets, and those that are shipped."""

import json
import tomllib
from pathlib import Path

import pytest

from alphaadam import _root_coefficients as module
from alphaadam._root_coefficients import MUON, PUBLISHED, check_coefficients, coefficients_for, fitted

ROOT = Path(__file__).parents[2]
ONE = (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("value", "shape", "wanted"),
    [
        ("published", (3072, 2048), PUBLISHED["2048x3072"]),
        ("published", (128, 384), MUON),
        ("fitted", (2048, 2048), PUBLISHED["2048x2048"]),
        ("fitted", (3, 5), MUON),
        ([1, 2, 3.0], (3, 5), ONE),
        ({"3x5": [1, 2, 3.0]}, (5, 3), ONE),
        ({"3x5": ONE}, (3, 3), MUON),
    ],
)
def test_a_shape_gets_its_coefficients(value, shape, wanted):
    check_coefficients(value, "ROOT")
    assert coefficients_for(shape, value) == wanted


def test_fitted_ones_are_used_for_wide_and_tall_matrices():
    shipped = tuple(fitted()["128x384"])
    assert len(shipped) == 3
    assert shipped != MUON
    assert coefficients_for((128, 384), "fitted") == coefficients_for((384, 128), "fitted") == shipped


@pytest.mark.parametrize(
    ("value", "error"),
    [
        *((value, ValueError) for value in ("best", [], [1.0, 2.0], [1.0, 2.0, float("nan")], [True, 1, 1])),
        *((value, ValueError) for value in ({"5x3": ONE}, {"wide": ONE}, {"3x5": "published"}, {3: ONE})),
        *((value, ValueError) for value in ([ONE] * 5, [ONE] * 3, {"3x5": [ONE] * 5})),
        *((value, TypeError) for value in (None, 3.0, object())),
    ],
)
def test_anything_else_is_refused(value, error):
    with pytest.raises(error, match=r"ROOT: coefficients=.* is not valid\. Pass 'published', 'fitted', three numbers"):
        check_coefficients(value, "ROOT")


def test_the_shipped_file_is_in_the_package_and_says_how_it_was_made():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "_root_coefficients.json" in project["tool"]["setuptools"]["package-data"]["alphaadam"]
    document = json.loads(Path(module.__file__).with_suffix(".json").read_text())
    assert document["madeBy"] == "python -m bench fit-root"
    assert document["iterations"] == module.ITERATIONS
    assert tuple(document["muons"]) == MUON
    for shape, entry in document["shapes"].items():
        check_coefficients({shape: entry["coefficients"]}, "ROOT")
        assert entry["error"] < entry["errorWithMuons"]
