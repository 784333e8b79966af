"""Several processes, and tensors of which each has a part. What they check stands in the folder distributed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from alphaadam.torch import AlphaAdam
from tests.implementations.torch import distributed
from tests.implementations.torch.distributed import checkpoints, models

# Saving and loading without a process group is meant.
pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled, unavailable or uninit:UserWarning")

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where checkpoints and outcomes are."""
    for dtype in (torch.float64, torch.bfloat16, torch.float16):  # compile once, and not in every process
        parameter = torch.nn.Parameter(torch.ones(1, dtype=dtype))
        parameter.grad = parameter.detach()
        AlphaAdam([parameter]).step()
    folder = tmp_path_factory.mktemp("distributed")
    for name, build in checkpoints.OPTIMIZERS.items():
        for layout, flat in checkpoints.LAYOUTS.items():
            model = models.Model(seed=0)
            optimizer = build([*model.parameters()])
            models.train(model, optimizer, 0, 3)
            checkpoints.save(model, optimizer, flat, folder / "by-one" / name / layout)
            saved = checkpoints.snapshot(model, optimizer)
            models.train(model, optimizer, 3, 6)
            continued = checkpoints.snapshot(model, optimizer)
            torch.save({"saved": saved, "continued": continued}, folder / f"by-one-{name}-{layout}.pt")
    return folder


@pytest.fixture(scope="module")
def outcomes(folder):
    """Of every group of processes, size -> check -> the tracebacks of the ranks where it failed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if sys.platform == "linux":
        environment.setdefault("GLOO_SOCKET_IFNAME", "lo")
    logs, processes = {}, {}
    for size in distributed.CHECKS:
        for rank in range(size):
            command = [sys.executable, "-W", "error", "-m", distributed.__name__, str(size), str(rank), str(folder)]
            log = logs[size, rank] = folder / f"log-{size}-{rank}.txt"
            with open(log, "w", encoding="utf-8") as file:
                processes[size, rank] = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)
    for process in processes.values():
        try:
            process.wait(2 * distributed.TIME_LIMIT)  # it ends itself before that
        finally:
            process.kill()
    outcomes = {size: {name: [] for name in names} for size, names in distributed.CHECKS.items()}
    for (size, rank), log in logs.items():
        left = dict.fromkeys(distributed.CHECKS[size])
        file = folder / f"outcomes-{size}-{rank}.jsonl"
        for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
            outcome = json.loads(line)
            del left[outcome["check"]]
            if outcome["error"]:
                outcomes[size][outcome["check"]].append(f"rank {rank}:\n{outcome['error']}")
        said = log.read_text(encoding="utf-8")
        for name in left:
            outcomes[size][name].append(f"rank {rank} did not come to the end of this check. {said}")
            said = ""
    return outcomes


@pytest.mark.parametrize(
    ("size", "name"), [(size, name) for size, names in distributed.CHECKS.items() for name in names]
)
def test_processes(outcomes, size, name):
    if outcomes[size][name]:
        pytest.fail("\n".join(outcomes[size][name]), pytrace=False)


@pytest.mark.parametrize("layout", checkpoints.LAYOUTS)
@pytest.mark.parametrize("name", checkpoints.OPTIMIZERS)
def test_a_checkpoint_of_two_processes_continues_on_one(outcomes, folder, name, layout):
    assert not outcomes[2]["a_checkpoint_is_saved"]
    flat = checkpoints.LAYOUTS[layout]
    model = models.Model(seed=1)
    optimizer = checkpoints.OPTIMIZERS[name]([*model.parameters()])
    checkpoints.load(model, optimizer, flat, folder / "by-two" / name / layout)
    expected = torch.load(folder / f"by-two-{name}-{layout}.pt", weights_only=True)
    checkpoints.assert_snapshot(checkpoints.snapshot(model, optimizer), expected["saved"], exact=True)
    models.train(model, optimizer, 3, 6)
    checkpoints.assert_snapshot(checkpoints.snapshot(model, optimizer), expected["continued"], exact=False)


@pytest.mark.parametrize("size", distributed.CHECKS)
def test_one_bit_adam_sends_a_bit_for_a_float(outcomes, folder, size):
    assert not outcomes[size]["one_bit_bytes_are_those_of_the_arithmetic"]
    sent = json.loads((folder / f"sent-{size}.json").read_text(encoding="utf-8"))
    print(f"{size} workers, bytes that each sends in a step: {sent}")
    assert 31.9 < sent["all-reduce"] / sent["1-bit"] < 32
