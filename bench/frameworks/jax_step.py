"""What `bench.speed` needs of JAX, with any optimizer: a step with donated buffers, a clock, what XLA made of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from bench import machine
from bench.hlo import read_hlo
from bench.paired import wall_seconds
from bench.speed.cells import Cell, NotMeasurableError

FLUSHED_BYTES = 256 * 2**20
"""Written on a GPU before each timed step, several times its L2 cache: a step begins with parameters in memory."""


class JaxStep:
    """A step on copies of given arrays; see `bench.speed.course.MeasuredStep`.

    Args:
        function: Makes new parameters and state from parameters, state and gradients.
        parameters: Initial values.
        state: The optimizer's.
        compiled: Whether it runs under `jax.jit`, its first two arguments donated, or operation by operation.
        device: Where it runs.
    """

    def __init__(
        self, function: Callable[..., tuple[Any, Any]], parameters: Any, state: Any, compiled: bool, device: jax.Device
    ) -> None:
        self._function: Callable[..., tuple[Any, Any]] = function
        self._jitted = jax.jit(function, donate_argnums=(0, 1)) if compiled else None
        self._parameters, self._state = jax.device_put((parameters, state), device, may_alias=False)
        self._gradients: Any = None

    def take(self, gradients: Any) -> None:
        """Gives the gradients of the next step."""
        self._gradients = gradients

    def run(self) -> None:
        """One step; returns when it is done."""
        made = (self._jitted or self._function)(self._parameters, self._state, self._gradients)
        self._parameters, self._state = jax.block_until_ready(made)

    def values(self) -> Iterator[npt.NDArray[Any]]:
        """The parameters."""
        return map(np.asarray, self._parameters)

    def state_bytes(self) -> int:
        """Bytes that the optimizer keeps from step to step."""
        return sum(leaf.nbytes for leaf in jax.tree.leaves(self._state))

    def inspect(self) -> dict[str, Any]:
        """What XLA says of the compiled step, or how far the process grows while it runs operation by operation.

        Returns:
            "transientBytes", what the step allocates for its own time, and "xla", what `bench.hlo.read_hlo` returns
            with "bytesAccessed" by XLA's cost analysis; or "transientResidentBytes", where the system tells.
        """
        if self._jitted is None:
            grown = None if self._device().platform != "cpu" else machine.resident_growth(self.run)
            return {} if grown is None else {"transientResidentBytes": grown}
        transient = self.transient_bytes()
        xla: dict[str, Any] = self._read_hlo()
        if accessed := (self._executable.cost_analysis() or {}).get("bytes accessed"):
            xla["bytesAccessed"] = round(accessed)
        return {**({} if transient is None else {"transientBytes": transient}), "xla": xla}

    def kernels_per_step(self) -> int:
        """Kernels that a compiled step runs: fusions, calls of libraries and other instructions that do work."""
        return self._read_hlo()["kernels"]

    def transient_bytes(self) -> int | None:
        """What a compiled step allocates for its own time, by XLA's account; None where it gives none."""
        if (memory := self._executable.memory_analysis()) is None:
            return None
        # What is not written into donated buffers is allocated too, beside a pointer to each result.
        pointers = 8 * len(jax.tree.leaves((self._parameters, self._state)))
        fresh = memory.output_size_in_bytes - memory.alias_size_in_bytes - pointers
        return memory.temp_size_in_bytes + max(0, fresh)

    def _read_hlo(self) -> dict[str, int]:
        return read_hlo(self._executable.as_text() or "", {math.prod(leaf.shape) for leaf in self._parameters})

    @cached_property
    def _executable(self) -> Any:
        """What XLA compiled. Of a step that ran it is not compiled again: the jitted function has it."""
        if self._jitted is None:
            raise ValueError("a step that runs operation by operation is not one program; make it with compiled=True")
        gradients = self._parameters if self._gradients is None else self._gradients
        return self._jitted.lower(self._parameters, self._state, gradients).compile()

    def _device(self) -> jax.Device:
        (device,) = self._parameters[0].devices()
        return device


def device_of(cell: Cell) -> jax.Device:
    """The device of a cell.

    Raises:
        NotMeasurableError: It is not there, or JAX has not the type of its numbers.
    """
    if cell.dtype == "float64" and jnp.result_type(float) != np.float64:
        raise NotMeasurableError("JAX computes in float64 only where JAX_ENABLE_X64=1 is set")
    try:
        return jax.devices(cell.device)[0]
    except RuntimeError as error:
        raise NotMeasurableError(f"JAX {jax.__version__} finds no device {cell.device!r} on this machine") from error


def dtype_of(cell: Cell) -> np.dtype:
    """NumPy's type of a cell's numbers."""
    return jnp.dtype(cell.dtype)


def gradients_on(device: jax.Device) -> Callable[[Sequence[npt.NDArray[Any]]], list[jax.Array]]:
    """Makes JAX's arrays of NumPy's; on a CPU they may share memory."""
    return lambda values: jax.block_until_ready(jax.device_put(list(values), device))


def clock_on(device: jax.Device) -> Callable[[Callable[[], object]], float]:
    """Measures a call until it returns; on a GPU it begins with an idle device and a cold L2 cache."""
    if device.platform == "cpu":
        return wall_seconds
    ballast = jax.device_put(np.zeros(FLUSHED_BYTES // 4, np.float32), device)
    flush = jax.jit(lambda array: array + 1)

    def seconds(run: Callable[[], object]) -> float:
        jax.block_until_ready(flush(ballast))
        return wall_seconds(run)

    return seconds


def estimated_bytes(cell: Cell, steps: int, dtype: np.dtype) -> float:
    """About what a cell needs: of each step parameters and moments, the gradients and what they are cut from, and some
    temporaries, on the safe side."""
    temporaries = 4 if cell.variant.endswith("-jit") else 10
    return cell.parameters() * (dtype.itemsize * (3 * steps + 2) + 4 + temporaries * max(4, dtype.itemsize))


def available_bytes(device: jax.Device) -> float:
    """Memory that can still be allocated; infinite where nothing says."""
    if device.platform == "cpu":
        return machine.available_bytes()
    statistics = device.memory_stats() or {}
    return statistics.get("bytes_limit", math.inf) - statistics.get("bytes_in_use", 0)


def devices() -> tuple[str, ...]:
    """The devices that are here."""
    return ("cpu", "cuda") if any(device.platform in ("cuda", "gpu") for device in jax.devices()) else ("cpu",)


def set_threads(number: int) -> None:
    """JAX makes as many threads as the process has cores, when it is first used."""
    machine.use_cores(number)


def hardware(device: str) -> dict[str, Any]:
    """What the figures depend on beside code and versions."""
    return {
        "device": machine.processor() if device == "cpu" else jax.devices(device)[0].device_kind,
        "system": machine.system(),
        "cores": machine.cores(),
        "threads": machine.cores(),
    }
