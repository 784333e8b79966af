"""Checkpoints: by Orbax, of alphaadam and of optax.adamw, plain and sharded, bit for bit."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest
from flax import nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from alphaadam.optax import alphaadam
from tests.implementations.optax.training import assert_identical, draw_batch, make_params, train, train_new

RECORDED = {"record_diagnostics": True}


def save(path, tree):
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(path, tree)


def restore(path, target=None):
    with ocp.StandardCheckpointer() as checkpointer:
        return checkpointer.restore(path, target)


@pytest.mark.parametrize("arguments", [{}, RECORDED], ids=["plain", "recorded"])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path, arguments, dtype):
    optimizer = alphaadam(optax.cosine_decay_schedule(0.01, 8), mu_dtype=jnp.float32, **arguments)
    start = make_params(dtype)
    whole = train_new(optimizer, start, 6)
    save(tmp_path / "run", train_new(optimizer, start, 3))
    target = jax.eval_shape(lambda: (start, optimizer.init(start)))
    assert_identical(train(optimizer, *restore(tmp_path / "run", target), 3, 6), whole)


@pytest.mark.parametrize("mask", [None, {"w": True, "b": False}], ids=["all decay", "some decay"])
@pytest.mark.parametrize("rate", [0.01, optax.cosine_decay_schedule(0.01, 8)], ids=["constant", "schedule"])
def test_an_adamw_checkpoint_continues_and_goes_back(tmp_path, rate, mask):
    params = make_params()
    ours, theirs = alphaadam(rate, mask=mask), optax.adamw(rate, mask=mask)
    params, state = train_new(theirs, params, 3)
    save(tmp_path / "adamw", (params, state))
    target = jax.eval_shape(lambda: (params, ours.init(params)))
    restored = restore(tmp_path / "adamw", target)
    assert_identical(restored, (params, state))
    params, state = train(ours, *restored, 3, 5)
    assert_identical((params, state), train(ours, *train_new(theirs, make_params(), 3), 3, 5))

    save(tmp_path / "ours", (params, state))
    target = jax.eval_shape(lambda: (params, theirs.init(params)))
    _, state = train(theirs, *restore(tmp_path / "ours", target), 5, 6)
    assert state[0].count == 6


def test_an_adamw_state_continues_with_diagnostics():
    """The first step makes them; a state that keeps its structure takes the moments by ``optax.tree.set``."""
    params, state = train_new(optax.adamw(0.01), make_params(), 2)
    optimizer = alphaadam(0.01, **RECORDED)
    direct = train(optimizer, params, state, 2, 4)
    fields = {name: optax.tree.get(state, name) for name in ("count", "mu", "nu")}
    assert_identical(train(optimizer, params, optax.tree.set(optimizer.init(params), **fields), 2, 4), direct)
    assert_identical(train(alphaadam(0.01), params, state, 2, 4)[0], direct[0])


def test_a_run_with_diagnostics_continues_without_and_as_adamw():
    params, state = train_new(alphaadam(0.01, **RECORDED), make_params(), 2)
    for optimizer in (alphaadam(0.01), optax.adamw(0.01)):
        _, plain = train(optimizer, params, state, 2, 3)
        assert isinstance(plain[0], optax.ScaleByAdamState)


def test_a_checkpoint_restored_without_a_target_is_an_error_that_says_so(tmp_path):
    """Orbax then returns dicts and lists in place of the state's tuples."""
    params, state = train_new(alphaadam(0.01), make_params(), 1)
    save(tmp_path / "run", {"params": params, "state": state})
    restored = restore(tmp_path / "run")
    with pytest.raises(
        TypeError, match=r"the state is (list|dict).*restore a checkpoint into such a state as its target"
    ):
        train(alphaadam(0.01), restored["params"], restored["state"], 1, 2)


def test_a_sharded_run_is_saved_and_resumed_in_its_shards(tmp_path):
    mesh = jax.make_mesh((8,), ("devices",), axis_types=(AxisType.Auto,))
    rows = NamedSharding(mesh, PartitionSpec("devices"))
    params = {"w": jax.device_put(jnp.asarray(np.random.default_rng(0).normal(size=(16, 3)), jnp.float32), rows)}
    optimizer = alphaadam(0.01, **RECORDED)
    with jax.set_mesh(mesh):
        whole = train_new(optimizer, params, 4)
        halfway = train_new(optimizer, params, 2)
        save(tmp_path / "run", halfway)
        # Orbax reads dtypes and shardings from the target.
        resumed = train(optimizer, *restore(tmp_path / "run", halfway), 2, 4)
    assert_identical(resumed, whole)
    assert optax.tree.get(resumed[1], "mu")["w"].sharding == rows


def test_nnx_models_and_optimizers_are_saved_together(tmp_path):
    def make():
        model = nnx.Linear(4, 1, rngs=nnx.Rngs(0))
        return model, nnx.Optimizer(model, alphaadam(0.02, **RECORDED), wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer, inputs, targets):
        optimizer.update(model, nnx.grad(lambda model: jnp.mean((model(inputs) - targets) ** 2))(model))

    run, resumed = make(), make()
    for number in range(2):
        step(*run, *draw_batch(number))
    save(tmp_path / "run", nnx.state(run))
    nnx.update(resumed, restore(tmp_path / "run", nnx.state(resumed)))
    for pair in (run, resumed):
        step(*pair, *draw_batch(2))
    assert_identical(jax.tree.leaves(nnx.state(resumed)), jax.tree.leaves(nnx.state(run)))
    assert run[1].opt_state[0].count[...] == 3
