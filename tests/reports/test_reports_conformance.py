"""Reading conformance results: every result, and one clear error for what is not as it should be."""

import math

import pytest

from reports.sources import SourceError, load_conformance


def test_every_result_has_a_row(conformance_data, conformance_file):
    conformance_data["results"][0]["largestUlp"] = {"params": "NaN"}
    conformance_data["results"][1]["notReported"] = ["mask"]
    conformance = load_conformance(conformance_file(conformance_data))
    assert len(conformance.table) == 18
    assert conformance.table.iloc[2]["largest_ulp"] == {"params": 0.5, "m": 0.25}
    assert math.isnan(conformance.table.iloc[0]["largest_ulp"]["params"])
    assert conformance.table.iloc[1]["not_reported"] == ["mask"]
    assert list(conformance.adapters) == ["torch", "keras-jax"]
    assert conformance.commit == conformance_data["commit"]


def test_a_missing_file_names_the_path_and_the_command(tmp_path):
    with pytest.raises(SourceError, match=r"none\.json: no such file\. Make it with `python -m suite run"):
        load_conformance(tmp_path / "none.json")


@pytest.mark.parametrize("content", [b"{", b"", b"\xff\xfe"])
def test_a_corrupted_file_is_named_with_the_remedy(tmp_path, content):
    path = tmp_path / "half.json"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"half\.json is not readable JSON .*python -m suite run"):
        load_conformance(path)


@pytest.mark.parametrize("schema", ["alphaadam-conformance-2", None, 7])
def test_an_unknown_schema_is_an_error(conformance_data, conformance_file, schema):
    conformance_data["schema"] = schema
    with pytest.raises(SourceError, match="this version reads 'alphaadam-conformance-1'"):
        load_conformance(conformance_file(conformance_data))


def remove(key):
    return lambda data: data.pop(key)


def change(**values):
    return lambda data: data["results"][0].update(values)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (remove("results"), "'results' is missing"),
        (remove("adapters"), "'adapters' is missing"),
        (remove("commit"), "'commit' is missing"),
        (remove("suite"), "'suite' is missing"),
        (lambda data: data["suite"]["files"][0].pop("sha256"), "'sha256' is missing"),
        (lambda data: data["results"][0].pop("outcome"), "'outcome' is missing"),
        (change(outcome="passed"), "outcome 'passed' of case-0 is none of pass, fail"),
        (change(largestUlp={"params": "wide"}), "wide"),
        (change(largestUlp=None), "NoneType"),
        (change(adapter="numpy"), "not listed under adapters: numpy"),
        (lambda data: data["results"].append(data["results"][0]), "case-0 has more than one result of torch"),
        (lambda data: data.update(results=3), "not iterable"),
    ],
)
def test_a_malformed_file_is_named_with_what_is_wrong(conformance_data, conformance_file, spoil, said):
    spoil(conformance_data)
    path = conformance_file(conformance_data)
    with pytest.raises(SourceError) as error:
        load_conformance(path)
    assert str(path) in str(error.value)
    assert said in str(error.value)
    assert "python -m suite run" in str(error.value)
