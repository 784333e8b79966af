"""Tests of bench.frameworks.torch_memory."""

import sys

import pytest
import torch

from bench import machine
from bench.frameworks.torch_memory import available_bytes, estimated_bytes, transient_bytes

CPU = torch.device("cpu")
MIB = 2**20


def test_the_peak_is_what_is_held_at_one_time():
    def run():
        for _ in range(3):
            one = torch.ones(2 * MIB, dtype=torch.uint8)
            other = torch.ones(3 * MIB, dtype=torch.uint8)
            del one, other
        torch.ones(4 * MIB, dtype=torch.uint8)

    assert transient_bytes(run, CPU)["transientBytes"] == 5 * MIB


def test_what_is_released_of_before_does_not_count_against_it():
    held = [torch.ones(8 * MIB, dtype=torch.uint8)]

    def run():
        held.clear()
        torch.ones(2 * MIB, dtype=torch.uint8)

    run()
    assert transient_bytes(run, CPU)["transientBytes"] == 2 * MIB


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the largest size of a process")
def test_memory_that_pytorch_does_not_know_of_shows_in_the_growth_of_the_process():
    measured = transient_bytes(lambda: bytearray(64 * MIB), CPU)
    assert measured["transientBytes"] == 0
    assert measured["transientResidentBytes"] == pytest.approx(64 * MIB, rel=0.05)


def test_where_the_system_does_not_tell_only_pytorchs_account_is_given(monkeypatch):
    monkeypatch.setattr(machine.sys, "platform", "darwin")
    assert transient_bytes(lambda: torch.ones(MIB, dtype=torch.uint8), CPU) == {"transientBytes": MIB}


def test_the_profilers_library_writes_nothing(capfd):
    transient_bytes(lambda: None, CPU)
    print("shown", file=sys.stderr)
    assert capfd.readouterr().err == "shown\n"


def test_the_estimate_holds_both_optimizers_and_the_gradients():
    shapes = [(1000, 1000), (1000,)]
    assert estimated_bytes("adamw-fused", shapes, torch.float32) == pytest.approx(7 * 4 * 1_001_000, rel=0.01)
    assert estimated_bytes("adamw-fused", shapes, torch.bfloat16) == pytest.approx(7 * 2 * 1_001_000, rel=0.02)
    loop, foreach = (estimated_bytes(f"alphaadam-{form}", shapes * 9, torch.float32) for form in ("loop", "foreach"))
    assert loop < foreach


def test_free_memory_is_told_in_bytes(monkeypatch):
    monkeypatch.setattr(machine, "available_bytes", lambda: 5 * 1024)
    assert available_bytes(CPU) == 5 * 1024
