"""The fused step on a CPU beside other threads and in forked processes."""

import multiprocessing
import threading

import pytest
import torch

from alphaadam.torch import AlphaAdam
from tests.implementations.torch.training import (
    SHARED,
    VARIANTS,
    assert_identical,
    make_parameters,
    set_gradients,
    snapshot,
    train,
)

#: Tensors that threads share between those that belong to one of them.
SHAPES = ((3, 4), (SHARED,), (5,), (), (2 * SHARED,), (999,), (4099,))


@pytest.fixture
def threads():
    """torch.set_num_threads, undone afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("options", [{}, {"masking": "sync", "alpha": "count"}, {"alpha": 0.5}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_bit_depends_on_the_number_of_threads(threads, dtype, options, record):
    results = []
    for count in (1, 2, 3, 4):
        threads(count)
        parameters = make_parameters(dtype, SHAPES)
        optimizer = AlphaAdam(parameters, lr=0.1, fused=True, record_diagnostics=record, **options)
        train(optimizer, parameters, 0, 3)
        strengths = [optimizer.diagnostics[p] for p in parameters if p in optimizer.diagnostics]
        results.append((snapshot(optimizer), [tuple(each) for each in strengths]))
    for result in results[1:]:
        assert_identical(result, results[0])


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_number_of_threads_may_change_between_steps(threads, variant):
    ours, theirs = make_parameters(shapes=SHAPES), make_parameters(shapes=SHAPES)
    optimizer, other = (AlphaAdam(p, **VARIANTS[variant]) for p in (ours, theirs))
    for step, count in enumerate((2, 4, 1, 3)):
        threads(count)
        train(optimizer, ours, step, step + 1)
    threads(2)
    train(other, theirs, 0, 4)
    assert_identical(snapshot(optimizer), snapshot(other))


@pytest.mark.parametrize("shapes", [SHAPES[:1], SHAPES])
@pytest.mark.parametrize("variant", VARIANTS)
def test_optimizers_step_from_several_python_threads(threads, variant, shapes):
    threads(2)
    runs = [make_parameters(shapes=shapes) for _ in range(4)]
    optimizers = [AlphaAdam(parameters, **VARIANTS[variant]) for parameters in runs]
    start = threading.Barrier(3)

    def work(optimizer, parameters):
        start.wait()
        train(optimizer, parameters, 0, 5)

    workers = [threading.Thread(target=work, args=pair) for pair in zip(optimizers[:3], runs[:3], strict=True)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    train(optimizers[3], runs[3], 0, 5)
    for optimizer in optimizers[:3]:
        assert_identical(snapshot(optimizer), snapshot(optimizers[3]))


# Python 3.12 warns of every fork while there are threads: that this one goes well is what is tested.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork")
def test_a_forked_child_goes_on(threads):
    """It has none of its parent's threads. PyTorch's own operations on large tensors may not run in it."""
    threads(2)
    parameters = make_parameters(shapes=SHAPES)
    optimizer = AlphaAdam(parameters, fused=True)
    train(optimizer, parameters, 0, 1)
    set_gradients(parameters, 2)
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)

    def step_and_send():
        optimizer.step()
        send.send([p.detach().numpy().tobytes() for p in parameters])

    child = context.Process(target=step_and_send)
    child.start()
    try:
        assert receive.poll(60), "the child hangs"
        from_child = receive.recv()
    finally:
        child.kill()
        child.join()
    optimizer.step()
    assert from_child == [p.detach().numpy().tobytes() for p in parameters]
