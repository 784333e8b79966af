"""The fused step on a GPU: what Triton compiles.

One program handles one chunk of one tensor; a launch covers the chunks of all tensors, found through a table of
addresses. :func:`moments` updates the moments, writes a mask bit per element and each chunk's sums of what the mask
keeps and drops; a tensor of one chunk it finishes at once, from cache. :func:`update` adds up a tensor's sums, always
in the same order and without atomics, so that every run gives the same bits, and updates the parameters.

Arithmetic is float32, or float64 for float64 tensors, with square roots and divisions rounded as IEEE says; scalars
and sums are float64. Hyperparameters arrive as float64, and never as constants: a schedule recompiles nothing.
"""

import triton
import triton.language as tl

CHUNK = 32768  # elements of a program
BLOCK = 1024  # of which so many at a time: 4 for each of 256 threads
WARPS = 8
SUMS_BLOCK = 256  # chunk sums that are added at a time

# Columns of the table of tensors.
PARAM, GRAD, EXP_AVG, EXP_AVG_SQ, STEP, SIZE, FIRST_CHUNK, COLUMNS = (tl.constexpr(i) for i in range(8))
ASYNC, SYNC, NONE = (tl.constexpr(i) for i in range(3))
FIXED, NORM, COUNT = (tl.constexpr(i) for i in range(3))


@triton.jit
def _agree(a, b):
    return ((a > 0) & (b > 0)) | ((a < 0) & (b < 0))


@triton.jit
def _root(x):
    if x.dtype == tl.float32:
        return tl.sqrt_rn(x)
    else:
        return tl.sqrt(x)


@triton.jit
def _quotient(x, y):
    if x.dtype == tl.float32:
        return tl.div_rn(x, y)
    else:
        return x / y


@triton.jit
def _pointer(entry, column: tl.constexpr, stored: tl.constexpr, aligned: tl.constexpr):
    pointer = tl.load(entry + column).to(tl.pointer_type(stored))
    if aligned:  # so that 16 bytes are loaded at a time
        pointer = tl.multiple_of(pointer, 16)
    return pointer


@triton.jit
def _size(entry, found_inf):
    """Elements to step: none if a gradient overflowed."""
    size = tl.load(entry + SIZE)
    if found_inf is not None:
        size = tl.where(tl.load(found_inf) != 0, 0, size)
    return size


@triton.jit
def _factors(entry, lr, log_beta1, log_beta2, eps):
    """eps and the factor of A*u in ``u' = m / (sqrt(v) + eps')``, from which both bias corrections are taken out."""
    t = tl.load(tl.load(entry + STEP).to(tl.pointer_type(tl.float32))).to(tl.float64)
    root = tl.sqrt(1 - tl.exp(t * _double(log_beta2)))
    return _double(eps) * root, -lr * root / (1 - tl.exp(t * _double(log_beta1)))


@triton.jit
def _rate(lr, lr_pointer):
    if lr_pointer is not None:
        return tl.load(lr_pointer).to(tl.float64)
    else:
        return _double(lr)


@triton.jit
def _double(x):
    """A scalar argument as a float64: Triton's interpreter passes Python's floats on as they are."""
    return tl.full([], x, tl.float64)


@triton.jit
def _strength(kept, dropped, cap, alpha_rule: tl.constexpr):
    """Alpha, as ``_settings.strengths`` has it."""
    ratio = (kept + dropped) / tl.where(kept == 0, 1.0, kept)
    if alpha_rule == NORM:
        ratio = tl.sqrt(ratio)
    ratio = tl.where(ratio > cap, _double(cap), ratio)  # a NaN stays
    limit = tl.where(dropped > 0, _double(cap), dropped)  # a NaN stays here, too
    return tl.where(kept == 0, tl.where(dropped == 0, 1.0, limit), ratio)


@triton.jit
def _read(pointer, i, inside, whole: tl.constexpr, compute: tl.constexpr):
    """Elements in the type of the arithmetic; without a comparison where all are there, so that loads are wide."""
    if whole:
        return tl.load(pointer + i).to(compute)
    else:
        return tl.load(pointer + i, inside, 0).to(compute)


@triton.jit
def _write(pointer, i, values, inside, whole: tl.constexpr):
    if whole:
        tl.store(pointer + i, values)
    else:
        tl.store(pointer + i, values, inside)


@triton.jit
def _update_block(theta, m, v, bits, i, at, inside, eps, factor, decay, compute: tl.constexpr, whole: tl.constexpr):
    mi = _read(m, i, inside, whole, compute)
    vi = _read(v, i, inside, whole, compute)
    bit = (_read(bits, at // 8, inside, whole, tl.int32) >> (at % 8)) & 1
    # A*u is a product: a NaN stays loud where the mask is 0.
    masked = tl.where(bit != 0, mi, mi - mi)
    step = factor.to(compute) * _quotient(masked, _root(vi) + eps.to(compute))
    new = decay.to(compute) * _read(theta, i, inside, whole, compute) + step
    _write(theta, i, new.to(theta.dtype.element_ty), inside, whole)


@triton.jit
def _update_chunk(
    entry, start, size, bits, eps, factor, decay,
    stored: tl.constexpr, compute: tl.constexpr, aligned: tl.constexpr, chunk: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    theta = _pointer(entry, PARAM, stored, aligned)
    m = _pointer(entry, EXP_AVG, stored, aligned)
    v = _pointer(entry, EXP_AVG_SQ, stored, aligned)
    for offset in range(0, chunk, block):
        at = offset + tl.arange(0, block)
        i = start + at
        if start + offset + block <= size:
            _update_block(theta, m, v, bits, i, at, i < size, eps, factor, decay, compute, True)
        elif start + offset < size:
            _update_block(theta, m, v, bits, i, at, i < size, eps, factor, decay, compute, False)


@triton.jit
def _moments_block(
    g, m, v, bits, i, offset, size, start, grad_scale, beta1, beta2, eps,
    compute: tl.constexpr, masking: tl.constexpr, alpha_rule: tl.constexpr, maximize: tl.constexpr,
    block: tl.constexpr, whole: tl.constexpr,
):  # fmt: skip
    """Update the moments of a block; write its mask; return, by element, what the mask keeps and drops."""
    stored: tl.constexpr = m.dtype.element_ty
    inside = i < size
    gi = _read(g, i, inside, whole, compute)
    if grad_scale is not None:
        # As GradScaler.unscale_ has it: the reciprocal is rounded to float32.
        unscaled = (gi * (1.0 / tl.load(grad_scale).to(tl.float64)).to(tl.float32)).to(stored)
        _write(g, i, unscaled, inside, whole)
        gi = unscaled.to(compute)
    if maximize:
        gi = -gi
    mi = _read(m, i, inside, whole, compute)
    vi = _read(v, i, inside, whole, compute)
    mask = inside
    if masking == ASYNC:
        mask = mask & (_agree(mi, gi) | (mi == 0))
    # As torch.lerp: from the nearer end, or a gradient far smaller than the moment that it replaces would lose digits.
    weight = 1 - _double(beta1)
    from_gradient = weight >= 0.5
    weight = tl.where(from_gradient, weight - 1, weight).to(compute)
    stored_m = (tl.where(from_gradient, gi, mi) + weight * (gi - mi)).to(stored)
    stored_v = (_double(beta2).to(compute) * vi + (1 - _double(beta2)).to(compute) * gi * gi).to(stored)
    _write(m, i, stored_m, inside, whole)
    _write(v, i, stored_v, inside, whole)
    mi = stored_m.to(compute)
    if masking == SYNC:
        mask = mask & _agree(mi, gi)
    # Eight mask bits make a byte, the lowest first.
    eights = tl.reshape(mask.to(tl.int32), [block // 8, 8]) << tl.arange(0, 8)[None, :]
    byte = tl.arange(0, block // 8)
    _write(bits, offset // 8 + byte, tl.sum(eights, axis=1).to(tl.uint8), start + offset + byte * 8 < size, whole)
    if alpha_rule == NORM:
        value = _quotient(mi, _root(stored_v.to(compute)) + eps.to(compute)).to(tl.float64)
        value = value * value
    else:
        value = tl.full([block], 1.0, tl.float64)
    return tl.where(mask, value, 0.0), tl.where(mask | (i >= size), 0.0, value)


@triton.jit
def moments(
    table, tensor_of, bits, partials, found_inf, grad_scale, lr_pointer,
    lr: tl.float64, beta1: tl.float64, beta2: tl.float64, log_beta1: tl.float64, log_beta2: tl.float64,
    eps: tl.float64, weight_decay: tl.float64, fixed_alpha: tl.float64, cap: tl.float64,
    stored: tl.constexpr, compute: tl.constexpr, aligned: tl.constexpr, masking: tl.constexpr,
    alpha_rule: tl.constexpr, maximize: tl.constexpr, finish: tl.constexpr, chunk: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """Phase 1, on every chunk; the whole step where ``finish`` and alpha needs no other chunk."""
    program = tl.program_id(0).to(tl.int64)
    entry = table + tl.load(tensor_of + program).to(tl.int64) * COLUMNS
    size = _size(entry, found_inf)
    start = (program - tl.load(entry + FIRST_CHUNK)) * chunk
    own_bits = bits + program * (chunk // 8)
    g = _pointer(entry, GRAD, stored, aligned)
    m = _pointer(entry, EXP_AVG, stored, aligned)
    v = _pointer(entry, EXP_AVG_SQ, stored, aligned)
    rate = _rate(lr, lr_pointer)
    eps_root, factor = _factors(entry, rate, log_beta1, log_beta2, eps)
    kept = tl.zeros([block], tl.float64)
    dropped = tl.zeros([block], tl.float64)
    for offset in range(0, chunk, block):
        i = start + offset + tl.arange(0, block)
        if start + offset + block <= size:
            k, d = _moments_block(
                g, m, v, own_bits, i, offset, size, start, grad_scale, beta1, beta2, eps_root,
                compute, masking, alpha_rule, maximize, block, True,
            )  # fmt: skip
            kept += k
            dropped += d
        elif start + offset < size:
            k, d = _moments_block(
                g, m, v, own_bits, i, offset, size, start, grad_scale, beta1, beta2, eps_root,
                compute, masking, alpha_rule, maximize, block, False,
            )  # fmt: skip
            kept += k
            dropped += d
    kept_sum = tl.sum(kept)
    dropped_sum = tl.sum(dropped)
    if finish and (alpha_rule == FIXED or size <= chunk):
        if alpha_rule == FIXED:
            alpha = _double(fixed_alpha)
        else:
            alpha = _strength(kept_sum, dropped_sum, cap, alpha_rule)
        tl.debug_barrier()  # other threads wrote the mask's bytes
        decay = 1 - rate * weight_decay
        _update_chunk(
            entry, start, size, own_bits, eps_root, factor * alpha, decay, stored, compute, aligned, chunk, block
        )
    elif alpha_rule != FIXED:
        tl.store(partials + 2 * program, kept_sum)
        tl.store(partials + 2 * program + 1, dropped_sum)


@triton.jit
def _add_up(partials, first, count, sums_block: tl.constexpr):
    kept = tl.zeros([sums_block], tl.float64)
    dropped = tl.zeros([sums_block], tl.float64)
    for offset in range(0, count, sums_block):
        i = offset + tl.arange(0, sums_block)
        kept += tl.load(partials + 2 * (first + i), i < count, 0.0)
        dropped += tl.load(partials + 2 * (first + i) + 1, i < count, 0.0)
    return tl.sum(kept), tl.sum(dropped)


@triton.jit
def add_up(table, partials, sums, chunk: tl.constexpr, sums_block: tl.constexpr):
    """Each tensor's sums, for those whose shards are on other devices as well."""
    row = tl.program_id(0).to(tl.int64)
    entry = table + row * COLUMNS
    count = (tl.load(entry + SIZE) + chunk - 1) // chunk
    kept, dropped = _add_up(partials, tl.load(entry + FIRST_CHUNK), count, sums_block)
    tl.store(sums + 2 * row, kept)
    tl.store(sums + 2 * row + 1, dropped)


@triton.jit
def update(
    table, tensor_of, chunks_to_update, bits, partials, sums, found_inf, lr_pointer,
    lr: tl.float64, log_beta1: tl.float64, log_beta2: tl.float64,
    eps: tl.float64, weight_decay: tl.float64, fixed_alpha: tl.float64, cap: tl.float64,
    stored: tl.constexpr, compute: tl.constexpr, aligned: tl.constexpr, alpha_rule: tl.constexpr,
    chunk: tl.constexpr, block: tl.constexpr, sums_block: tl.constexpr,
):  # fmt: skip
    """Phase 2, on the listed chunks, the last first: what phase 1 touched last may still be in the cache."""
    program = tl.load(chunks_to_update + tl.num_programs(0) - 1 - tl.program_id(0)).to(tl.int64)
    row = tl.load(tensor_of + program).to(tl.int64)
    entry = table + row * COLUMNS
    size = _size(entry, found_inf)
    first = tl.load(entry + FIRST_CHUNK)
    rate = _rate(lr, lr_pointer)
    eps_root, factor = _factors(entry, rate, log_beta1, log_beta2, eps)
    if alpha_rule == FIXED:
        alpha = _double(fixed_alpha)
    elif sums is not None:
        alpha = _strength(tl.load(sums + 2 * row), tl.load(sums + 2 * row + 1), cap, alpha_rule)
    else:
        kept, dropped = _add_up(partials, first, (tl.load(entry + SIZE) + chunk - 1) // chunk, sums_block)
        alpha = _strength(kept, dropped, cap, alpha_rule)
    start = (program - first) * chunk
    decay = 1 - rate * weight_decay
    own_bits = bits + program * (chunk // 8)
    _update_chunk(entry, start, size, own_bits, eps_root, factor * alpha, decay, stored, compute, aligned, chunk, block)
