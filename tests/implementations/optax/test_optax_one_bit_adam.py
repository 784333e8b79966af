"""1-bit Adam on several devices, each of which is a worker."""

import functools
import math
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from alphaadam.optax.baselines import one_bit_adam, one_bit_adam_specs
from suite import check, expect_baseline, load
from suite.adapters import Observation, optax_baselines
from suite.cases.baselines.shared import trajectory
from suite.cases.model import DEFAULTS, Case
from tests.implementations.optax.training import assert_identical

#: More elements than fit into a byte for each server, fewer, one, and none for some servers; bits that fill up bytes.
SHAPES = {"a": (5, 7), "b": (64, 4), "c": (3,), "d": (), "e": (0, 2)}
SIZES = (2, 4, 8)
#: Large enough that the scales of a step hardly count.
MODEL = {"large": (512, 257), "vector": (1000,), "scalar": ()}


class Workers:
    """One optimizer on so many devices. Gradients have a first axis over the devices; the rate is an argument."""

    def __init__(self, size, params, check_vma=True, **settings):
        self.size, self.params = size, params
        self.mesh = jax.make_mesh((size,), ("data",), (AxisType.Auto,), devices=jax.devices()[:size])
        self.specs = one_bit_adam_specs(params, "data")
        shard = functools.partial(jax.shard_map, mesh=self.mesh, check_vma=check_vma)

        def step(gradients, state, params, rate):
            mine = jax.tree.map(lambda g: g[0], gradients)
            updates, state = one_bit_adam(rate, **settings, axis_name="data").update(mine, state, params)
            return optax.apply_updates(params, updates), state

        ins, outs = (P("data"), self.specs, P(), P()), (P(), self.specs)
        self.step = jax.jit(shard(step, in_specs=ins, out_specs=outs))
        init = one_bit_adam(**settings, axis_name="data").init
        self.init = jax.jit(shard(init, in_specs=(P(),), out_specs=self.specs))

    def start(self):
        params = jax.device_put(self.params, NamedSharding(self.mesh, P()))
        return params, self.init(params)

    def gradients(self, step):
        rng = np.random.default_rng(step)
        return jax.tree.map(lambda p: rng.normal(size=(self.size, *p.shape)).astype(p.dtype), self.params)

    def train(self, params, state, first, last):
        for step in range(first, last):
            params, state = self.step(self.gradients(step), state, params, 0.01)
        return params, state


def make_params(dtype=jnp.float32):
    rng = np.random.default_rng(0)
    return {name: jnp.asarray(rng.normal(size=shape), dtype) for name, shape in SHAPES.items()}


@functools.cache
def make_workers(size):
    """So many workers for the tests that ask no more of them, compiled once; Orbax saves no leaf without elements."""
    return Workers(size, {name: leaf for name, leaf in make_params().items() if leaf.size}, freeze_step=2)


def assert_same_everywhere(tree):
    for leaf in jax.tree.leaves(tree):
        first, *others = (np.asarray(shard.data) for shard in leaf.addressable_shards)
        assert first.shape == leaf.shape
        for other in others:
            assert first.tobytes() == other.tobytes()


class Adapter(optax_baselines.OneBitAdam):
    """Runs the vectors on as many devices as there are workers."""

    def __init__(self, size, check_vma):
        self.skips = {}
        self._size, self._check_vma = size, check_vma

    def construct(self, hyperparameters):
        self._settings = optax_baselines.arguments(hyperparameters)
        del self._settings["lr"]

    def load(self, dtype, params, m, v, step):
        self._workers = Workers(self._size, [jnp.asarray(array) for array in params], self._check_vma, **self._settings)
        self._params, self._state = self._workers.start()

    def step(self, gradients, lr, **others):
        everyones = zip(gradients, *(others[name] for name in sorted(others)), strict=True)
        stacked = [np.stack(tensors) for tensors in everyones]
        self._params, self._state = self._workers.step(stacked, self._state, self._params, lr)
        assert_same_everywhere(self._params)
        return Observation(list(map(np.asarray, self._params)))


@pytest.mark.parametrize(("size", "check_vma"), [(2, False), (4, True)])
def test_workers_equal_the_vectors(size, check_vma):
    everything = check.all_tests([load.load(load.VECTORS / "one-bit-adam.json")])
    tests = [test for test in everything if test.test["id"].startswith(f"{size}-workers/")]
    assert len(tests) == 4  # two cases in two dtypes
    for test in tests:
        with jax.enable_x64(test.group["dtype"] == "float64"):
            outcome = check.check(Adapter(size, check_vma), test)
        assert outcome.outcome == "pass", (test.test["id"], outcome.message)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_eight_workers_equal_the_oracle(dtype, monkeypatch):
    """The vectors have four at most, so the oracle answers a case here: the rule and the tolerance are the vectors'."""
    # Chunks of 9 elements and of 7, of which none fills its bytes; of 2, 1 and 1, and of none for the other servers.
    shapes, seed = ((5, 14), (5, 2), (4,), ()), 1700  # with most seeds some sum comes too close to 0
    lrs = [0.03125, 0.015625, 0.0078125, 0.015625, 0.0078125]
    setting = {"freeze_step": 2, "weight_decay": 0.5, "bias_correction": True}
    params, gradients = trajectory(seed, len(lrs), shapes)
    others = {f"gradients{worker}": trajectory(seed + worker, len(lrs), shapes)[1] for worker in range(2, 9)}
    inputs = [{name: each[step] for name, each in others.items()} for step in range(len(lrs))]
    case = Case("8-workers/schedule", "errors on both sides", setting, params, gradients, lrs=lrs, inputs=inputs)
    group = {"type": "Trajectory", "dtype": dtype, "hyperparameters": DEFAULTS["OneBitAdam"] | setting}
    test = check.VectorTest("", "OneBitAdam", group, expect_baseline.test_of(case, "OneBitAdam", dtype), {})
    monkeypatch.setattr(check, "INPUTS", tuple(others))  # those of the vectors end with gradients4
    with jax.enable_x64(dtype == "float64"):
        outcome = check.check(Adapter(8, check_vma=True), test)
    assert outcome.outcome == "pass", outcome.message


@pytest.mark.parametrize(("size", "dtype"), [(2, jnp.bfloat16), (4, jnp.float32), (8, jnp.float32)])
def test_devices_have_the_same_parameters_and_errors_of_their_own(size, dtype):
    workers = Workers(size, make_params(dtype), freeze_step=2, weight_decay=0.1)
    params, state = workers.train(*workers.start(), 0, 6)
    moments = [{key: slot[key] for key in ("mu", "nu")} for slot in state.slots.values()]
    assert_same_everywhere((params, moments))
    first, *others = (np.asarray(shard.data) for shard in state.slots["a"]["worker_error"].addressable_shards)
    assert all((first != other).all() for other in others)
    assert {leaf.dtype for leaf in jax.tree.leaves(state.slots)} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("last", [1, 4])  # while Adam, and while compressed
def test_a_run_from_a_checkpoint_is_the_uninterrupted_one(tmp_path, size, last):
    workers = make_workers(size)
    params, state = workers.train(*workers.start(), 0, last)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "run", (params, state))
        checkpointer.wait_until_finished()
        resumed = checkpointer.restore(tmp_path / "run", workers.start())
    assert_identical(workers.train(*resumed, last, last + 3), workers.train(params, state, last, last + 3))


@pytest.mark.parametrize("size", SIZES)
def test_errors_are_fed_back_on_both_sides(size):
    """Nothing is lost: what compression leaves now and what it sends are what came in and what it left before."""
    with jax.enable_x64(True):
        workers = Workers(size, {"a": make_params(jnp.float64)["a"]}, freeze_step=2)
        params, state = workers.train(*workers.start(), 0, 2)

        def left():
            slot = state.slots["a"]
            of_workers = np.asarray(slot["worker_error"]).reshape(size, -1).mean(0)
            return of_workers, np.asarray(slot["server_error"])[: of_workers.size]

        assert not any(each.any() for each in left())
        for step in range(2, 8):
            before, old = sum(left()), np.asarray(state.slots["a"]["mu"]).ravel()
            params, state = workers.train(params, state, step, step + 1)
            came = 0.9 * old + 0.1 * workers.gradients(step)["a"].reshape(size, -1).mean(0) + before
            new = np.asarray(state.slots["a"]["mu"]).ravel()
            np.testing.assert_allclose(sum(left()) + new, came, rtol=1e-13, atol=1e-13)
            assert all(each.any() for each in left())
            chunk = math.ceil(new.size / size)
            assert all(len(set(abs(new[start : start + chunk]))) == 1 for start in range(0, new.size, chunk))


@pytest.mark.parametrize("size", [2, 8])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("last", [1, 4])
def test_an_error_of_one_worker_shows_on_all(size, bad, last):
    workers = make_workers(size)
    params, state = workers.train(*workers.start(), 0, last)
    gradients = workers.gradients(last)
    for gradient in gradients.values():
        gradient[-1] = bad
    params, state = workers.step(gradients, state, params, 0.01)
    assert not any(np.isfinite(leaf).any() for leaf in jax.tree.leaves(params))


@functools.cache
def handed_to_collectives(size):
    """Bytes that each device hands to the collectives of the compiled step, in both branches."""
    workers = Workers(size, {name: jnp.ones(shape) for name, shape in MODEL.items()}, freeze_step=2)
    params, state = workers.start()
    text = workers.step.lower(workers.gradients(0), state, params, 0.01).compile().as_text()
    handed = {"all-reduce": 0, "all-to-all": 0, "all-gather": 0}
    collective = r"= (.+?) (all-[a-z-]+?|reduce-scatter|collective-[a-z-]+?)(?:-start)?\((?:.*branch_(\d)_fun)?"
    for out, kind, branch in re.findall(collective, text):
        arrays = re.findall(r"(f32|u8)\[([\d,]*)\]", out)
        assert {dtype for dtype, _ in arrays} == {"f32" if kind == "all-reduce" else "u8"}
        assert branch == ("1" if kind == "all-reduce" else "0")  # the true one is Adam
        elements = sum(math.prod(map(int, filter(None, dims.split(",")))) for _, dims in arrays)
        handed[kind] += elements * 4 if kind == "all-reduce" else elements // (size if kind == "all-gather" else 1)
    return handed


def sent(size):
    """Bytes that each device sends to others in a step of Adam and in a compressed one.

    A ring sends 2 (W-1)/W of what an all-reduce is handed. Of the bits a worker keeps its own: what it hands to the
    all-to-all has a part for each worker, and what it hands to the all-gather goes to each.
    """
    handed = handed_to_collectives(size)
    all_reduce = 2 * (size - 1) * handed["all-reduce"] // size
    return all_reduce, (size - 1) * (handed["all-to-all"] // size + handed["all-gather"])


@pytest.mark.parametrize("size", SIZES)
def test_bytes_are_those_of_the_arithmetic(size):
    elements = [math.prod(shape) for shape in MODEL.values()]
    message = sum(math.ceil(math.ceil(n / size) / 8) + 4 for n in elements)
    wanted = {"all-reduce": 4 * sum(elements), "all-to-all": size * message, "all-gather": message}
    assert handed_to_collectives(size) == wanted
    all_reduce, one_bit = sent(size)
    assert one_bit == 2 * (size - 1) * message
    # A bit for 32, but for what each server gets of a tensor beside: a scale of 4 bytes, and a byte to fill up at most.
    beside = len(elements) * 5 * 8 * size / sum(elements)
    assert 32 / (1 + beside) < all_reduce / one_bit < 32


def test_the_page_has_the_measured_bytes():
    page = (Path(__file__).parents[3] / "docs/baselines/one-bit-adam.md").read_text(encoding="utf-8")
    elements = sum(map(math.prod, MODEL.values()))
    rows = []
    for size in SIZES:
        all_reduce, one_bit = sent(size)
        rows.append(f"| JAX | {size} | {elements:,} | {all_reduce:,} | {one_bit:,} | {all_reduce / one_bit:.2f} |")
    assert [line for line in page.splitlines() if line.startswith("| JAX |")] == rows


def test_gradients_that_are_summed_already_are_refused():
    workers = Workers(2, {"a": jnp.ones(3)})
    optimizer = one_bit_adam(axis_name="data")

    def step(params, state, x):
        gradients = jax.grad(lambda p: jnp.sum(p["a"]) * x[0])(params)
        return optimizer.update(gradients, state, params)

    ins, outs = (P(), workers.specs, P("data")), (P(), workers.specs)
    mapped = jax.shard_map(step, mesh=workers.mesh, in_specs=ins, out_specs=outs)
    with pytest.raises(
        ValueError, match=r"^one_bit_adam: the gradients are the same .*jax\.lax\.pcast\(params, 'data'"
    ):
        mapped(*workers.start(), jnp.ones(2))


def test_an_axis_that_is_not_there_is_an_error():
    with pytest.raises(ValueError, match=r"^one_bit_adam: axis_name='data' is no axis here.*inside jax\.shard_map"):
        one_bit_adam(axis_name="data").init(make_params())
    with pytest.raises(TypeError, match=r"^one_bit_adam: axis_name=0 is not valid\. Pass the name of a mesh axis"):
        one_bit_adam(axis_name=0)
