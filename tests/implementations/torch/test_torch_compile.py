"""torch.compile of the step and of whole training steps."""

import logging

import pytest
import torch

from alphaadam.torch import AlphaAdam, AlphaMask
from tests.implementations.torch.training import (
    VARIANTS,
    make_batch,
    make_loss,
    make_model,
    make_parameters,
    set_gradients,
    snapshot,
    train_model,
)

# Where a graph breaks after ``backward``, Dynamo looks for a gradient of everything that lives, the loss included.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")

RULES = [
    {"masking": "async", "alpha": "norm"},
    {"masking": "sync", "alpha": "count"},
    {"masking": "async", "alpha": 0.5, "maximize": True},
    {"masking": "none", "alpha": 1.0},
]
DTYPES = (torch.float32, torch.bfloat16, torch.float64, torch.complex64)


@pytest.fixture(autouse=True)
def fresh_compiler(monkeypatch):
    """Without what an earlier test compiled, and without pytest's capture of a trace that takes most of the time."""
    monkeypatch.setattr(logging.getLogger("torch.__trace"), "propagate", False)
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def compare(optimizer, other):
    """A compiler may fuse a multiplication and an addition, which rounds once instead of twice."""
    torch.testing.assert_close(snapshot(optimizer), snapshot(other), rtol=1e-5, atol=1e-7)


def run(step, parameters, first, last):
    for number in range(first, last):
        set_gradients(parameters, number)
        step()


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_compiled_step_is_one_graph_and_the_eager_step(rule):
    ours, theirs = make_parameters(), make_parameters()
    optimizer, other = (AlphaAdam(p, lr=0.1, **rule) for p in (ours, theirs))
    run(torch.compile(optimizer.step, backend="aot_eager", fullgraph=True), ours, 0, 4)
    run(other.step, theirs, 0, 4)
    compare(optimizer, other)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_compiled_run_goes_on_eagerly_and_back(variant):
    ours, theirs = make_parameters(), make_parameters()
    optimizer, other = (AlphaAdam(p, lr=0.1, **VARIANTS[variant]) for p in (ours, theirs))
    compiled = torch.compile(optimizer.step, backend="eager", fullgraph=True)
    for number, step in enumerate((compiled, optimizer.step, compiled, optimizer.step)):
        run(step, ours, number, number + 1)
    run(other.step, theirs, 0, 4)
    compare(optimizer, other)
    assert not optimizer.param_groups[0]["capturable"]


def test_a_tensor_as_learning_rate_changes_without_recompiling():
    """Compiled before there is a scheduler, which replaces ``step`` by a wrapper that Dynamo does not trace."""
    ours, theirs = make_parameters(shapes=[(3, 4), (5,)]), make_parameters(shapes=[(3, 4), (5,)])
    lr = torch.tensor(0.1)
    optimizer, other = AlphaAdam(ours, lr=lr), AlphaAdam(theirs, lr=0.1)
    step = torch.compile(optimizer.step, backend="inductor", fullgraph=True)
    for number in range(6):
        set_gradients(ours, 2 * number)  # always the same tensors
        set_gradients(theirs, 2 * number)
        with torch.compiler.set_stance("fail_on_recompile" if number else "default"):
            step()
        other.step()
        lr.mul_(0.5)
        other.param_groups[0]["lr"] *= 0.5
    compare(optimizer, other)


@pytest.mark.parametrize("as_tensor", [False, True])
def test_a_scheduler_around_a_compiled_step(as_tensor):
    """A float recompiles at its first change, and is then an input; a tensor is one from the beginning."""
    ours, theirs = make_parameters(), make_parameters()
    lr = torch.tensor(0.1) if as_tensor else 0.1
    optimizer, other = AlphaAdam(ours, lr=lr), AlphaAdam(theirs, lr=0.1)
    schedulers = [torch.optim.lr_scheduler.ExponentialLR(o, 0.5) for o in (optimizer, other)]
    step = torch.compile(optimizer.step, backend="eager")
    for number in range(5):
        set_gradients(ours, 2 * number)  # always the same tensors
        if number == 1 and not as_tensor:
            with pytest.raises(RuntimeError, match="recompile"), torch.compiler.set_stance("fail_on_recompile"):
                step()
        first = 1 if as_tensor else 2
        with torch.compiler.set_stance("fail_on_recompile" if number >= first else "default"):
            step()
        run(other.step, theirs, 2 * number, 2 * number + 1)
        for scheduler in schedulers:
            scheduler.step()
    compare(optimizer, other)


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_a_whole_training_step(backend):
    model, expected = make_model(), make_model()
    optimizer = AlphaAdam(model.parameters(), lr=torch.tensor(0.05))
    other = AlphaAdam(expected.parameters(), lr=0.05)

    @torch.compile(backend=backend)
    def train_step(inputs, labels):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        return loss

    losses = [train_step(*make_batch(step)).item() for step in range(5)]
    assert losses[0] == pytest.approx(make_loss(expected, 0).item(), rel=1e-5)
    train_model(expected, other, 0, 5)
    compare(optimizer, other)


def test_parameters_of_several_dtypes_are_as_when_not_compiled():
    def make():
        return [p for dtype in DTYPES for p in make_parameters(dtype, [(3, 4), (5,)])]

    ours, theirs = make(), make()
    optimizer, other = AlphaAdam(ours, lr=0.1), AlphaAdam(theirs, lr=0.1, foreach=True)
    run(torch.compile(optimizer.step, backend="eager", fullgraph=True), ours, 0, 3)
    run(other.step, theirs, 0, 3)
    for (p, state), (q, expected) in zip(snapshot(optimizer), snapshot(other), strict=True):
        torch.testing.assert_close(p, q)
        torch.testing.assert_close(state, expected)


def test_groups_and_diagnostics():
    ours, theirs = make_parameters(), make_parameters()
    optimizer, other = (
        AlphaAdam([{"params": p[:2]}, {"params": p[2:], "masking": "sync", "lr": 0.5}], record_diagnostics=True)
        for p in (ours, theirs)
    )
    run(torch.compile(optimizer.step, backend="eager"), ours, 0, 3)
    run(other.step, theirs, 0, 3)
    compare(optimizer, other)
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(tuple(optimizer.diagnostics[p]), tuple(other.diagnostics[q]))


def test_a_scaler_around_a_compiled_step():
    model, expected = make_model(), make_model()
    optimizer, other = AlphaAdam(model.parameters(), fused=True), AlphaAdam(expected.parameters(), fused=True)
    optimizer.step = torch.compile(optimizer.step, backend="eager")
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    for number, factor in enumerate((1.0, torch.inf, 1.0, 1.0)):
        optimizer.zero_grad()
        scaler.scale(make_loss(model, number) * factor).backward()
        scaler.step(optimizer)
        scaler.update()
        if factor == 1:
            train_model(expected, other, number, number + 1)
    compare(optimizer, other)
    assert scaler.get_scale() == 8.0


def test_alpha_mask_is_compiled_around_the_breaks_of_its_inner_optimizer():
    ours, theirs = make_parameters(shapes=[(3, 4), (5,)]), make_parameters(shapes=[(3, 4), (5,)])
    optimizer, other = (AlphaMask(torch.optim.SGD(p, lr=0.1, momentum=0.9)) for p in (ours, theirs))
    run(torch.compile(optimizer.step, backend="eager"), ours, 0, 4)
    run(other.step, theirs, 0, 4)
    compare(optimizer, other)
