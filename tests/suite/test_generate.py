import pytest

from suite import generate


def test_a_changed_a_missing_and_a_stray_file_are_all_noticed(tmp_path, monkeypatch):
    """Of three topics. Whether all vectors are what the oracle generates, ``python -m suite generate --check`` asks."""
    few = {name: generate.TOPICS[name] for name in ("mask.json", "trajectory.json", "sgd.json")}
    monkeypatch.setattr(generate, "TOPICS", few)
    monkeypatch.setattr(generate, "VECTORS", tmp_path)
    assert sorted(generate.write()) == sorted(generate.TOPICS)
    (tmp_path / "mask.json").write_text((tmp_path / "mask.json").read_text().replace("0.5", "0.25", 1))
    (tmp_path / "trajectory.json").unlink()
    (tmp_path / "stray.json").write_text("{}")
    assert generate.differing() == ["mask.json", "stray.json", "trajectory.json"]


def test_a_case_with_a_moment_near_zero_is_refused(monkeypatch):
    """Its sync mask would depend on the order of operations."""
    from suite.cases import model, single_step

    near_zero = model.Case(
        "adamw/near-zero",
        "",
        {},
        [model.vector(1.0)],
        [[model.vector(-0.9)]],
        m=[model.vector(0.1)],
        v=[model.vector(1.0)],
    )
    monkeypatch.setattr(single_step, "cases", lambda: iter([near_zero]))
    with pytest.raises(ValueError, match=r"near-zero.*closer to 0"):
        generate.text_of("suite.cases.single_step")


def test_a_case_whose_moves_are_lost_beside_its_parameters_is_refused():
    """A wrapper could not read them, and its alpha would be anything."""
    from suite import expect
    from suite.cases.model import Case, vector

    lost = Case("async-norm/lost", "", {"lr": 1e-6}, [vector(1e3, 1e3)], [[vector(1.0, -0.25)]], m=[vector(1.0, 1.0)])
    with pytest.raises(ValueError, match="lost beside the parameter"):
        expect.test_of(lost, "AlphaMaskSGD", "float32")
    expect.test_of(lost, "AlphaMaskSGD", "float64")
