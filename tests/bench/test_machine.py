"""Tests of bench.machine."""

import os
import subprocess
import sys

import pytest

from bench import machine


def test_free_memory_is_told_in_bytes(monkeypatch):
    monkeypatch.setattr(machine, "_lines", lambda path: ["MemTotal: 9 kB", "MemAvailable:   5 kB"])
    assert machine.available_bytes() == 5 * 1024
    monkeypatch.setattr(machine, "_lines", lambda path: [])
    assert machine.available_bytes() == float("inf")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the largest size of a process")
def test_the_growth_of_the_process_is_the_largest_of_a_call_not_what_it_leaves():
    assert machine.resident_growth(lambda: bytearray(64 * 2**20) and None) == pytest.approx(64 * 2**20, rel=0.05)
    assert machine.resident_growth(lambda: None) < 2**20


def test_where_the_system_does_not_tell_the_growth_it_is_none(monkeypatch):
    monkeypatch.setattr(machine.sys, "platform", "darwin")
    assert machine.resident_growth(lambda: pytest.fail("runs")) is None


def test_the_digest_is_of_what_all_share_and_of_the_rooms_that_run(tmp_path):
    for name in ("__init__.py", "_shared/kernels.py", "torch/_rule.py", "torch/deep/_more.py", "keras/_rule.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(name)
    before = machine.source_digest(tmp_path, "torch")
    assert len(before) == 12
    assert machine.source_digest(tmp_path, "torch", "keras") != before
    (tmp_path / "keras/_rule.py").write_text("changed")
    assert machine.source_digest(tmp_path, "torch") == before
    for name in ("__init__.py", "_shared/kernels.py", "torch/deep/_more.py"):
        (tmp_path / name).write_text(f"{name} changed")
        now = machine.source_digest(tmp_path, "torch")
        assert now != before, name
        before = now


def test_versions_are_of_what_is_installed():
    assert set(machine.versions_of("numpy", "no-such-distribution")) == {"numpy"}


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system confines no process")
def test_a_process_can_be_confined_to_cores():
    # In a process of its own: it cannot be undone for threads that are made meanwhile.
    program = "from bench import machine; machine.use_cores(1); print(machine.cores())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system confines no process")
def test_more_cores_than_there_are_is_an_error():
    with pytest.raises(RuntimeError, match=r"--threads 100000: this process has only \d+ cores"):
        machine.use_cores(100_000)


def test_where_a_process_cannot_be_confined_it_is_said(monkeypatch):
    monkeypatch.delattr(machine.os, "sched_setaffinity", raising=False)
    with pytest.raises(RuntimeError, match="which this system cannot"):
        machine.use_cores(1)
