"""Every path of a step against the plain loop, which the vectors check; more of them by adding a row."""

import numpy as np
import pytest
import torch
from numba import njit

from alphaadam.torch import AlphaAdam, _numba_kernels
from tests.implementations.torch import variants

PATHS = {
    "foreach": {"foreach": True},
    "fused": {"fused": True},
    "default": {},
    "capturable": {"foreach": False, "capturable": True},
    "capturable foreach": {"foreach": True, "capturable": True},
    "differentiable": None,  # below: it needs parameters that are no leaves
}
LARGE = ((_numba_kernels.WHOLE + 17,), (3, _numba_kernels.CHUNK), (1000,))


@pytest.mark.parametrize("rule", variants.RULES.values(), ids=variants.RULES)
@pytest.mark.parametrize("dtype", variants.DTYPES, ids=str)
@pytest.mark.parametrize("path", [name for name, options in PATHS.items() if options is not None])
@pytest.mark.parametrize("record", [False, True])
def test_a_path_is_the_plain_loop_up_to_rounding(path, dtype, rule, record):
    variants.assert_like_the_loop(dtype, rule, **PATHS[path], record_diagnostics=record)


@pytest.mark.parametrize("rule", variants.RULES.values(), ids=variants.RULES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64], ids=str)
def test_tensors_that_threads_share_are_like_the_plain_loop(dtype, rule):
    variants.assert_like_the_loop(dtype, rule, LARGE, fused=True)


def _fused(threads, dtype=torch.float32, **options):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        params = variants.parameters(dtype, LARGE)
        optimizer = variants.train(params, steps=3, fused=True, **options)
    finally:
        torch.set_num_threads(before)
    return [p.detach() for p in params] + [value for state in optimizer.state.values() for value in state.values()]


@pytest.mark.parametrize("options", [{}, {"alpha": "count"}, {"alpha": 1.0}, {"record_diagnostics": True}], ids=str)
def test_the_number_of_threads_changes_no_bit(options):
    alone = _fused(1, **options)
    for threads in (2, 3, 5):
        for expected, actual in zip(alone, _fused(threads, **options), strict=True):
            assert torch.equal(expected, actual)


def test_watching_a_fused_step_changes_no_bit():
    for dtype in (torch.float32, torch.bfloat16):
        for expected, actual in zip(_fused(2, dtype), _fused(2, dtype, record_diagnostics=True), strict=True):
            assert torch.equal(expected, actual)


@njit
def _convert(wide, stored, back):
    for i in range(len(wide)):
        stored[i] = _numba_kernels._narrow(wide[i], stored[i])
        back[i] = _numba_kernels._widen(stored[i])


@pytest.mark.parametrize(("dtype", "bits"), [(torch.bfloat16, np.uint16), (torch.float16, np.int16)], ids=str)
def test_half_precision_is_read_and_rounded_as_torch_does(dtype, bits):
    """Every value, every tie between two of them, what lies beside the ties, and float32 of every kind."""
    every = torch.arange(2**16, dtype=torch.int32).to(torch.uint16).view(dtype).float()
    ties = (every[:-1].double() + every[1:].double()) / 2
    generator = np.random.Generator(np.random.PCG64(0))
    anything = torch.from_numpy(generator.integers(0, 2**32, 2**18, dtype=np.uint32).view(np.float32))
    above = torch.nextafter(ties.float(), torch.tensor(torch.inf))
    wide = torch.cat([every, ties.float(), above, anything])
    stored, back = np.zeros(len(wide), bits), np.zeros(len(wide), np.float32)
    _convert(wide.numpy(), stored, back)
    expected = wide.to(dtype)
    number = ~expected.isnan()
    assert torch.equal(
        torch.from_numpy(stored).view(dtype)[number].view(torch.int16), expected[number].view(torch.int16)
    )
    assert torch.equal(torch.from_numpy(back)[number], expected[number].float())
    assert np.isnan(back[~number.numpy()]).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_fused_step_needs_little_memory(dtype):
    """A mask bit for each element of the largest tensor, and sums and tables that are small beside that."""
    params = [torch.nn.Parameter(torch.zeros(1000, 1000, dtype=dtype)) for _ in range(8)]
    for parameter in params:
        parameter.grad = torch.ones_like(parameter)
    optimizer = AlphaAdam(params, fused=True)
    optimizer.step()
    with torch.profiler.profile(profile_memory=True, activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        optimizer.step()
    allocated = sum(max(event.self_cpu_memory_usage, 0) for event in profile.events())
    total = sum(p.numel() * p.element_size() for p in params)
    assert 0 < allocated <= 0.04 * total
    assert allocated >= 1_000_000 // 8  # the profiler saw the mask


def test_the_state_of_every_path_is_adamws():
    for options in PATHS.values():
        if options is None:
            continue
        ours, theirs = variants.parameters(torch.float32), variants.parameters(torch.float32)
        state = variants.train(ours, **options).state_dict()["state"]
        adamw = torch.optim.AdamW(theirs, foreach=False)
        for parameter in theirs:
            parameter.grad = torch.ones_like(parameter)
        adamw.step()
        for index, expected in adamw.state_dict()["state"].items():
            assert {k: (v.shape, v.dtype) for k, v in state[index].items()} == {
                k: (v.shape, v.dtype) for k, v in expected.items()
            }


def test_paths_that_exclude_one_another_are_refused():
    params = variants.parameters(torch.float32)
    for pair in ({"foreach": True, "fused": True}, {"fused": True, "differentiable": True}):
        with pytest.raises(RuntimeError, match=r"=True and .*=True exclude one another"):
            AlphaAdam(params, **pair)
    with pytest.raises(TypeError, match="fused='yes'"):
        AlphaAdam(params, fused="yes")


def test_an_asserted_path_that_cannot_be_had_says_why():
    with pytest.raises(RuntimeError, match=r"fused=True is not available: parameters are torch.float8_e4m3fn"):
        AlphaAdam([torch.nn.Parameter(torch.zeros(4).to(torch.float8_e4m3fn), requires_grad=False)], fused=True)


@pytest.mark.parametrize("options", [{"foreach": False}, {"foreach": True}, {"fused": True}], ids=str)
def test_a_nan_that_the_mask_drops_is_loud_though_nothing_is_kept(options):
    parameter = torch.nn.Parameter(torch.ones(40))
    optimizer = AlphaAdam([parameter], **options)
    for value in (1.0, -1.0):
        parameter.grad = torch.full((40,), value)
        if value < 0:
            parameter.grad[3] = torch.nan
        optimizer.step()
    assert parameter.isnan().all()
