"""Sharded over a mesh of eight devices: alpha is of the whole logical tensor, and the run is the unsharded one.

Moments, masks and counts are the same bit for bit, and so is alpha, unless it is a ratio of norms, for which each
device sums the squares of its shard. The parameters may differ in their last bit in any case: XLA joins products and
sums into one operation as it sees fit, and sees another program.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from alphaadam._jax import _paths, _rule
from alphaadam.optax import alphaadam
from tests.implementations.optax.training import (
    assert_identical,
    assert_same_run,
    compile_step,
    gradients_like,
    train_new,
)

SHARDINGS = {
    "rows": {"w": P(("a", "b")), "v": P(("a", "b"))},
    "columns": {"w": P(None, ("a", "b")), "v": P()},
    "both axes": {"w": P("a", "b"), "v": P("b")},
    "one axis, copies on the other": {"w": P(None, "b"), "v": P("a")},
    "copies": {"w": P(), "v": P()},
}
ALPHAS = ["norm", "count", 1.5]


@pytest.fixture(params=[AxisType.Auto, AxisType.Explicit], ids=lambda kind: kind.name)
def mesh(request):
    return jax.make_mesh((4, 2), ("a", "b"), axis_types=(request.param, request.param))


@pytest.fixture
def as_on_accelerators(monkeypatch):
    """Take the rule in the order in which other devices than CPUs compute it."""
    monkeypatch.setattr(_paths._xla_cpu, "suits", lambda *_: False)


def make_params(dtype=jnp.float32):
    rng = np.random.default_rng(0)
    drawn = {"w": rng.normal(size=(16, 8)), "v": rng.normal(size=16), "scalar": rng.normal()}
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), drawn)


def place(tree, mesh, specs):
    return {name: jax.device_put(leaf, NamedSharding(mesh, specs.get(name, P()))) for name, leaf in tree.items()}


def train_sharded(optimizer, params, mesh, specs, last):
    step = compile_step(optimizer)
    with jax.set_mesh(mesh):
        sharded = place(params, mesh, specs)
        state = optimizer.init(sharded)
        for number in range(last):
            gradients = place(gradients_like(params, number), mesh, specs)
            sharded, state = step(gradients, state, sharded)
    # Once, or once more where JAX spells a sharding in another way than it was given: P("a") and P("a", None).
    assert step._cache_size() <= 1 + (specs is not SHARDINGS["both axes"])
    return sharded, state


def assert_sharded_is_unsharded(mesh, specs, alpha):
    params = make_params()
    optimizer = alphaadam(0.01, alpha=alpha, record_diagnostics=True)
    expected, (wanted, *_) = train_new(optimizer, params, 4)
    actual, (found, *_) = train_sharded(optimizer, params, mesh, specs, 4)
    assert_identical((found.count, found.mu, found.nu, found.mask), (wanted.count, wanted.mu, wanted.nu, wanted.mask))
    assert_same_run(actual, expected)
    if alpha == "norm":
        assert_same_run(found.alpha, wanted.alpha)
        assert 1 < float(found.alpha["w"]) < 2
    else:
        assert_identical(found.alpha, wanted.alpha)


@pytest.mark.usefixtures("as_on_accelerators")
@pytest.mark.parametrize(
    ("specs", "alpha"), [*((specs, "norm") for specs in SHARDINGS), ("both axes", "count"), ("both axes", 1.5)]
)
def test_a_sharded_run_is_the_unsharded_one(mesh, specs, alpha):
    assert_sharded_is_unsharded(mesh, SHARDINGS[specs], alpha)


@pytest.mark.parametrize("alpha", ["norm", "count"])
def test_a_run_sharded_over_cpus_is_the_unsharded_one(mesh, alpha):
    assert_sharded_is_unsharded(mesh, SHARDINGS["both axes"], alpha)


def test_everything_stays_where_the_parameters_are(mesh):
    specs = SHARDINGS["both axes"]
    params, state = train_sharded(alphaadam(0.01, record_diagnostics=True), make_params(), mesh, specs, 2)
    for tree in (params, state[0].mu, state[0].nu, state[0].mask):
        assert {name: leaf.sharding.spec for name, leaf in tree.items()} == {**specs, "scalar": P()}
    assert all(leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves((state[0].count, state[0].alpha)))


@pytest.mark.usefixtures("as_on_accelerators")
@pytest.mark.parametrize("alpha", ALPHAS)
def test_devices_exchange_sums_and_nothing_else(mesh, alpha):
    """A mask or an update that were gathered would cost more than the step."""
    specs = SHARDINGS["both axes"]
    optimizer = alphaadam(0.01, alpha=alpha)
    with jax.set_mesh(mesh):
        params = place(make_params(), mesh, specs)
        text = compile_step(optimizer).lower(params, optimizer.init(params), params).compile().as_text()
    exchanged = re.findall(r"= (.*) (all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)", text)
    assert {kind for _, kind in exchanged} == ({"all-reduce"} if isinstance(alpha, str) else set())
    assert all(re.fullmatch(r"\(?([fs]32\[\](, )?)+\)?", shape) for shape, _ in exchanged)


def test_gradients_and_moments_may_be_placed_in_different_ways(mesh):
    """Each device has the whole gradient and keeps a shard of the moments."""
    params = make_params()
    optimizer = alphaadam(0.01)
    with jax.set_mesh(mesh):
        whole = place(params, mesh, SHARDINGS["copies"])
        state = optimizer.init(place(params, mesh, SHARDINGS["both axes"]))
        actual, state = compile_step(optimizer)(whole, state, whole)
    assert state[0].mu["w"].sharding.spec == P("a", "b")
    step = compile_step(optimizer)
    assert_same_run(actual, step(params, optimizer.init(params), params)[0])


def test_half_precision_is_sharded_alike(mesh):
    params = make_params(jnp.bfloat16)
    optimizer = alphaadam(0.01, mu_dtype=jnp.float32, alpha="count")
    expected = train_new(optimizer, params, 3)
    actual = train_sharded(optimizer, params, mesh, SHARDINGS["both axes"], 3)
    assert_identical(actual[1][0].mu, expected[1][0].mu)
    assert_identical(actual[1][0].nu, expected[1][0].nu)
    # An ulp of bfloat16 below 4.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=2**-6), actual[0], expected[0])


def test_a_data_parallel_step_is_the_step_on_the_whole_batch():
    """Under ``shard_map`` with replicated parameters and averaged gradients."""
    mesh = jax.make_mesh((8,), ("batch",), axis_types=(AxisType.Auto,))
    optimizer = alphaadam(0.01)
    params = {"w": jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)), jnp.float32)}
    inputs = jnp.asarray(np.random.default_rng(1).normal(size=(16, 4)), jnp.float32)

    def loss(params, inputs):
        return jnp.mean(jnp.sin(inputs @ params["w"]))

    def step(params, state, inputs, reduce):
        updates, state = optimizer.update(reduce(jax.grad(loss)(params, inputs)), state, params)
        return optax.apply_updates(params, updates), state

    def mean(gradients):
        return jax.tree.map(lambda g: jax.lax.pmean(g, "batch"), gradients)

    parallel = jax.jit(
        jax.shard_map(
            # Else JAX sums the gradient of a replicated parameter by itself.
            lambda p, s, x: step(jax.tree.map(lambda leaf: jax.lax.pcast(leaf, "batch", to="varying"), p), s, x, mean),
            mesh=mesh,
            in_specs=(P(), P(), P("batch")),
            out_specs=(P(), P()),
            check_vma=False,
        )
    )
    alone = jax.jit(lambda p, s, x: step(p, s, x, lambda gradients: gradients))
    state = optimizer.init(params)
    assert_same_run(parallel(params, state, inputs), alone(params, state, inputs))


def test_the_rule_itself_is_what_other_devices_take():
    """What the tests above stand on."""
    assert _paths._rule is _rule
    assert not _paths._xla_cpu.suits(*[jnp.ones(3)] * 3, "async")
