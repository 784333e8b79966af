"""AlphaAdam as a Keras optimizer, written once in ``keras.ops`` for every backend."""

import math
from typing import Any, NamedTuple

import keras
from keras import ops

from alphaadam import _hyperparameters as checks


class StepDiagnostics(NamedTuple):
    """What the last step decided for one variable.

    Attributes:
        alpha: The strength, a scalar Keras variable, float32 (float64 for float64 variables).
        mask: The mask, a bool Keras variable of the variable's shape.
    """

    alpha: Any
    mask: Any


@keras.saving.register_keras_serializable(package="alphaadam")
class AlphaAdam(keras.optimizers.Optimizer):
    r"""AdamW whose update is masked per coordinate and rescaled per variable.

    For each variable :math:`\theta` with gradient :math:`g_t` and Adam's direction
    :math:`u = \hat m_t / (\sqrt{\hat v_t} + \epsilon)`:

    .. math::
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} - \eta\,\alpha\,(A \odot u), \qquad
        A_i = 1 \text{ if } m_{t-1,i} = 0 \text{ or } m_{t-1,i}\, g_{t,i} > 0 \text{, else } 0

    With ``masking="none", alpha=1.0`` this is AdamW, with ``masking="sync", alpha="count"`` Cautious AdamW.

    ``epsilon`` is added after bias correction, as in PyTorch and Optax. Keras' own Adam adds it before ("epsilon
    hat"), which at step t acts like ours divided by ``sqrt(1 - beta_2**t)``: 32 times larger at step 1.

    The optimizer's variables are those of ``keras.optimizers.AdamW`` in the same order, so its saved state continues
    here, and back. Half-precision variables are computed in float32 and rounded once when stored.

    Args:
        learning_rate: A number, finite and >= 0, a ``keras.optimizers.schedules.LearningRateSchedule``, or a callable
            without arguments.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment after bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0; it reaches every coordinate, masked or not. Variables
            named in ``exclude_from_weight_decay`` are left alone.
        masking: ``"async"`` masks by the moment before this step and the gradient, ``"sync"`` by the moment after it,
            ``"none"`` not at all.
        alpha: ``"norm"`` for ``min(||u|| / ||A*u||, alpha_max)``, ``"count"`` for ``min(n / sum(A), alpha_max)``, or
            a finite number > 0.
        alpha_max: Cap of the rule, finite and >= 1. None is the rule's own cap: 2 for ``"norm"``, 1000 for
            ``"count"``. With a number as ``alpha`` it must be None.
        record_diagnostics: Keep alpha and the mask of the last step, see :meth:`diagnostics`. They are optimizer
            variables, and are saved with the others.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name: As in every Keras optimizer.

    Raises:
        TypeError: A hyperparameter is of the wrong type.
        ValueError: A hyperparameter is out of range, or an argument is unknown.

    Source: Chang, Li and Yuan (2025), https://arxiv.org/abs/2501.18094, sections 3.2 and 4.4, appendices C, E and F.

    Example:
        >>> import keras
        >>> from alphaadam.keras import AlphaAdam
        >>> variable = keras.Variable([1.0, 1.0])
        >>> optimizer = AlphaAdam(learning_rate=0.1, weight_decay=0.0)
        >>> optimizer.apply([keras.ops.array([1.0, 1.0])], [variable])
        >>> optimizer.apply([keras.ops.array([1.0, -1.0])], [variable])  # the second coordinate disagrees
        >>> print(variable.numpy().round(4))
        [0.7999 0.9   ]
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
        masking: str = "async",
        alpha: str | float = "norm",
        alpha_max: float | None = None,
        record_diagnostics: bool = False,
        name: str = "alphaadam",
        **kwargs: Any,
    ) -> None:
        if checks.is_number(learning_rate) or not (callable(learning_rate) or ops.is_tensor(learning_rate)):
            checks.check_nonnegative("learning_rate", learning_rate, "1e-3")
        checks.check_beta("beta_1", beta_1, "0.9")
        checks.check_beta("beta_2", beta_2, "0.999")
        checks.check_nonnegative("epsilon", epsilon, "1e-8")
        checks.check_nonnegative("weight_decay", weight_decay, "0.01")
        checks.check_masking(masking)
        checks.check_alpha(alpha, alpha_max)
        checks.check_flag("record_diagnostics", record_diagnostics)
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, name=name, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.masking = masking
        self.alpha = alpha
        self.alpha_max = alpha_max
        self.record_diagnostics = record_diagnostics

    def build(self, variables: list[Any]) -> None:
        """Create the moments of ``variables``.

        Args:
            variables: The trainable variables of the model.

        Raises:
            TypeError: A variable is complex.
        """
        if self.built:
            return
        for variable in variables:
            if "complex" in keras.backend.standardize_dtype(variable.dtype):
                raise TypeError(
                    f"AlphaAdam: variable {variable.path!r} of dtype {variable.dtype} is not supported. Optimize its "
                    "real and imaginary parts as two real variables."
                )
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        if self.record_diagnostics:
            self._alphas = [
                self.add_variable(shape=(), initializer="ones", dtype=_compute_dtype(variable), name="alpha")
                for variable in variables
            ]
            self._masks = [
                self.add_variable(shape=variable.shape, initializer="ones", dtype="bool", name="mask")
                for variable in variables
            ]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update ``variable`` and its moments by one step of the rule.

        Args:
            gradient: Gradient of the variable; IndexedSlices are made dense.
            variable: The variable to update.
            learning_rate: The learning rate of this step.
        """
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        dtype = _compute_dtype(variable)
        g = ops.cast(_dense(gradient), dtype)
        lr = ops.cast(learning_rate, dtype)
        step = ops.cast(self.iterations + 1, dtype)

        old_m = ops.cast(momentum, dtype)
        new_m = self.beta_1 * old_m + (1 - self.beta_1) * g
        new_v = self.beta_2 * ops.cast(velocity, dtype) + (1 - self.beta_2) * ops.square(g)
        # What follows sees the moments as they are stored. The mask needs the old one, so both are cast first.
        m = ops.cast(ops.cast(new_m, momentum.dtype), dtype)
        v = ops.cast(ops.cast(new_v, velocity.dtype), dtype)
        u = (m / _bias_correction(self.beta_1, step)) / (
            ops.sqrt(v / _bias_correction(self.beta_2, step)) + self.epsilon
        )
        mask = self._mask(old_m, m, g)
        strength = self._strength(mask, u)
        # The IEEE product of mask and u, which keeps a NaN loud where the mask is 0: u - u is 0, or NaN. XLA would turn
        # a multiplication by the mask into a selection that hides it.
        masked_u = ops.where(mask, u, u - u)

        decayed = ops.cast(variable, dtype)
        if self._use_weight_decay(variable):
            decayed = decayed * (1 - lr * self.weight_decay)
        self.assign(momentum, new_m)
        self.assign(velocity, new_v)
        self.assign(variable, ops.cast(decayed - lr * strength * masked_u, variable.dtype))
        if self.record_diagnostics:
            self.assign(self._alphas[index], strength)
            self.assign(self._masks[index], mask)

    def diagnostics(self, variable: Any) -> StepDiagnostics:
        """Return what the last step decided for ``variable``.

        Args:
            variable: A variable that this optimizer trains.

        Raises:
            RuntimeError: The optimizer was made without ``record_diagnostics=True``, or has no variables yet.
        """
        if not (self.record_diagnostics and self.built):
            raise RuntimeError(
                "AlphaAdam: no diagnostics are kept. Pass record_diagnostics=True to AlphaAdam and take a step first."
            )
        index = self._get_variable_index(variable)
        return StepDiagnostics(self._alphas[index], self._masks[index])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, so that ``from_config`` makes the same optimizer without its state."""
        own = ("beta_1", "beta_2", "epsilon", "masking", "alpha", "alpha_max", "record_diagnostics")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """Keras decays all variables before the update; ``update_step`` does it, in one rounding less."""

    def _mask(self, old_m: Any, m: Any, g: Any) -> Any:
        """The mask, decided from signs: the float product of two small numbers underflows to 0 where its sign is +."""
        if self.masking == "none":
            return ops.ones(ops.shape(g), dtype="bool")
        if self.masking == "sync":
            return ops.sign(m) * ops.sign(g) > 0
        return ops.logical_or(old_m == 0, ops.sign(old_m) * ops.sign(g) > 0)

    def _strength(self, mask: Any, u: Any) -> Any:
        """Alpha as a scalar of the compute dtype."""
        size = math.prod(u.shape)
        if not isinstance(self.alpha, str):
            return ops.cast(self.alpha, u.dtype)
        one = ops.ones((), dtype=u.dtype)
        if self.masking == "none" or size == 0:
            return one
        if self.alpha == "count":
            # Counted in integers: float32 cannot count past 2^24.
            ratio = size / ops.cast(ops.sum(ops.cast(mask, "int32")), u.dtype)
        else:
            # ||u|| / ||A*u|| from the squares that the mask keeps and drops: exactly 1 if it drops none, never less.
            # Every backend sums as a tree. The squares underflow where |u| is below about 1e-19; alpha is then 1.
            squares = ops.square(u)
            zero = ops.zeros((), dtype=u.dtype)
            kept = ops.sum(ops.where(mask, squares, zero))
            dropped = ops.sum(ops.where(mask, zero, squares))
            ratio = ops.where(kept + dropped == 0, one, ops.sqrt(1 + dropped / kept))
        cap = ops.cast(checks.alpha_cap(self.alpha, self.alpha_max), u.dtype)
        # Not ops.minimum, which returns float32 for float64 on the PyTorch backend. A NaN is above no cap and stays.
        return ops.where(ratio > cap, cap, ratio)


def _bias_correction(beta: float, step: Any) -> Any:
    """``1 - beta**step`` without the cancellation that costs float32 a hundred ulp at the first steps."""
    return -ops.expm1(step * (math.log(beta) if beta > 0 else -math.inf))


def _dense(gradient: Any) -> Any:
    """An embedding's gradient is IndexedSlices on TensorFlow, and ``keras.ops`` would keep it sparse."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow

        return tensorflow.convert_to_tensor(gradient)
    return ops.convert_to_tensor(gradient, sparse=False)


def _compute_dtype(variable: Any) -> str:
    dtype: str = keras.backend.standardize_dtype(variable.dtype)
    return "float32" if dtype in ("float16", "bfloat16") else dtype
