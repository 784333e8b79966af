"""Two processes train as one does, by DDP and by FSDP2."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import alphaadam
import bench
from bench.frameworks.torch import Training
from tests.bench.tiny import STEPS, WAYS, tiny_inputs

ROOT = Path(bench.__file__).parents[1]


def torchrun(*arguments):
    """Two processes on this machine, each with one thread."""
    paths = [str(ROOT), str(Path(alphaadam.__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parallel")
    result = torchrun(ROOT / "tests/bench/parallel_training.py", folder)
    assert result.returncode == 0, result.stderr
    assert "Warning" not in result.stderr, result.stderr
    return folder


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_train_as_one_does(way, folder):
    optimizer, precision, _ = WAYS[way]
    inputs = tiny_inputs(precision)
    training = Training(inputs, optimizer, 1e-3)
    losses = [training.step(inputs.training_batch(step), observe=step == STEPS - 1) for step in range(STEPS)]
    found = np.load(folder / f"{way}.npz")
    observation = training.observation()
    # In float32 gradients are added up in another order: 1e-7, and 1e-6 where differences add up. In bfloat16 each
    # part's gradient is rounded to 8 bits, of which Adam makes as much as a learning rate for elements near zero.
    exact = precision == "float32"
    np.testing.assert_allclose(found["losses"], losses, rtol=1e-6 if exact else 1e-4)
    np.testing.assert_allclose(
        found["validation"], training.loss(inputs.validation_batches()[0]), rtol=1e-6 if exact else 1e-4
    )
    for norm in ("gradientNorm", "updateNorm"):
        np.testing.assert_allclose(found[norm], observation[norm], rtol=1e-5 if exact else 1e-2)
    for name, values in training.parameters().items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=1e-6 if exact else 5e-3, err_msg=name)
    masks = [[of["maskFraction"] or 0, of["alpha"] or 0] for of in observation["tensors"].values()]
    matrices = [row for row, name in enumerate(observation["tensors"]) if not name.endswith("c_attn.bias")]
    # The key biases' gradients are rounding noise alone, and so are their masks.
    np.testing.assert_allclose(found["masks"][matrices], np.array(masks)[matrices], rtol=1e-3)
