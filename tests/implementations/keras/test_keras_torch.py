"""The PyTorch backend: kernels on Keras' variables, the path each variable takes, and what must not change."""

import importlib.util

import keras
import numpy as np
import pytest

from alphaadam.keras import AlphaAdam
from tests.implementations.keras.training import BACKEND, assert_identical, gradients, tensors, values

if BACKEND != "torch":
    pytest.skip(f"the PyTorch backend alone; this is {BACKEND}", allow_module_level=True)

import torch

from alphaadam.keras import _torch
from alphaadam.torch import AlphaAdam as TorchAlphaAdam
from alphaadam.torch import _foreach, _loop, _paths

NUMBA = importlib.util.find_spec("numba") is not None
START = [np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4), np.float32(0.5), np.zeros((0, 2), "float32")]


class Plain(AlphaAdam):
    """Steps by ``update_step``, as on other backends."""

    _backend_update_step = keras.optimizers.Optimizer._backend_update_step


@pytest.fixture
def taken(monkeypatch):
    """The module and the number of tensors of every batch that is stepped."""
    batches = []
    for module in {_loop, _foreach, _torch._path(torch.device("cpu"), torch.float32)}:

        def step(tensors, settings, module=module, original=module.step):
            batches.append((module, len(tensors.params)))
            return original(tensors, settings)

        monkeypatch.setattr(module, "step", step)
    return batches


def stepped(cls=AlphaAdam, dtype="float32", count=3, **arguments):
    variables = [keras.Variable(x, dtype=dtype) for x in START]
    optimizer = cls(0.125, **arguments)
    for seed in range(count):
        optimizer.apply([g.to(variables[0].value.dtype) for g in tensors(gradients(START, seed))], variables)
    return variables, optimizer


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
@pytest.mark.parametrize("arguments", [{}, {"masking": "sync", "alpha": "count"}, {"masking": "none", "alpha": 0.5}])
def test_the_kernels_do_what_the_plain_step_does(dtype, arguments):
    ours, theirs = (stepped(cls, dtype, record_diagnostics=True, **arguments) for cls in (AlphaAdam, Plain))
    for a, b in zip(values(ours[0] + ours[1].variables), values(theirs[0] + theirs[1].variables), strict=True):
        # Both round to the dtype where they store; before that their sums and products differ by some ulp of float32.
        ulp = {"float64": 1e-6, "float32": 2.0**-23, "bfloat16": 2.0**-7, "float16": 2.0**-10}[dtype]
        np.testing.assert_allclose(a.astype("float64"), b.astype("float64"), rtol=0, atol=4 * ulp)


def test_it_is_the_step_of_alphaadam_for_pytorch():
    """Bit for bit, on the same path."""
    variables, _ = stepped()
    parameters = [torch.nn.Parameter(torch.tensor(x)) for x in START]
    optimizer = TorchAlphaAdam(parameters, lr=0.125)
    for seed in range(3):
        for parameter, g in zip(parameters, tensors(gradients(START, seed)), strict=True):
            parameter.grad = g
        optimizer.step()
    assert_identical(values(variables), [p.detach().numpy() for p in parameters])


@pytest.mark.skipif(not NUMBA, reason="numba is not installed")
def test_variables_take_the_fused_path_together(taken):
    stepped(count=1)
    assert taken == [(_paths._load("alphaadam.torch._numba"), 3)]


@pytest.mark.skipif(not NUMBA, reason="numba is not installed")
def test_excluded_variables_and_each_dtype_are_batches_of_their_own(taken):
    variables = [
        *(keras.Variable(np.ones(2), name=name) for name in ("a", "b", "bias")),
        keras.Variable(np.ones(2), dtype="bfloat16"),
    ]
    optimizer = AlphaAdam(0.5, weight_decay=0.25)
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.apply([torch.zeros(2)] * 3 + [torch.zeros(2, dtype=torch.bfloat16)], variables)
    assert sorted(count for _, count in taken) == [1, 1, 2]
    assert [float(value[0]) for value in values(variables)] == [0.875, 0.875, 1.0, 0.875]


@pytest.mark.skipif(not NUMBA, reason="numba is not installed")
def test_tensors_that_kernels_cannot_address_take_the_plain_loop(taken):
    """A transposed value beside Keras' contiguous moments; a gradient of another dtype or layout."""
    start = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)
    transposed = keras.Variable(start)
    transposed._value = torch.nn.Parameter(torch.tensor(start.T.copy()).T)
    assert not transposed.value.is_contiguous()
    variables = [transposed, keras.Variable(start), keras.Variable(start), keras.Variable(start)]
    plain = [keras.Variable(start) for _ in variables]
    ours, theirs = AlphaAdam(0.125), Plain(0.125)
    for seed in range(3):
        g = torch.tensor(gradients([start], seed)[0]).bfloat16()
        wide = g.float()
        ours.apply([wide, wide, g, wide.T.contiguous().T], variables)
        theirs.apply([wide] * 4, plain)
    assert [count for module, count in taken] == [1, 3] * 3
    assert [module is _loop for module, _ in taken] == [False, True] * 3
    for a, b in zip(values(variables), values(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=4 * 2.0**-23)  # some ulp, as above


def test_without_numba_a_step_is_the_plain_loop_and_says_so_once(monkeypatch, taken):
    monkeypatch.setattr(_paths, "missing", lambda device, dtype: "on 'cpu' it needs numba")
    _torch._warn_once.cache_clear()
    with pytest.warns(UserWarning, match="no fused step, since on 'cpu' it needs numba") as caught:
        variables, _ = stepped()
    assert len(caught) == 1
    assert taken == [(_loop, 3)] * 3
    plain, _ = stepped(Plain)
    for a, b in zip(values(variables), values(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=4 * 2.0**-23)
    _torch._warn_once.cache_clear()


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_a_gpu_counts_steps_in_memory_of_its_own():
    """Kernels there read the same addresses at every step, and the learning rate where it is."""
    optimizer = AlphaAdam(0.125)
    device = torch.device("meta")
    first = _torch._counts(optimizer, device, 0.01, 3, _foreach)
    assert _torch._counts(optimizer, device, 0.01, 3, _foreach) is first
    assert _torch._counts(optimizer, device, 0.0, 3, _foreach) is not first
    settings = _torch._settings(optimizer, optimizer.learning_rate, 0.01, torch.device("cuda"), object())
    assert isinstance(settings.lr, torch.Tensor)
    assert not settings.by_tensor


def test_a_stateless_step_changes_neither_variables_nor_its_arguments():
    variables, optimizer = stepped(count=1)
    before = values(variables + optimizer.variables)
    state = [v.value.detach().clone() for v in optimizer.variables]
    trained = [v.value.detach().clone() for v in variables]
    given = [x.clone() for x in trained + state]
    new, _ = optimizer.stateless_apply(state, tensors(gradients(START, 1)), trained)
    assert_identical(values(variables + optimizer.variables), before)
    assert all(torch.equal(a, b) for a, b in zip(trained + state, given, strict=True))
    optimizer.apply(tensors(gradients(START, 1)), variables)
    for a, b in zip(new, values(variables), strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b, rtol=0, atol=4 * 2.0**-23)


def test_autograd_records_no_step():
    """A training loop of one's own may forget `torch.no_grad`."""
    variable = keras.Variable(np.ones(2, "float32"))
    loss = (variable.value**2).sum()
    loss.backward()
    AlphaAdam(0.125).apply([variable.value.grad], [variable])
    assert variable.value.requires_grad
    assert variable.value.grad_fn is None


def test_a_sparse_gradient_is_refused():
    variable = keras.Variable(np.ones((3, 2), "float32"))
    gradient = torch.sparse_coo_tensor([[1]], torch.ones(1, 2), (3, 2), check_invariants=True)
    with pytest.raises(RuntimeError, match=r"layout torch.sparse_coo .* is not supported.*Make it dense"):
        AlphaAdam().apply([gradient], [variable])


def test_devices_without_float64_take_the_plain_step(monkeypatch):
    """As Apple's: they have no sums in float64, which the paths of alphaadam.torch take."""
    monkeypatch.setattr(_torch, "_DEVICES", ())
    assert_identical(values(stepped()[0]), values(stepped(Plain)[0]))


def test_torch_compile_makes_one_graph_of_a_step():
    variables = [keras.Variable(x) for x in START]
    optimizer = AlphaAdam(0.125)
    optimizer.build(variables)
    step = torch.compile(
        lambda *g: optimizer._backend_update_step(list(g), variables, optimizer.learning_rate),
        backend="eager",
        fullgraph=True,
    )
    for seed in range(3):
        step(*tensors(gradients(START, seed)))
        optimizer.iterations.assign_add(1)
    expected, _ = stepped()
    for a, b in zip(values(variables), values(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=4 * 2.0**-23)
