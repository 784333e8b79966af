"""Tests of bench.names."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import names
from bench.speed import plans as speed_plans


def test_every_module_in_frameworks_begins_with_a_framework_name_and_back():
    modules = {path.stem for path in Path(names.__file__).parent.glob("frameworks/*.py")}
    assert {module.partition("_")[0] for module in modules} == set(names.FRAMEWORKS) <= modules


def test_frameworks_is_no_package_so_that_asv_does_not_import_it():
    assert not Path(names.__file__).with_name("frameworks").joinpath("__init__.py").exists()


def test_an_unknown_framework_is_refused_with_the_valid_names():
    with pytest.raises(ValueError, match="unknown framework 'tensorflow'; choose one of: torch, jax, keras"):
        names.load_framework("tensorflow")


def test_a_framework_that_is_not_installed_says_what_to_install(monkeypatch):
    for module in list(sys.modules):
        if module.startswith("bench.frameworks.torch"):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "alphaadam.torch", None)  # importing it fails as if it were not there
    for load in (names.load_framework, names.load_speed_module):
        with pytest.raises(ModuleNotFoundError, match=r"torch is benchmarked with alphaadam\.torch.*pip install"):
            load("torch")


def test_a_backend_that_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # is set back after the test
    find = speed_plans.importlib.util.find_spec
    monkeypatch.setattr(
        speed_plans.importlib.util, "find_spec", lambda name: None if name == "tensorflow" else find(name)
    )
    with pytest.raises(ModuleNotFoundError, match=r"keras-tensorflow is .* with tensorflow, .* tensorflow-cpu`$"):
        names.load_speed_module("keras-tensorflow")


def test_a_process_measures_one_backend_of_keras(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr(speed_plans.Framework, "missing", lambda self: [])
    monkeypatch.setitem(sys.modules, "bench.frameworks.keras_speed", SimpleNamespace(BACKEND="jax"))
    assert names.load_speed_module("keras-jax").BACKEND == "jax"
    with pytest.raises(RuntimeError, match="Keras runs on 'jax' in this process already; keras-torch needs a process"):
        names.load_speed_module("keras-torch")
    assert os.environ["KERAS_BACKEND"] == "torch"  # for Keras, if it had not been there


def test_the_environment_names_the_framework(monkeypatch):
    monkeypatch.setenv("BENCH_FRAMEWORK", "jax")
    assert names.framework_of_environment() == "jax"


def test_an_unset_framework_says_what_to_do(monkeypatch):
    monkeypatch.delenv("BENCH_FRAMEWORK", raising=False)
    with pytest.raises(RuntimeError, match=r"BENCH_FRAMEWORK is not set.*BENCH_FRAMEWORK=torch asv run"):
        names.framework_of_environment()


def test_an_unknown_framework_in_the_environment_is_refused(monkeypatch):
    monkeypatch.setenv("BENCH_FRAMEWORK", "theano")
    with pytest.raises(ValueError, match="unknown framework in BENCH_FRAMEWORK 'theano'; choose one of: torch"):
        names.framework_of_environment()
