"""Adam-mini: Adam with one second moment for each block of a variable."""

import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import ops

from alphaadam import _hyperparameters as checks
from alphaadam._blocks import Partition, check_blocks, partition_of
from alphaadam.keras._rule import bias_correction, compute_dtype
from alphaadam.keras.baselines._baseline import Baseline, Slot

__all__ = ["AdamMini"]


@keras.saving.register_keras_serializable(package="alphaadam")
class AdamMini(Baseline):
    r"""Adam with one second moment for each block of a variable: 4 bytes of state per parameter instead of 8.

    .. math::
        v_t = \beta_2 v_{t-1} + (1 - \beta_2)\, \mathrm{mean}(g_t^2) \quad \text{of each block}, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} -
            \eta\, \frac{m_t / (1 - \beta_1^t)}{\sqrt{v_t / (1 - \beta_2^t)} + \epsilon}

    It takes every variable. How one is partitioned is said by ``blocks``, from regular expressions that are searched
    for in the paths of variables, of which the first that is found counts, to partitions:

    - None: the variable is one block, as each that no expression fits. The authors have that for norms, and for
      networks that are no Transformers.
    - ``(axis, size)``: runs of ``size`` indices of an axis. ``(0, 1)`` is one block per row: the token's of an
      ``Embedding``, an element's of a vector, which is Adam. ``(1, 1)`` is one per output neuron of a ``Dense`` kernel,
      and ``(1, head_width)`` one per head, which queries and keys must have.
    - ``(axis, [(length, size), ...])``: parts of an axis with runs of their own. A kernel of queries, keys and values
      side by side is ``(1, [(2 * width, head_width), (width, 1)])``.

    Training of a Transformer with one block per variable may be unstable, as the authors found.

    Args:
        learning_rate: A number, finite and >= 0, a ``keras.optimizers.schedules.LearningRateSchedule``, or a callable
            without arguments.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment after bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        blocks: The partitions, see above; None makes each variable one block. Lengths add up to the axis, each a
            multiple of its size.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name: As in every Keras optimizer.

    Raises:
        TypeError: A hyperparameter is of the wrong type.
        ValueError: A hyperparameter is out of range, an argument is unknown, or when the state is made, a partition
            does not fit its variable, or an expression none.

    Source: Zhang et al. (2024), https://arxiv.org/abs/2406.16793.

    Example:
        >>> import keras
        >>> from alphaadam.keras.baselines import AdamMini
        >>> kernel = keras.Variable([[1.0, -2.0], [3.0, 4.0]], name="kernel")
        >>> optimizer = AdamMini(learning_rate=0.1, blocks={"kernel": (1, 1)})
        >>> optimizer.apply([2 * keras.ops.ones((2, 2))], [kernel])
        >>> print(kernel.numpy()[0].round(4), tuple(optimizer.variables[3].shape))
        [ 0.9 -2.1] (2,)
    """

    _own: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "epsilon", "blocks")

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        blocks: Mapping[str, Any] | None = None,
        name: str = "adam_mini",
        **kwargs: Any,
    ) -> None:
        checks.check_beta("beta_1", beta_1, "0.9", "AdamMini")
        checks.check_beta("beta_2", beta_2, "0.999", "AdamMini")
        checks.check_nonnegative("epsilon", epsilon, "1e-8", "AdamMini")
        if blocks is not None and not isinstance(blocks, Mapping):
            raise TypeError(
                f"AdamMini: blocks={blocks!r} is not valid. Pass a dict from regular expressions that are searched for "
                'in the paths of variables to partitions, for example blocks={"embeddings": (0, 1), "kernel": (1, 1)}.'
            )
        for own in (blocks or {}).values():
            check_blocks(own, "AdamMini")
        super().__init__(learning_rate, weight_decay, name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        # Lists, as they come back from a saved model.
        self.blocks = None if blocks is None else {pattern: _listed(own) for pattern, own in blocks.items()}

    def build(self, variables: list[Any]) -> None:
        """Create what is kept of ``variables``.

        Args:
            variables: The trainable variables of the model.

        Raises:
            TypeError: A variable is complex.
            ValueError: A partition does not fit its variable, or an expression fits none.
        """
        if not self.built:
            for pattern in self.blocks or {}:
                if not any(re.search(pattern, variable.path) for variable in variables):
                    paths = ", ".join(repr(variable.path) for variable in variables)
                    raise ValueError(
                        f"AdamMini: the expression {pattern!r} of blocks fits no variable. Choose among the paths "
                        f"{paths}."
                    )
        super().build(variables)

    def _partition(self, variable: Any) -> Partition | None:
        blocks = next((own for pattern, own in (self.blocks or {}).items() if re.search(pattern, variable.path)), None)
        return partition_of(blocks, tuple(variable.shape), "AdamMini", variable.path)

    def _slots(self, variable: Any) -> Mapping[str, Slot]:
        partition, dtype = self._partition(variable), compute_dtype(variable)
        return {
            "momentum": Slot(tuple(variable.shape), dtype),
            "velocity": Slot(() if partition is None else (partition.blocks,), dtype),
        }

    def _move(
        self, theta: Any, gradient: Any, slots: Mapping[str, Any], step: Any, rate: Any, variable: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        t, partition = ops.cast(step, theta.dtype), self._partition(variable)
        m = self.beta_1 * slots["momentum"] + (1 - self.beta_1) * gradient
        v = self.beta_2 * slots["velocity"] + (1 - self.beta_2) * _means(ops.square(gradient), partition)
        root = ops.sqrt(v / bias_correction(self.beta_2, t)) + self.epsilon
        move = -rate * (m / bias_correction(self.beta_1, t)) / _spread(root, partition, len(variable.shape))
        return move, {"momentum": m, "velocity": v}


def _means(x: Any, partition: Partition | None) -> Any:
    """The mean of each block. Sums, since ``ops.mean`` computes in float32 on JAX, of float64 too."""
    if partition is None:
        return ops.sum(x) / max(1, math.prod(x.shape))
    others = tuple(axis for axis in range(len(x.shape)) if axis != partition.axis)
    line = ops.sum(x, axis=others) if others else x
    across = math.prod(x.shape[axis] for axis in others)
    means, start = [], 0
    for number, size in partition.runs:
        part = ops.reshape(line[start : start + number * size], (number, size))
        means.append(ops.sum(part, axis=1) / (size * across))
        start += number * size
    return ops.concatenate(means)


def _spread(values: Any, partition: Partition | None, dimensions: int) -> Any:
    """Values of blocks in a shape that broadcasts over the variable."""
    if partition is None:
        return values
    parts, start = [], 0
    for number, size in partition.runs:
        parts.append(ops.repeat(values[start : start + number], size))
        start += number
    return ops.reshape(ops.concatenate(parts), [-1 if axis == partition.axis else 1 for axis in range(dimensions)])


def _listed(value: Any) -> Any:
    return [_listed(item) for item in value] if isinstance(value, tuple | list) else value
