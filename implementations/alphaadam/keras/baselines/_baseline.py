"""What the baselines have in common as Keras optimizers; a rule says what a variable keeps and how it moves."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from keras import ops

from alphaadam import _hyperparameters as checks
from alphaadam.keras import _inputs
from alphaadam.keras._optimizer import CheckedOptimizer
from alphaadam.keras._rule import bias_correction, compute_dtype

__all__ = ["Baseline", "MatrixBaseline", "Slot", "check_patterns"]


class Slot(NamedTuple):
    """What an optimizer keeps of a variable.

    Attributes:
        shape: Its shape.
        dtype: Its dtype.
        initializer: A Keras initializer, or its name.
    """

    shape: tuple[int, ...]
    dtype: str
    initializer: Any = "zeros"


class Baseline(CheckedOptimizer):
    """An optimizer whose variables are stepped one by one, by :meth:`_move`.

    Arithmetic and state are float32 for half-precision variables, else of the variable's dtype, and a variable is
    rounded once in each step.

    Subclasses define :meth:`_slots` and :meth:`_move`, and name their hyperparameters in ``_own``.
    """

    _own: ClassVar[tuple[str, ...]] = ()
    """Hyperparameters beside the learning rate and the weight decay, attributes of the optimizer."""

    def __init__(self, learning_rate: Any, weight_decay: float, name: str, **kwargs: Any) -> None:
        owner = type(self).__name__
        _inputs.check_arguments(kwargs, owner)
        learning_rate = _inputs.check_learning_rate(learning_rate, owner)
        checks.check_nonnegative("weight_decay", weight_decay, "0.1", owner)
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, name=name, **kwargs)

    @property
    def _owner(self) -> str:
        return type(self).__name__

    def _slots(self, variable: Any) -> Mapping[str, Slot]:
        """What is kept of a variable."""
        raise NotImplementedError

    def _move(
        self, theta: Any, gradient: Any, slots: Mapping[str, Any], step: Any, rate: Any, variable: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        """What is added to a variable, without weight decay, and what is kept of it. Nothing is assigned.

        Args:
            theta: The variable's value in the dtype of the arithmetic.
            gradient: Its gradient in the same dtype.
            slots: Values of what was kept, each of its own dtype.
            step: The number of this step, from 1, int32.
            rate: The learning rate in the dtype of the arithmetic.
            variable: The variable itself.
        """
        raise NotImplementedError

    def _decays_last(self, variable: Any) -> bool:
        """Whether weight decay shrinks the variable that the move has been added to, not the one before it."""
        return False

    def _decayed_part(self, decay: Any) -> Any:
        """The part of a variable that weight decay takes, given the learning rate times ``weight_decay``."""
        return decay

    def build(self, variables: list[Any]) -> None:
        """Create what is kept of ``variables``.

        Args:
            variables: The trainable variables of the model.

        Raises:
            TypeError: A variable is complex.
        """
        if self.built:
            return
        self._refuse_complex(variables)
        super().build(variables)
        self._kept: list[dict[str, Any]] = []
        for variable in variables:
            kept = {}
            for key, (shape, dtype, initializer) in self._slots(variable).items():
                like = tuple(shape) == tuple(variable.shape)  # sharded as the variable is
                kept[key] = self.add_variable(
                    shape=shape,
                    initializer=initializer,
                    dtype=dtype,
                    name=f"{variable.name}_{key}",
                    layout=getattr(variable, "_layout", None) if like else None,
                )
            self._kept.append(kept)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update ``variable`` and what is kept of it by one step of the rule.

        Args:
            gradient: Gradient of the variable, dense.
            variable: The variable to update.
            learning_rate: The learning rate of this step.
        """
        index = self._get_variable_index(variable)
        kept = self._kept[index]
        dtype = compute_dtype(variable)
        theta, rate = ops.cast(variable, dtype), ops.cast(learning_rate, dtype)
        step = ops.cast(self.iterations, "int32") + 1
        values = {key: ops.convert_to_tensor(slot) for key, slot in kept.items()}
        known = self._trainable_variables[index]  # TensorFlow passes its own variable, which has no path
        # In a graph TensorFlow does not know how many rows slices have that were made dense.
        gradient = ops.reshape(ops.cast(gradient, dtype), tuple(known.shape))
        move, updated = self._move(theta, gradient, values, step, rate, known)
        if self.weight_decay and self._use_weight_decay(variable):
            decaying = theta + move if self._decays_last(known) else theta
            move = move - self._decayed_part(rate * self.weight_decay) * decaying
        for key, value in updated.items():
            self.assign(kept[key], value)
        self.assign(variable, ops.cast(theta + move, variable.dtype))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, so that ``from_config`` makes the same optimizer without its state."""
        return {**super().get_config(), **{name: getattr(self, name) for name in self._own}}


class MatrixBaseline(Baseline):
    """A rule for matrices; every other variable gets AdamW with the same learning rate.

    Which variables are matrices to the rule is said as ``keras.optimizers.Muon`` has it said: those with two
    dimensions, but for embeddings, and for those whose path fits one of ``exclude_layers``.

    Subclasses define :meth:`_matrix_slots` and :meth:`_move_matrix`, as :meth:`_slots` and :meth:`_move`.
    """

    _own: ClassVar[tuple[str, ...]] = (
        "exclude_layers",
        "exclude_embeddings",
        "adamw_beta_1",
        "adamw_beta_2",
        "adamw_epsilon",
    )

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float,
        name: str,
        *,
        exclude_layers: list[str] | None,
        exclude_embeddings: bool,
        adamw_beta_1: float,
        adamw_beta_2: float,
        adamw_epsilon: float,
        **kwargs: Any,
    ) -> None:
        owner = type(self).__name__
        checks.check_flag("exclude_embeddings", exclude_embeddings, owner)
        check_patterns("exclude_layers", exclude_layers, owner)
        checks.check_beta("adamw_beta_1", adamw_beta_1, "0.9", owner)
        checks.check_beta("adamw_beta_2", adamw_beta_2, "0.999", owner)
        checks.check_nonnegative("adamw_epsilon", adamw_epsilon, "1e-8", owner)
        super().__init__(learning_rate, weight_decay, name, **kwargs)
        self.exclude_layers = list(exclude_layers or [])
        self.exclude_embeddings = exclude_embeddings
        self.adamw_beta_1 = adamw_beta_1
        self.adamw_beta_2 = adamw_beta_2
        self.adamw_epsilon = adamw_epsilon

    def takes(self, variable: Any) -> bool:
        """Whether the rule for matrices takes ``variable``; else AdamW does."""
        if len(variable.shape) != 2 or (self.exclude_embeddings and "embedding" in variable.path.lower()):
            return False
        return not any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def _matrix_slots(self, variable: Any) -> Mapping[str, Slot]:
        raise NotImplementedError

    def _move_matrix(
        self, theta: Any, gradient: Any, slots: Mapping[str, Any], step: Any, rate: Any, variable: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        raise NotImplementedError

    def _slots(self, variable: Any) -> Mapping[str, Slot]:
        return self._matrix_slots(variable) if self.takes(variable) else moments(variable)

    def _move(
        self, theta: Any, gradient: Any, slots: Mapping[str, Any], step: Any, rate: Any, variable: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        if self.takes(variable):
            return self._move_matrix(theta, gradient, slots, step, rate, variable)
        beta_1, beta_2, t = self.adamw_beta_1, self.adamw_beta_2, ops.cast(step, theta.dtype)
        m = beta_1 * slots["momentum"] + (1 - beta_1) * gradient
        v = beta_2 * slots["velocity"] + (1 - beta_2) * ops.square(gradient)
        root = ops.sqrt(v / bias_correction(beta_2, t)) + self.adamw_epsilon
        return -rate * (m / bias_correction(beta_1, t)) / root, {"momentum": m, "velocity": v}


def moments(variable: Any) -> dict[str, Slot]:
    """Adam's two moments."""
    slot = Slot(tuple(variable.shape), compute_dtype(variable))
    return {"momentum": slot, "velocity": slot}


def check_patterns(name: str, value: Any, owner: str) -> None:
    """Check a list of regular expressions, or None."""
    if isinstance(value, str) or not all(isinstance(item, str) for item in value or ()):
        raise TypeError(
            f"{owner}: {name}={value!r} is not valid. Pass a list of regular expressions that are searched for in the "
            f'paths of variables, for example {name}=["head"].'
        )
