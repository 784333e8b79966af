"""A vector file that cannot be used gives one error that names it, the place and the remedy."""

import json

import pytest

from suite.load import VECTORS, VectorFileError, load, load_all


@pytest.fixture
def document():
    return json.loads((VECTORS / "mask.json").read_text())


def write(tmp_path, document):
    path = tmp_path / "mask.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def assert_refused(path, *parts):
    with pytest.raises(VectorFileError) as error:
        load(path)
    for part in (str(path), "python -m suite generate", *parts):
        assert part in str(error.value)


def test_a_missing_file(tmp_path):
    assert_refused(tmp_path / "none.json", "no such file")


def test_a_folder_without_vectors(tmp_path):
    with pytest.raises(VectorFileError, match="no vector files"):
        load_all(tmp_path)


def test_a_file_that_was_cut_off(tmp_path):
    text = (VECTORS / "mask.json").read_text()
    assert_refused(write(tmp_path, text[: len(text) // 2]), "not JSON, it may be cut off", "line")


def test_a_misspelt_key(tmp_path, document):
    test = document["groups"][0]["tests"][0]
    test["flgas"] = test.pop("flags")
    assert_refused(write(tmp_path, document), "$.groups[0].tests[0]")


def test_an_unknown_dtype(tmp_path, document):
    document["groups"][0]["dtype"] = "float23"
    assert_refused(write(tmp_path, document), "$.groups[0]", "float23")


def test_another_version_of_the_format(tmp_path, document):
    document["specVersion"] = "0.1.0"
    assert_refused(write(tmp_path, document), "$.specVersion", "version 0.1.0 is not the")


def test_two_tests_of_one_name(tmp_path, document):
    first, second = document["groups"][0]["tests"][:2]
    first["id"] = second["id"]
    assert_refused(write(tmp_path, document), "adamw/none-agrees", "2 tests have this id")


def test_a_number_of_tests_that_is_not_there(tmp_path, document):
    document["groups"][0]["tests"].pop()
    assert_refused(write(tmp_path, document), "numberOfTests")


def test_a_tensor_that_does_not_fit_its_parameter(tmp_path, document):
    document["groups"][0]["tests"][0]["steps"][0]["gradients"][0]["data"].pop()
    assert_refused(write(tmp_path, document), "adamw/all-agree", "steps[0].gradients[0] has 3 elements for shape [4]")


def test_hyperparameters_of_another_optimizer(tmp_path, document):
    document["optimizer"] = "AlphaMaskSGD"
    assert_refused(write(tmp_path, document), "adamw/all-agree", "are not those of AlphaMaskSGD: lr", "momentum")


def test_a_second_moment_where_the_optimizer_has_none_and_none_where_it_has_one(tmp_path, document):
    without = json.loads((VECTORS / "alpha-mask-sgd.json").read_text())
    test = next(test for test in without["groups"][-1]["tests"] if "state" in test["initial"])
    test["initial"]["state"]["v"] = test["initial"]["state"]["m"]
    assert_refused(write(tmp_path, without), test["id"], "initial.state has a second moment, for AlphaMaskSGD")
    del document["groups"][0]["tests"][0]["steps"][0]["expected"]["v"]
    assert_refused(write(tmp_path, document), "steps[0].expected has no second moment, for AlphaAdam")
