"""What the package's Keras optimizers have in common: inputs that are checked, and for those that mask diagnostics."""

from collections.abc import Iterable, MutableMapping
from typing import Any, NamedTuple

import keras

from alphaadam.keras import _inputs
from alphaadam.keras._rule import compute_dtype

__all__ = ["CheckedOptimizer", "MaskedOptimizer", "StepDiagnostics"]


class StepDiagnostics(NamedTuple):
    """What the last step decided for one variable.

    Attributes:
        alpha: The strength, a scalar Keras variable, float32 (float64 for float64 variables).
        mask: The mask, a bool Keras variable of the variable's shape.
    """

    alpha: Any
    mask: Any


class CheckedOptimizer(keras.optimizers.Optimizer):
    """A Keras optimizer whose learning rate and gradients are checked, and whose step itself decays."""

    @property
    def _owner(self) -> str:
        """How messages begin."""
        return "AlphaAdam"

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the next step. A number, a schedule or a callable may be assigned.

        Raises:
            TypeError: What is assigned is none of these, or a number in the place of a schedule.
            ValueError: It is negative or not finite, or a schedule returns such a rate.
        """
        rate = self._get_current_learning_rate()
        if rate is self._learning_rate:  # a variable, looked at when it was assigned
            return rate
        return _inputs.rate_of_this_step(self._learning_rate, rate, self._iterations, self._owner)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        keras.optimizers.Optimizer.learning_rate.fset(self, _inputs.check_learning_rate(value, self._owner))

    def apply(self, grads: Iterable[Any], trainable_variables: Iterable[Any] | None = None) -> None:
        """Update variables by one step.

        Args:
            grads: Gradients, one for each variable; None where there is none. TensorFlow's IndexedSlices are made
                dense.
            trainable_variables: The variables; None for all that the optimizer was built with.

        Raises:
            ValueError: Gradients and variables do not match, a variable is unknown to the built optimizer, or the
                learning rate is negative or not finite.
        """
        grads = list(grads)
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
            grads = _inputs.dense_gradients(grads, trainable_variables, self._owner)
        elif self.built and grads:
            grads = _inputs.dense_gradients(grads, self._trainable_variables, self._owner)
        super().apply(grads, trainable_variables)

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """Keras decays all variables before the update; the step itself does it."""

    def finalize_variable_values(self, var_list: list[Any]) -> None:
        """Put the moving averages, if they are kept, in the place of the variables; ``fit`` ends with it."""
        super().finalize_variable_values(var_list)
        if self.use_ema and keras.backend.backend() == "jax":
            # Keras leaves one buffer to both, which the first compiled step of another `fit` could not donate twice.
            for variable in var_list:
                variable.assign(keras.ops.copy(variable.value))

    def _refuse_complex(self, variables: list[Any]) -> None:
        for variable in variables:
            if "complex" in keras.backend.standardize_dtype(variable.dtype):
                raise TypeError(
                    f"{type(self).__name__}: variable {variable.path!r} of dtype {variable.dtype} is not supported. "
                    "Optimize its real and imaginary parts as two real variables."
                )


class MaskedOptimizer(CheckedOptimizer):
    """A Keras optimizer that masks: its subclasses have ``record_diagnostics`` and make the step."""

    def diagnostics(self, variable: Any) -> StepDiagnostics:
        """Return what the last step decided for ``variable``.

        Args:
            variable: A variable that this optimizer trains.

        Raises:
            RuntimeError: The optimizer was made without ``record_diagnostics=True``, or has no variables yet.
        """
        if not (self.record_diagnostics and self.built):
            name = type(self).__name__
            raise RuntimeError(
                f"{name}: no diagnostics are kept. Pass record_diagnostics=True to {name} and take a step first."
            )
        index = self._get_variable_index(variable)
        return StepDiagnostics(self._alphas[index], self._masks[index])

    def save_own_variables(self, store: MutableMapping[str, Any]) -> None:
        """Write the optimizer's own variables as Keras saves them, without diagnostics."""
        for index, variable in enumerate(self._saved_variables()):
            store[str(index)] = variable.numpy()

    def _add_diagnostics(self, variables: list[Any]) -> None:
        """Create what :meth:`diagnostics` reads; after the other variables, since it is not saved."""
        if self.record_diagnostics:
            self._alphas = [
                self.add_variable(shape=(), initializer="ones", dtype=compute_dtype(variable), name="alpha")
                for variable in variables
            ]
            self._masks = [
                self.add_variable(
                    shape=variable.shape,
                    initializer="ones",
                    dtype="bool",
                    layout=getattr(variable, "_layout", None),
                    name="mask",
                )
                for variable in variables
            ]

    def _saved_variables(self) -> list[Any]:
        """The optimizer's own variables but the diagnostics, which come last."""
        diagnostics = 2 * len(self._alphas) if self.built and self.record_diagnostics else 0
        variables: list[Any] = super().variables
        return variables[: len(variables) - diagnostics]
