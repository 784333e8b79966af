"""Importing a room loads its own framework and no other. Runs where every framework is installed."""

import subprocess
import sys

import pytest

FRAMEWORKS = {"torch", "jax", "flax", "equinox", "orbax", "optax", "keras", "tensorflow"}


def loaded_by(module):
    """Frameworks loaded after importing ``module`` in a fresh interpreter."""
    code = f"import sys, {module}; print(*(name for name in {FRAMEWORKS} if name in sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_the_package_itself_loads_none():
    assert loaded_by("alphaadam") == set()


@pytest.mark.parametrize("room", ["torch", "optax", "keras"])
def test_a_room_loads_what_its_framework_loads_and_nothing_more(room, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")  # Keras itself also looks at other backends that it finds
    loaded = loaded_by(f"alphaadam.{room}")
    assert room in loaded
    assert loaded == loaded_by(room)
