"""AlphaAdam's mask and alpha around another Keras optimizer: what it does to a variable is masked and rescaled."""

import warnings
from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from alphaadam import _hyperparameters as checks
from alphaadam.keras import _inputs
from alphaadam.keras._alphaadam import AlphaAdam
from alphaadam.keras._optimizer import MaskedOptimizer
from alphaadam.keras._rule import compute_dtype, decide_mask, decide_strength
from alphaadam.keras.baselines import Adan

__all__ = ["AlphaMask"]

_OPTIMIZERS = keras.optimizers

_OF_KERAS = (_OPTIMIZERS.SGD, _OPTIMIZERS.Lion, _OPTIMIZERS.Adam, _OPTIMIZERS.Adamax, _OPTIMIZERS.RMSprop)

# Those whose momentum is known to gather the gradients, and SGD, whose velocity gathers them negated.
_SUPPORTED = (*_OF_KERAS, Adan)

_PUBLIC = (*_OF_KERAS, _OPTIMIZERS.AdamW)

# What every Keras optimizer does around its own step: done here instead, around the masked step.
_AROUND = (
    "learning_rate",
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)


@keras.saving.register_keras_serializable(package="alphaadam")
class AlphaMask(MaskedOptimizer):
    r"""AlphaAdam's mask and alpha around another Keras optimizer with a momentum.

    Where the inner optimizer would add :math:`d` to a variable :math:`\theta`, without weight decay, this one takes the
    step below. With the inner optimizer's momentum :math:`m` and the gradient :math:`g_t` after clipping:

    .. math::
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} + \alpha\,(A \odot d), \qquad
        A_i = 1 \text{ if } m_{t-1,i} = 0 \text{ or } m_{t-1,i}\, g_{t,i} > 0 \text{, else } 0

    Mask and :math:`\alpha` are :class:`AlphaAdam`'s. Learning rate, weight decay (and what was excluded from it),
    clipping, moving averages, accumulation and loss scale are taken over from the inner optimizer: assign
    ``learning_rate`` here. Weight decay is decoupled, neither masked nor rescaled. With ``masking="none", alpha=1.0``
    and no decay a step is the inner optimizer's own, bit for bit.

    The move :math:`d` is read from the variable, so it is known to half an ulp of the variable. A half-precision
    variable loses moves that are small beside it, as it does under the inner optimizer; alpha is computed in float32
    from what is left. During a step there is a copy of one variable and of its momentum.

    Args:
        inner: A new ``keras.optimizers.SGD`` or ``RMSprop`` with momentum, ``Lion``, ``Adam``, ``AdamW`` or ``Adamax``,
            or an ``alphaadam.keras.baselines.Adan``. It is copied, without state.
        masking: ``"async"`` masks by the momentum before this step and the gradient, ``"sync"`` by the momentum after
            it, ``"none"`` not at all.
        alpha: ``"norm"`` for ``min(||d|| / ||A*d||, alpha_max)``, ``"count"`` for ``min(n / sum(A), alpha_max)``, or
            a finite number > 0.
        alpha_max: Cap of the rule, finite and >= 1. None is the rule's own cap: 2 for ``"norm"``, 1000 for
            ``"count"``. With a number as ``alpha`` it must be None.
        record_diagnostics: Keep alpha and the mask of the last step, see :meth:`diagnostics`. They are variables of the
            optimizer, a byte for each element, and are not saved.
        name: As in every Keras optimizer.

    Attributes:
        inner: The copy of the inner optimizer, which has the momentum.

    Raises:
        TypeError: ``inner`` is no optimizer that can be wrapped, or a hyperparameter is of the wrong type.
        ValueError: ``inner`` has no momentum or has been used, or a hyperparameter is out of range.

    Source: Chang, Li and Yuan (2025), https://arxiv.org/abs/2501.18094, sections 3.2 and 4.4. The paper masks Adam;
    the form for other optimizers is this project's.

    Example:
        >>> import keras
        >>> from alphaadam.keras import AlphaMask
        >>> variable = keras.Variable([1.0, 1.0])
        >>> optimizer = AlphaMask(keras.optimizers.SGD(0.25, momentum=0.5))
        >>> optimizer.apply([keras.ops.array([1.0, 1.0])], [variable])
        >>> optimizer.apply([keras.ops.array([0.5, -0.5])], [variable])  # the second coordinate disagrees
        >>> print(variable.numpy())
        [0.5  0.75]
    """

    def __init__(
        self,
        inner: keras.optimizers.Optimizer,
        *,
        masking: str = "async",
        alpha: str | float = "norm",
        alpha_max: float | None = None,
        record_diagnostics: bool = False,
        name: str = "alpha_mask",
    ) -> None:
        _check_inner(inner)
        checks.check_masking(masking)
        checks.check_alpha(alpha, alpha_max)
        checks.check_flag("record_diagnostics", record_diagnostics)
        config = inner.get_config()
        around = {key: config[key] for key in _AROUND}
        around["learning_rate"] = _inputs.check_learning_rate(_rate(around["learning_rate"]))
        around["weight_decay"] = around["weight_decay"] or 0.0
        checks.check_nonnegative("weight_decay", around["weight_decay"], "0.01")
        super().__init__(name=name, **around)
        off = dict.fromkeys(_AROUND) | {"use_ema": False, "ema_momentum": 0.99, "weight_decay": 0.0}
        off["learning_rate"] = around["learning_rate"]  # which no step of the inner optimizer reads
        self.inner = type(inner).from_config({**config, **off})
        self.masking = masking
        self.alpha = alpha
        self.alpha_max = alpha_max
        self.record_diagnostics = record_diagnostics
        for excluded in ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern"):
            if hasattr(inner, excluded):
                setattr(self, excluded, getattr(inner, excluded))

    def build(self, variables: list[Any]) -> None:
        """Create the inner optimizer's variables, the momentum among them.

        Args:
            variables: The trainable variables of the model.

        Raises:
            TypeError: A variable is complex.
            ValueError: The inner optimizer does not keep one momentum for each variable.
        """
        if self.built:
            return
        self._refuse_complex(variables)
        self.inner.build(variables)
        # Places from the end, since Keras would take a list of variables for more variables of ours, and a schedule
        # that is assigned takes the learning rate out of the beginning.
        places = {id(variable): at - len(self.inner.variables) for at, variable in enumerate(self.inner.variables)}
        self._places = [m if m is None else places[id(m)] for m in _momenta(self.inner, variables)]
        super().build(variables)
        self._add_diagnostics(variables)

    @property
    def variables(self) -> list[Any]:
        """The optimizer's own variables, then those of the inner optimizer."""
        return [*super().variables, *self.inner.variables]

    def apply(self, grads: Iterable[Any], trainable_variables: Iterable[Any] | None = None) -> None:
        """Update variables by one step; arguments and errors are those of :meth:`AlphaAdam.apply`."""
        # Adam's bias correction reads it; there is one count of steps, ours.
        self.inner.iterations.assign(ops.cast(self.iterations, self.inner.iterations.dtype))
        super().apply(grads, trainable_variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Let the inner optimizer update ``variable`` and its momentum, then mask and rescale what it did.

        Args:
            gradient: Gradient of the variable, dense.
            variable: The variable to update.
            learning_rate: The learning rate of this step.
        """
        index = self._get_variable_index(variable)
        dtype = compute_dtype(variable)
        momentum = self.inner.variables[self._places[index]]
        before, old = _copy(variable), _copy(momentum)
        self.inner.update_step(gradient, variable, learning_rate)
        reached = ops.cast(_copy(variable), dtype)

        theta = ops.cast(before, dtype)
        move = reached - theta
        g = ops.cast(ops.cast(gradient, variable.dtype), dtype)  # rounded as the momentum sees it
        if isinstance(self.inner, _OPTIMIZERS.SGD):
            g = -g
        mask = decide_mask(self.masking, ops.cast(old, dtype), ops.cast(_copy(momentum), dtype), g)
        # 0, or NaN where the move is not finite: a mask hides no NaN, and alpha of an infinity is NaN.
        loud = move - move
        alpha = decide_strength(self.masking, self.alpha, self.alpha_max, mask, move + loud)
        masked = alpha * ops.where(mask, move, loud)
        decay = self.weight_decay if self._use_weight_decay(variable) else 0.0
        if decay:
            updated = theta * (1 - ops.cast(learning_rate, dtype) * decay) + masked
        else:
            # theta + (inner - theta) need not be inner, and where alpha changes nothing it should be.
            updated = ops.where(ops.logical_and(mask, alpha == 1), reached, theta + masked)
        self.assign(variable, ops.cast(updated, variable.dtype))
        if self.record_diagnostics:
            self.assign(self._alphas[index], alpha)
            self.assign(self._masks[index], mask)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, so that ``from_config`` makes the same optimizer without its state.

        The inner optimizer is in it with the learning rate, decay, clipping and so on that are in force here.
        """
        inner = keras.optimizers.serialize(self.inner)
        config = super().get_config()
        inner["config"] = {**inner["config"], **{key: config[key] for key in _AROUND}}
        for public in type(self.inner).__mro__:  # on PyTorch Keras makes a class of its own, unknown elsewhere
            if public in _PUBLIC and inner["class_name"] == public.__name__:
                inner.update(module="keras.optimizers", registered_name=None)
        own = ("masking", "alpha", "alpha_max", "record_diagnostics", "name")
        return {"inner": inner, **{name: getattr(self, name) for name in own}}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "AlphaMask":
        """Make an optimizer from what ``get_config`` returned.

        Args:
            config: It.
            custom_objects: Classes and functions by name that Keras would not find by itself.
        """
        config = dict(config)
        inner = keras.saving.deserialize_keras_object(config.pop("inner"), custom_objects=custom_objects)
        return cls(inner, **config)

    def load_own_variables(self, store: Any) -> None:
        """Load what ``save_own_variables`` wrote. An optimizer that is not built yet stays as it is, with a warning.

        Args:
            store: What ``save_own_variables`` wrote.

        Raises:
            ValueError: It has another number of variables or other shapes. Nothing is changed.
        """
        if not self.built or not len(store.keys()):
            warnings.warn(
                "AlphaMask: the state is not loaded, since "
                + ("there is none." if self.built else "the optimizer is not built. Call build first."),
                stacklevel=2,
            )
            return
        variables = self._saved_variables()
        shapes = [tuple(store[str(index)].shape) for index in range(len(store.keys()))]
        expected = [tuple(variable.shape) for variable in variables]
        if shapes != expected:
            raise ValueError(
                f"AlphaMask: the saved state has arrays of shapes {shapes}, this optimizer {expected}. Load a state of "
                "AlphaMask with the same options and the same model, or start with a fresh one: "
                "model.load_weights(path, skip_mismatch=True) leaves the optimizer as it is."
            )
        for index, variable in enumerate(variables):
            variable.assign(store[str(index)])


def _check_inner(inner: Any) -> None:
    if isinstance(inner, AlphaAdam | AlphaMask):
        raise TypeError(
            f"AlphaMask: {type(inner).__name__} masks by itself. Set its own masking, alpha and alpha_max instead."
        )
    if isinstance(inner, _OPTIMIZERS.LossScaleOptimizer):
        raise TypeError(
            "AlphaMask: a LossScaleOptimizer belongs outside. Write LossScaleOptimizer(AlphaMask(inner)); with the "
            "policy mixed_float16, model.compile does."
        )
    if not isinstance(inner, _SUPPORTED):
        what = type(inner).__name__ if isinstance(inner, _OPTIMIZERS.Optimizer) else repr(inner)
        raise TypeError(
            f"AlphaMask: {what} is no optimizer that can be wrapped. Pass an instance of keras.optimizers.SGD or "
            "RMSprop with momentum, Lion, Adam, AdamW or Adamax, or alphaadam.keras.baselines.Adan, for example "
            "AlphaMask(keras.optimizers.SGD(0.1, momentum=0.9))."
        )
    if isinstance(inner, _OPTIMIZERS.SGD | _OPTIMIZERS.RMSprop) and not inner.momentum > 0:
        raise ValueError(
            f"AlphaMask: {type(inner).__name__} keeps no momentum, where momentum={inner.momentum!r}, and without one "
            "there is nothing to mask by. Set momentum to 0.9, for example."
        )
    if inner.built:
        raise ValueError(
            f"AlphaMask: this {type(inner).__name__} has been built, and its state would be lost. Pass a new one; to "
            "go on from its state, build the AlphaMask and assign the variables of its inner."
        )


def _rate(saved: Any) -> Any:
    """A learning rate from an optimizer's configuration: a number, or a schedule or callable."""
    if not isinstance(saved, dict):
        return saved
    try:
        return keras.saving.deserialize_keras_object(saved)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "AlphaMask: the inner optimizer's learning rate cannot be taken over, since Keras cannot make it from its "
            "configuration. Register it with keras.saving.register_keras_serializable, or give the inner optimizer a "
            "number and assign the rate to the learning_rate of the AlphaMask."
        ) from error


def _momenta(inner: keras.optimizers.Optimizer, variables: list[Any]) -> list[Any]:
    """The momentum of each variable; None for one that Keras overwrites with its gradient."""
    stepped = [variable for variable in variables if not getattr(variable, "overwrite_with_gradient", False)]
    found = [variable for variable in inner.variables if variable.name.endswith("_momentum")]
    if [tuple(m.shape) for m in found] != [tuple(variable.shape) for variable in stepped]:
        raise ValueError(
            f"AlphaMask: {type(inner).__name__} does not keep one momentum for each variable: it has "
            f"{[variable.name for variable in found]}. Wrap an optimizer that does, for example "
            "keras.optimizers.SGD(0.1, momentum=0.9)."
        )
    momenta = iter(found)
    return [None if getattr(v, "overwrite_with_gradient", False) else next(momenta) for v in variables]


def _copy(variable: Any) -> Any:
    """The variable's value, which stays what it is when the variable is assigned."""
    if keras.backend.backend() == "torch":  # which assigns in place
        return variable.value.detach().clone()
    value = ops.convert_to_tensor(variable)
    return ops.copy(value) if keras.backend.backend() == "tensorflow" else value  # there it is the variable still
