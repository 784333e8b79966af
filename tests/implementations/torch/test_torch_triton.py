"""The GPU's kernels: interpreted on the CPU against the plain loop, and compiled for GPUs that need not be there."""

import os
import subprocess
import sys
import textwrap

import pytest
import torch

from alphaadam.torch import AlphaAdam
from tests.implementations.torch import interpreted, variants

#: The interpreter takes milliseconds for each chunk: one of a few elements, one that ends within a block, several.
SHAPES = ((3, 4), (5,), (), (0, 3), (33,), (2, 81))


@pytest.fixture(autouse=True)
def _kernels_of_the_gpu(monkeypatch):
    from alphaadam.torch import _paths
    from alphaadam.torch import _triton_kernels as kernels

    monkeypatch.setattr(_paths, "FUSED", dict(_paths.FUSED))
    for name in ("CHUNK", "BLOCK", "SUMS_BLOCK"):
        monkeypatch.setattr(kernels, name, getattr(kernels, name))
    interpreted.install()


@pytest.mark.parametrize("rule", variants.RULES.values(), ids=variants.RULES)
@pytest.mark.parametrize("dtype", variants.DTYPES, ids=str)
@pytest.mark.parametrize("record", [False, True])
def test_the_kernels_are_the_plain_loop_up_to_rounding(dtype, rule, record):
    variants.assert_like_the_loop(dtype, rule, SHAPES, steps=3, fused=True, record_diagnostics=record)


def test_watching_the_kernels_changes_no_bit():
    runs = []
    for record in (False, True):
        params = variants.parameters(torch.float32, SHAPES)
        variants.train(params, fused=True, record_diagnostics=record)
        runs.append(params)
    for a, b in zip(*runs, strict=True):
        assert torch.equal(a, b)


def test_tensors_that_begin_anywhere_are_stepped_alike():
    """Gradients at odd addresses, as views of a bucket have them, take the path without wide loads."""
    aligned, odd = variants.parameters(torch.float32, SHAPES), variants.parameters(torch.float32, SHAPES)
    first, second = AlphaAdam(aligned, fused=True), AlphaAdam(odd, fused=True)
    for a, b in zip(aligned, odd, strict=True):
        gradient = torch.randn(a.shape, generator=torch.Generator().manual_seed(a.numel()))
        bucket = torch.empty(a.numel() + 1)
        a.grad, b.grad = gradient, bucket[1:].view(a.shape).copy_(gradient)
    first.step()
    second.step()
    for a, b in zip(aligned, odd, strict=True):
        assert torch.equal(a, b)


def test_a_learning_rate_on_the_device_is_read_there():
    runs = []
    for lr in (0.03, torch.tensor(0.03, dtype=torch.float64)):
        params = variants.parameters(torch.float32, SHAPES)
        optimizer = AlphaAdam(params, lr=lr, fused=True)
        for parameter in params:
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        runs.append(params)
    for a, b in zip(*runs, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("found", [0.0, 1.0])
def test_the_kernels_unscale_and_skip(found):
    """What a GradScaler hands over is read on the device: the host must not wait for it."""
    from alphaadam.torch import _triton
    from alphaadam.torch._settings import Settings, Tensors

    def tensors(scale):
        params = [p.detach() for p in variants.parameters(torch.float32, SHAPES)]
        grads = [(torch.ones_like(p) * 0.25 * scale) for p in params]
        return Tensors(
            params, grads, *([torch.zeros_like(p) for p in params] for _ in range(2)), [torch.zeros(()) for _ in params]
        )

    common = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1, "masking": "async"}
    common |= {"alpha": "norm", "alpha_max": None, "maximize": False}
    plain, scaled = tensors(1.0), tensors(1024.0)
    untouched = [p.clone() for p in plain.params]
    _triton.step(plain, Settings(**common))
    _triton.step(scaled, Settings(**common, grad_scale=torch.tensor(1024.0), found_inf=torch.tensor(found)))
    for expected, actual in zip(untouched if found else plain.params, scaled.params, strict=True):
        assert torch.equal(expected, actual)
    assert all(count.item() == 1 - found for count in scaled.steps)
    if not found:
        assert all(torch.equal(a, b) for a, b in zip(plain.grads, scaled.grads, strict=True))


def test_a_batch_takes_two_launches_and_one_if_every_tensor_is_small(monkeypatch):
    from alphaadam.torch import _triton_kernels as kernels

    launches = []

    class Counted:
        def __init__(self, name, kernel):
            self.name, self.kernel = name, kernel

        def __getitem__(self, grid):
            launches.append(self.name)
            return self.kernel[grid]

    for name in ("moments", "update", "add_up"):
        monkeypatch.setattr(kernels, name, Counted(name, getattr(kernels, name)))
    variants.train(variants.parameters(torch.float32, SHAPES), steps=1, fused=True)
    assert launches == ["moments", "update"]
    for shapes, options in (((5,),) * 40, {}), (SHAPES, {"alpha": 1.0}):
        launches.clear()
        variants.train(variants.parameters(torch.float32, shapes), steps=1, fused=True, **options)
        assert launches == ["moments"]


def test_the_kernels_compile_for_gpus_with_wide_loads_and_without_spills():
    """Triton compiles for a GPU that is not there: what an interpreter cannot tell of the kernels."""
    program = textwrap.dedent(
        """
        import re, triton, triton.language as tl
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource
        from alphaadam.torch import _triton_kernels as kernels

        POINTERS = {"table": "*i64", "tensor_of": "*i32", "chunks_to_update": "*i32", "bits": "*u8"}
        POINTERS |= {"partials": "*fp64", "sums": "*fp64"}
        POINTERS |= {"found_inf": "*fp32", "grad_scale": "*fp32", "lr_pointer": "*fp32"}

        def ptx(kernel, capability, constants, absent):
            signature, values = {}, {}
            for parameter in kernel.params:
                name = parameter.name
                if name in constants or name in absent:
                    signature[name], values[(parameter.num,)] = "constexpr", constants.get(name)
                else:
                    signature[name] = POINTERS.get(name) or parameter.annotation_type
            source = ASTSource(fn=kernel, signature=signature, constexprs=values)
            target = GPUTarget("cuda", capability, 32)
            return triton.compile(source, target=target, options={"num_warps": kernels.WARPS}).asm["ptx"]

        for stored, wide in ((tl.float32, "v4.b32"), (tl.bfloat16, "v2.b32"), (tl.float64, "v2.b64")):
            compute = tl.float64 if stored == tl.float64 else tl.float32
            common = dict(stored=stored, compute=compute, aligned=True, alpha_rule=kernels.NORM,
                          chunk=kernels.CHUNK, block=kernels.BLOCK)
            for capability in (80, 90):
                moments = dict(common, masking=kernels.ASYNC, maximize=False, finish=True)
                update = dict(common, sums_block=kernels.SUMS_BLOCK)
                for text in (
                    ptx(kernels.moments, capability, moments, ("found_inf", "grad_scale", "lr_pointer")),
                    ptx(kernels.moments, capability, dict(moments, finish=False), ()),
                    ptx(kernels.update, capability, update, ("found_inf", "sums", "lr_pointer")),
                    ptx(kernels.update, capability, update, ()),
                ):
                    assert "ld.global." + wide in text and "st.global." + wide in text, (stored, capability)
                    assert "atom" not in text and "red.global" not in text, "sums in no fixed order"
                    assert ".local" not in text, "registers do not suffice"
        """
    )
    environment = dict(os.environ)
    environment.pop("TRITON_INTERPRET", None)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_a_nan_that_the_mask_drops_is_loud_though_nothing_is_kept():
    for elements in (40, 200):  # one chunk, and several
        parameter = torch.nn.Parameter(torch.ones(elements))
        optimizer = AlphaAdam([parameter], fused=True)
        for value in (1.0, -1.0):
            parameter.grad = torch.full((elements,), value)
            if value < 0:
                parameter.grad[3] = torch.nan
            optimizer.step()
        assert parameter.isnan().all()
