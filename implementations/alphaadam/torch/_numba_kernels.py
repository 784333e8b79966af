"""The fused step on a CPU: what Numba compiles.

All threads run :func:`run` at once, over one table of tensors. A large tensor is divided among them by chunks; each
thread updates the moments of its chunks, publishes their sums, waits for the others' sums, and updates the parameters
of its own chunks in reverse order, so that it meets what it touched last while that is in its cache. A small tensor
belongs to one thread alone. Sums are kept by chunk and added up in order: no result depends on the number of threads.

Between the phases a mask takes one bit per element. Arithmetic is float32, or float64 for float64 tensors; bfloat16
(as uint16) and float16 (as int16) are widened when read and rounded when written. Compiled with the fast-math flags
that let a loop become vector instructions (reassociation of the sums within a block, contraction, signless zeros),
and not with those that would let NaN and infinity be ignored.
"""

import math
import sys

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.extending import intrinsic, overload

BLOCK = 1024  # elements of one vectorised loop: the bytes of their mask stay in the first-level cache
CHUNK = 8 * BLOCK  # elements that are summed together, and the smallest share of a tensor; a multiple of 32
RUN = 16  # chunks that are updated in the order of memory, as the processor expects, before those in front of them
WHOLE = 4 * CHUNK  # tensors up to here are one thread's: waiting for one another would cost more

# Columns of the table of tensors; addresses in bytes.
PARAM, GRAD, EXP_AVG, EXP_AVG_SQ, SIZE, FIRST_PARTIAL, MASK, OWNER, COLUMNS = range(9)
# Columns of the table of factors, which depend on the tensor's step.
EPS, FACTOR, FACTORS = range(3)
# Rules of masking, phases.
ASYNC, SYNC, NONE = range(3)
MOMENTS, UPDATE, BOTH = 1, 2, 3

SPINS = 20_000  # looks at another thread's progress, some 10 microseconds, before the core is offered to others

_jit = njit(nogil=True, cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
_offer_core = types.ExternalFunction("SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32())


@intrinsic
def _pointer(_context, address, like):
    """The address as a pointer to elements of the type of ``like``."""

    def code(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(like)(address, like), code


@intrinsic
def _publish(_context, address, value):
    """Store an int64 so that who sees it sees everything stored before it."""

    def code(_, builder, __, arguments):
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        builder.store_atomic(arguments[1], pointer, "release", 8)

    return types.void(types.int64, types.int64), code


@intrinsic
def _look(_context, address):
    """Load an int64 that another thread publishes."""

    def code(_, builder, __, arguments):
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(types.int64), code


def _bitwise(source, target, convert):
    @intrinsic
    def converted(_context, value):
        return target(source), lambda _, builder, __, arguments: convert(builder, arguments[0])

    return converted


_float_of_bits = _bitwise(types.uint32, types.float32, lambda b, x: b.bitcast(x, ir.FloatType()))
_bits_of_float = _bitwise(types.float32, types.uint32, lambda b, x: b.bitcast(x, ir.IntType(32)))
_float_of_half = _bitwise(types.int16, types.float32, lambda b, x: b.fpext(b.bitcast(x, ir.HalfType()), ir.FloatType()))
_half_of_float = _bitwise(
    types.float32, types.int16, lambda b, x: b.bitcast(b.fptrunc(x, ir.HalfType()), ir.IntType(16))
)


def _widen(x):
    """What a stored element is in arithmetic."""


def _narrow(x, like):
    """A result as it is stored in elements of the type of ``like``."""


def _compute(x, one):
    """A float64 in the type of the arithmetic, which is that of ``one``."""


@overload(_compute)
def _(x, one):
    if one == types.float32:
        return lambda x, one: np.float32(x)
    return lambda x, one: x


@overload(_widen)
def _(x):
    if x == types.uint16:
        return lambda x: _float_of_bits(np.uint32(x) << np.uint32(16))
    if x == types.int16:
        return lambda x: _float_of_half(x)
    return lambda x: x


@overload(_narrow)
def _(x, like):
    if like == types.uint16:

        def to_bfloat16(x, like):  # to nearest, ties to even; a NaN must not be carried into infinity
            bits = _bits_of_float(x)
            rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
            return np.uint16(rounded) if x == x else np.uint16(0x7FC0)

        return to_bfloat16
    if like == types.int16:
        return lambda x, like: _half_of_float(x)
    return lambda x, like: x


@_jit
def advance(addresses, betas, lr, weight_eps, factors):
    """Add 1 to each float32 step at ``addresses``; write each tensor's factors of the update.

    With u' = m / (sqrt(v) + eps'), eps' = eps * sqrt(1 - beta2**t), the update is ``factor * alpha * A*u'``,
    factor = -lr * sqrt(1 - beta2**t) / (1 - beta1**t): one multiplication less for each element.
    """
    for row in range(len(addresses)):
        count = carray(_pointer(addresses[row], np.float32(0)), 1)
        count[0] += np.float32(1)
        t = np.float64(count[0])
        root = math.sqrt(1 - math.pow(betas[1], t))
        factors[row, EPS] = weight_eps * root
        factors[row, FACTOR] = -lr * root / (1 - math.pow(betas[0], t))


@_jit
def run(thread, threads, phases, table, factors, hyperparameters, like, one, partials, alphas, masks, progress):
    """One thread's part of a step.

    Args:
        thread: From 0.
        threads: How many run this at the same time; they wait for one another.
        phases: ``MOMENTS``, ``UPDATE`` or ``BOTH``.
        table: int64 ``[tensors, COLUMNS]``.
        factors: float64 ``[tensors, FACTORS]``.
        hyperparameters: Hyperparameters of the whole group: ``(rule, sign of the gradient, factor by which it is to be
            scaled where it is stored, 1 - beta1, beta2, 1 - beta2, decay, whether alpha is measured, whether it is
            counted, its cap)``.
        like: A scalar of the type of the elements.
        one: 1 in the type of the arithmetic.
        partials: float64 ``[chunks, 2]``: sums of what the mask keeps and drops.
        alphas: float64 ``[tensors]``: read if phases is ``UPDATE`` or alpha is not measured.
        masks: uint8: each thread's own part if phases is ``BOTH``, else found by the table's column.
        progress: int64 ``[threads, 8]``, zero: how many tensors each thread has measured, a cache line each.
    """
    measured, counted, cap = hyperparameters[7], hyperparameters[8], hyperparameters[9]
    own = masks[thread * (len(masks) // threads) :]
    for row in range(len(table)):
        size = table[row, SIZE]
        chunks = (size + CHUNK - 1) // CHUNK
        shared = size > WHOLE
        if not shared and table[row, OWNER] != thread:
            continue
        low = chunks * thread // threads if shared else 0
        high = chunks * (thread + 1) // threads if shared else chunks
        first = table[row, FIRST_PARTIAL]
        eps = _compute(factors[row, EPS], one)
        if phases == BOTH:
            mask, base = own, low
        else:
            mask, base = masks[table[row, MASK] :], 0

        if measured or phases != BOTH:
            if phases & MOMENTS:
                _moments(table[row], low, high, like, one, eps, hyperparameters, partials[first:], mask, base)
            if phases == MOMENTS:
                continue
            if phases == BOTH:
                if shared:
                    _wait_for_all(thread, threads, row + 1, progress)
                alpha = _strength(partials, first, chunks, counted, cap)
            else:
                alpha = alphas[row]
            factor = factors[row, FACTOR] * alpha
            for end in range(high, low, -RUN):
                _update(table[row], max(end - RUN, low), end, like, one, eps, hyperparameters, factor, mask, base)
        else:  # nothing to wait for: each chunk is finished while it is in the cache
            factor = factors[row, FACTOR] * alphas[row]
            for chunk in range(low, high):
                _moments(table[row], chunk, chunk + 1, like, one, eps, hyperparameters, partials[first:], mask, base)
                _update(table[row], chunk, chunk + 1, like, one, eps, hyperparameters, factor, mask, base)


@_jit
def _moments(tensor, low, high, like, one, eps, hyperparameters, partials, mask, base):
    """Update the moments of the chunks from ``low`` to ``high``; write their mask and sums.

    The bits of ``mask`` begin with chunk ``base``.
    """
    rule, sign, scale, one_minus_beta1, beta2, one_minus_beta2, _, measured, counted, _ = hyperparameters
    size = tensor[SIZE]
    g = carray(_pointer(tensor[GRAD], like), size)
    m = carray(_pointer(tensor[EXP_AVG], like), size)
    v = carray(_pointer(tensor[EXP_AVG_SQ], like), size)
    words = np.zeros(BLOCK // 8, np.uint64)  # the bytes behind the last element, too, must be 0 or 1
    flags = words.view(np.uint8)
    squares = measured and not counted
    store = scale != 1
    sign, scale, zero = _compute(sign, one), _compute(scale, one), _compute(0.0, one)
    b2, c2 = _compute(beta2, one), _compute(one_minus_beta2, one)
    # As torch.lerp: from the nearer end, or a gradient far smaller than the moment that it replaces would lose digits.
    from_gradient = one_minus_beta1 >= 0.5
    c1 = _compute(one_minus_beta1 - 1 if from_gradient else one_minus_beta1, one)
    for begin in range(low * CHUNK, min(high * CHUNK, size), BLOCK):
        length = min(BLOCK, size - begin)
        gb, mb, vb = g[begin : begin + length], m[begin : begin + length], v[begin : begin + length]
        if store:
            for i in range(length):
                gb[i] = _narrow(scale * _widen(gb[i]), like)
        k = 0.0
        d = 0.0
        for i in range(length):
            gi = sign * _widen(gb[i])
            mi = _widen(mb[i])
            if rule == ASYNC:
                flag = ((mi > zero) & (gi > zero)) | ((mi < zero) & (gi < zero)) | (mi == zero)
            else:
                flag = True
            stored_m = _narrow((gi if from_gradient else mi) + c1 * (gi - mi), like)
            stored_v = _narrow(b2 * _widen(vb[i]) + c2 * gi * gi, like)
            mb[i] = stored_m
            vb[i] = stored_v
            mi = _widen(stored_m)
            if rule == SYNC:
                flag = ((mi > zero) & (gi > zero)) | ((mi < zero) & (gi < zero))
            flags[i] = flag
            if squares:
                u = mi / (math.sqrt(_widen(stored_v)) + eps)
                square = np.float64(u)
                square *= square
                kept_square = square if flag else 0.0
                dropped_square = 0.0 if flag else square
                k += kept_square
                d += dropped_square
        if counted:
            for i in range(length):
                k += flags[i]
            d = length - k
        chunk = begin // CHUNK
        if begin % CHUNK == 0:
            partials[chunk, 0] = 0
            partials[chunk, 1] = 0
        partials[chunk, 0] += k
        partials[chunk, 1] += d
        bits = mask[(begin - base * CHUNK) // 8 :]
        for i in range((length + 7) // 8):  # the lowest bits of eight bytes, gathered in the highest byte
            bits[i] = np.uint8((words[i] * np.uint64(0x0102040810204080)) >> np.uint64(56))


@_jit
def _update(tensor, low, high, like, one, eps, hyperparameters, factor, mask, base):
    """Update the parameters of the chunks from ``low`` to ``high``."""
    start, end = low * CHUNK, min(high * CHUNK, tensor[SIZE])
    bits = mask[(low - base) * CHUNK // 8 :]
    size = tensor[SIZE]
    p = carray(_pointer(tensor[PARAM], like), size)
    m = carray(_pointer(tensor[EXP_AVG], like), size)
    v = carray(_pointer(tensor[EXP_AVG_SQ], like), size)
    decay = _compute(hyperparameters[6], one)
    f = _compute(factor, one)
    words = bits[: (end - start) // 32 * 4].view(np.uint32)
    for k in range(len(words)):
        begin = start + 32 * k
        word = words[k]
        pb, mb, vb = p[begin : begin + 32], m[begin : begin + 32], v[begin : begin + 32]
        for i in range(32):
            mi = _widen(mb[i])
            # A*u is a product: a NaN stays loud where the mask is 0.
            masked = mi if (word >> np.uint32(i)) & np.uint32(1) else mi - mi
            pb[i] = _narrow(decay * _widen(pb[i]) + f * (masked / (math.sqrt(_widen(vb[i])) + eps)), like)
    for i in range(start + 32 * len(words), end):
        mi = _widen(m[i])
        at = i - start
        masked = mi if (bits[at // 8] >> np.uint8(at % 8)) & np.uint8(1) else mi - mi
        p[i] = _narrow(decay * _widen(p[i]) + f * (masked / (math.sqrt(_widen(v[i])) + eps)), like)


@_jit
def add_up(partials, first_partials, sums):
    """Write each tensor's sums, of chunks ``first_partials[row]`` to ``first_partials[row + 1]``, in their order."""
    for row in range(len(sums)):
        sums[row, 0], sums[row, 1] = _add_up(partials, first_partials[row], first_partials[row + 1])


@_jit
def _add_up(partials, first, end):
    kept = 0.0
    dropped = 0.0
    for chunk in range(first, end):
        kept += partials[chunk, 0]
        dropped += partials[chunk, 1]
    return kept, dropped


@_jit
def _strength(partials, first, chunks, counted, cap):
    """Alpha, as ``_settings.strengths`` has it."""
    kept, dropped = _add_up(partials, first, first + chunks)
    if kept == 0:
        return 1.0 if dropped == 0 else cap if dropped > 0 else dropped  # a NaN stays
    ratio = (kept + dropped) / kept
    if not counted:
        ratio = math.sqrt(ratio)
    return cap if ratio > cap else ratio  # a NaN stays


@_jit
def _wait_for_all(thread, threads, done, progress):
    """Publish that this thread has measured ``done`` rows, and wait until all others have."""
    _publish(progress.ctypes.data + 64 * thread, done)
    for other in range(threads):
        looks = 0
        while _look(progress.ctypes.data + 64 * other) < done:
            looks += 1
            if looks % SPINS == 0:
                _offer_core()
