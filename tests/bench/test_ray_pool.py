"""Tests of trials on Ray: a local cluster of two nodes with one core each."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("ray")

from bench.compare.trials import read_record
from tests.bench.comparing import plan

# In a process of its own: Ray leaves threads, signal handlers and open files behind in the one that uses it.
SWEEP = """
import os, pickle, sys
from pathlib import Path
from ray.cluster_utils import Cluster

from bench.compare.sweep import compare
from bench.compare.ray_pool import RayPool
from bench.compare.memory import trial_bytes

node = {"num_cpus": 1, "memory": 2e9, "object_store_memory": 80 * 2**20}
cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
try:
    cluster.add_node(**node)
    plan, folder = pickle.loads(sys.stdin.buffer.read())
    example = plan.wanted({})[0]
    try:
        RayPool(folder, cluster.address, example, 3e9)
    except RuntimeError as error:
        print("refused:", error)
    pool = RayPool(folder, cluster.address, example, trial_bytes(example))
    print("jobs:", pool.jobs())
    results = compare(plan, folder, pool)
    print("outcomes:", sorted((str(trial), found["outcome"], found["attempts"]) for trial, found in results.items()))
finally:
    cluster.shutdown()
"""


def test_trials_run_on_both_nodes_and_their_records_come_home(tmp_path):
    asked = plan(("adamw", "sgd"), (8e-3,), extend=False)
    asked = replace(asked, grids={"adamw": (8e-3,), "sgd": (0.5,)})
    ran = subprocess.run(
        [sys.executable, "-c", SWEEP],
        input=pickle.dumps((asked, tmp_path)),
        capture_output=True,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=300,
    )
    said = ran.stdout.decode()
    assert ran.returncode == 0, ran.stderr.decode()[-3000:]
    assert "needs: 1 CPUs, 0 GPUs, 3.0 GB of memory" in said
    assert "jobs: 2" in said
    records = [read_record(path) for path in tmp_path.glob("*.jsonl")]
    assert len(records) == 4
    assert {record["footer"]["outcome"] for record in records} == {"finished"}
    assert len({record["header"]["machine"]["rayNode"] for record in records}) == 2
    assert all(len(record["steps"]) == 10 for record in records)
