"""Tests of bench.speed.plans."""

from pathlib import Path

import pytest

from bench import names
from bench.paired import shapes_of
from bench.speed.plans import DTYPES, FRAMEWORKS


@pytest.mark.parametrize("framework", FRAMEWORKS.values(), ids=FRAMEWORKS)
def test_what_is_measured_unasked_exists(framework):
    for plan in framework.plans.values():
        assert set(plan.small) <= set(plan.variants) <= set(framework.variants)
        assert set(plan.dtypes) <= set(DTYPES)
        assert all(shapes_of(shapes) for shapes in plan.shapes)
        assert len(set(plan.shapes)) == len(plan.shapes)
        # The noise, in every form, or the one baseline.
        assert {framework.baseline_of(variant) for variant in plan.variants} <= set(plan.variants)


@pytest.mark.parametrize("framework", FRAMEWORKS.values(), ids=FRAMEWORKS)
def test_every_variant_has_a_form_and_a_baseline(framework):
    assert {variant.rpartition("-")[2] for variant in framework.variants} == set(framework.forms)
    for variant in framework.variants:
        baseline = framework.baseline_of(variant)
        assert baseline.startswith("adamw-")
        assert baseline in framework.variants
        assert framework.baseline_of(baseline) == baseline


def test_pytorch_is_measured_beside_its_fastest_adamw_and_the_others_beside_the_same_form():
    assert FRAMEWORKS["torch"].baseline_of("alphaadam-loop") == "adamw-fused"
    assert FRAMEWORKS["optax"].baseline_of("alphaadam-alpha1-jit") == "adamw-jit"
    assert FRAMEWORKS["keras-tensorflow"].baseline_of("alphaadam-graph") == "adamw-graph"


def test_what_takes_minutes_to_compile_is_measured_only_where_it_is_named():
    for framework in FRAMEWORKS.values():
        for plan in framework.plans.values():
            assert not any(variant.endswith("-compile") for variant in plan.variants)


def test_every_framework_is_measured_with_a_module_that_is_there():
    for framework in FRAMEWORKS.values():
        assert (Path(names.__file__).parent / "frameworks" / f"{framework.module}.py").exists()
        backend = framework.environment.get("KERAS_BACKEND")
        assert framework.name == (f"keras-{backend}" if framework.title == "Keras" else framework.name)
        assert (backend is not None) == (framework.title == "Keras")


def test_what_is_missing_is_named(monkeypatch):
    optax = FRAMEWORKS["optax"]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "jax" else name)
    assert optax.missing() == ["jax"]
    assert FRAMEWORKS["torch"].missing() == []
