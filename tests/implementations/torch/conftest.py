"""What all of these tests run under."""

import os

# Triton reads this when it is imported, which the first of many modules does: see ``interpreted.py``.
os.environ["TRITON_INTERPRET"] = "1"

import pytest

from alphaadam.torch import _numba


@pytest.fixture(autouse=True)
def _all_threads_take_part(monkeypatch):
    """A fused step on the CPU leaves few elements to one thread; here small tensors stand for large ones."""
    monkeypatch.setattr(_numba, "_ALONE", 0)
