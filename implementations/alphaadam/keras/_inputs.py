"""What a user hands to the optimizer, and one clear error for each thing that it may not be."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from alphaadam import _hyperparameters as checks

__all__ = ["check_arguments", "check_learning_rate", "check_state", "dense_gradients", "rate_of_this_step"]

#: What other libraries call Keras' arguments, and what AdamW has that AlphaAdam has not.
_OTHER_NAMES = {
    "lr": "learning_rate",
    "betas": "beta_1 and beta_2",
    "beta1": "beta_1",
    "beta2": "beta_2",
    "b1": "beta_1",
    "b2": "beta_2",
    "eps": "epsilon",
    "decay": "weight_decay",
    "wd": "weight_decay",
    "mask": "masking",
}


def check_arguments(names: Mapping[str, Any], owner: str = "AlphaAdam") -> None:
    """Check that no keyword is another library's name for one of ours; Keras refuses every other unknown one.

    Raises:
        ValueError: One is.
    """
    for name in names:
        if name in _OTHER_NAMES:
            raise ValueError(f"{owner}: unknown argument {name!r}. In Keras it is {_OTHER_NAMES[name]}.")


def check_learning_rate(value: Any, owner: str = "AlphaAdam") -> Any:
    """Check a learning rate that was given to the constructor or assigned.

    Of a schedule, the rate of the first step is looked at. A callable is called by each step alone. A scalar that is
    being traced has no value yet and is taken as it is.

    Returns:
        The same; a number as a float, the only kind of number that Keras takes.

    Raises:
        TypeError: It is no number, scalar, schedule or callable.
        ValueError: It is negative or not finite, or a schedule begins with such a rate.
    """
    if checks.is_number(value):
        checks.check_nonnegative("learning_rate", value, "1e-3", owner)
        return float(value)
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        rate_of_this_step(value, value(ops.zeros((), dtype="int32")), 0, owner)
        return value
    if callable(value):
        return value
    if _is_scalar(value):
        number = number_of(value)
        if number is not None:
            checks.check_nonnegative("learning_rate", number, "1e-3", owner)
        return value if number is None else number
    checks.check_nonnegative("learning_rate", value, "1e-3", owner)  # raises: it is none of these
    return value


def rate_of_this_step(source: Any, value: Any, iterations: Any, owner: str = "AlphaAdam") -> Any:
    """Check what a schedule or a callable returned for a step, where that is known before the step is carried out.

    Args:
        source: The schedule or callable.
        value: What it returned.
        iterations: The optimizer's count.

    Returns:
        The value.

    Raises:
        ValueError: It is negative or not finite.
    """
    number = number_of(value)
    if number is not None and not (math.isfinite(number) and number >= 0):
        at = number_of(iterations)
        when = "" if at is None else f" at iteration {at:.0f}"
        raise ValueError(
            f"{owner}: the learning rate is {number!r}{when}, as {_name(source)} returned it. Let it return a finite "
            "number >= 0."
        )
    return value


def number_of(value: Any) -> float | None:
    """A scalar as the host knows it; None while it is traced, and on a GPU, for which the host would have to wait."""
    if keras.backend.backend() == "torch":
        from alphaadam.keras import _torch

        if not _torch.is_at_hand(value):
            return None
    try:
        return float(value)
    except TypeError:  # as JAX and TensorFlow answer for what they trace
        return None


def dense_gradients(gradients: Sequence[Any], variables: Sequence[Any], owner: str = "AlphaAdam") -> list[Any]:
    """Gradients as dense tensors, one for each variable, None where there is none.

    An embedding's gradient is IndexedSlices on TensorFlow. Dense before Keras clips it, since Keras squares the slices
    of a row that occurs twice one by one, which is not the norm of the gradient.

    Raises:
        ValueError: There are more or fewer gradients than variables, or one has another shape than its variable.
    """
    if len(gradients) != len(variables):
        raise ValueError(
            f"{owner}: {len(gradients)} gradients for {len(variables)} variables. Pass one gradient for each "
            "variable, in the same order, and None where there is none."
        )
    dense = [None if gradient is None else _dense(gradient) for gradient in gradients]
    for gradient, variable in zip(dense, variables, strict=True):
        if gradient is not None and not _same_shape(gradient.shape, variable.shape):
            raise ValueError(
                f"{owner}: a gradient of shape {tuple(gradient.shape)} for the variable {path_of(variable)!r} of "
                f"shape {tuple(variable.shape)}. Pass the gradients in the order of their variables."
            )
    return dense


def check_state(store: Mapping[str, Any], variables: Sequence[Any], velocities: Sequence[Any]) -> None:
    """Check that a saved state is one of these variables. It has no names, only the order in which they were made.

    Args:
        store: Arrays by index, as ``save_own_variables`` wrote them.
        variables: The optimizer's, in the order of the indices.
        velocities: Those of them that are second moments.

    Raises:
        ValueError: It is not; nothing was changed.
    """
    advice = (
        "Load a state of AlphaAdam or keras.optimizers.AdamW with the same options and the same model, or start with a "
        "fresh one: model.load_weights(path, skip_mismatch=True) leaves the optimizer as it is."
    )
    if len(store.keys()) != len(variables):
        raise ValueError(
            f"AlphaAdam: the saved state has {len(store.keys())} variables, this optimizer {len(variables)}: two for "
            "each variable of the model, the iteration, the learning rate unless it is a schedule, and one more for "
            "each of the model with use_ema and with gradient_accumulation_steps. A LossScaleOptimizer around it has "
            f"four of its own: to load a model that was saved with one, set the policy mixed_float16 first. {advice}"
        )
    second = {id(velocity) for velocity in velocities}
    for index, variable in enumerate(variables):
        saved = store[str(index)]
        if tuple(saved.shape) != tuple(variable.shape):
            raise ValueError(
                f"AlphaAdam: the saved state has an array of shape {tuple(saved.shape)} for {path_of(variable)!r} of "
                f"shape {tuple(variable.shape)}. {advice}"
            )
        if id(variable) in second and (np.asarray(saved) < 0).any():
            raise ValueError(
                f"AlphaAdam: the saved state has negative numbers for {path_of(variable)!r}, a mean of squares: it was "
                f"saved by another optimizer. {advice}"
            )


def path_of(variable: Any) -> str:
    """A variable's name in messages; TensorFlow's own variables have no path."""
    name: str = getattr(variable, "path", None) or variable.name
    return name


def _dense(gradient: Any) -> Any:
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        return tensorflow.convert_to_tensor(gradient)
    if keras.backend.backend() == "torch" and ops.is_tensor(gradient):
        return gradient  # not to the current device, where Keras would move it
    return ops.convert_to_tensor(gradient, sparse=False)


def _is_scalar(value: Any) -> bool:
    """Whether it is a Keras variable, tensor or array without dimensions, or with one element as Keras' own."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and math.prod(tuple(value.shape)) == 1


def _same_shape(one: Any, other: Any) -> bool:
    """Whether two shapes agree as far as they are known; in a TensorFlow graph they may not be."""
    if getattr(one, "rank", 0) is None:
        return True
    one, other = tuple(one), tuple(other)
    return len(one) == len(other) and all(a == b or a is None for a, b in zip(one, other, strict=True))


def _name(source: Any) -> str:
    return getattr(source, "__name__", None) or type(source).__name__
