"""AlphaAdam as a Keras optimizer, with the step of each backend."""

from typing import Any

import keras

from alphaadam import _hyperparameters as checks
from alphaadam.keras import _inputs
from alphaadam.keras._optimizer import MaskedOptimizer
from alphaadam.keras._paths import update_tensor
from alphaadam.keras._rule import Hyperparameters

if keras.backend.backend() == "torch":
    from alphaadam.keras import _torch

__all__ = ["AlphaAdam"]


@keras.saving.register_keras_serializable(package="alphaadam")
class AlphaAdam(MaskedOptimizer):
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
    here, and back. Half-precision variables are computed in float32 and rounded once when stored; float16 variables
    keep no second moment for gradients below about 5e-3. A gradient that is not finite is never hidden by the mask:
    with ``alpha="norm"`` it makes its whole variable NaN, else its coordinate.

    On JAX the step is that of :mod:`alphaadam.optax`, on TensorFlow a function that XLA compiles (``keras.ops`` on
    other devices than CPUs). On PyTorch it is that of ``alphaadam.torch``: compiled kernels where Numba (CPU) or Triton
    (CUDA) is installed, else, and under ``torch.compile``, PyTorch's own operations. A variable that is sharded or
    mirrored over devices has one alpha, that of the whole variable.

    Args:
        learning_rate: A number, finite and >= 0, a ``keras.optimizers.schedules.LearningRateSchedule``, or a callable
            without arguments. A rate that is negative or not finite is refused where it can be seen: when it is given,
            for a schedule its first one, and in every step that is not compiled. A compiled step takes it as it is:
            NaN makes the variables NaN.
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
        record_diagnostics: Keep alpha and the mask of the last step, see :meth:`diagnostics`. They are variables of the
            optimizer, a byte for each element, and are not saved.
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
        _inputs.check_arguments(kwargs)
        learning_rate = _inputs.check_learning_rate(learning_rate)
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
        self._refuse_complex(variables)
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])
        self._add_diagnostics(variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update ``variable`` and its moments by one step of the rule.

        Args:
            gradient: Gradient of the variable, dense.
            variable: The variable to update.
            learning_rate: The learning rate of this step.
        """
        index = self._get_variable_index(variable)
        momentum, velocity = self._momentums[index], self._velocities[index]
        updated = update_tensor(
            variable,
            gradient,
            momentum,
            velocity,
            self.iterations + 1,
            learning_rate,
            self.weight_decay if self._use_weight_decay(variable) else 0.0,
            Hyperparameters(self.beta_1, self.beta_2, self.epsilon, self.masking, self.alpha, self.alpha_max),
        )
        self.assign(momentum, updated.momentum)
        self.assign(velocity, updated.velocity)
        self.assign(variable, updated.variable)
        if self.record_diagnostics:
            self.assign(self._alphas[index], updated.alpha)
            self.assign(self._masks[index], updated.mask)

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any) -> None:
        """All variables at once: on PyTorch by kernels in place, elsewhere by ``update_step`` one by one."""
        if keras.backend.backend() == "torch" and _torch.can_step(trainable_variables):
            _torch.step(self, grads, trainable_variables, learning_rate)
        else:
            super()._backend_update_step(grads, trainable_variables, learning_rate)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, so that ``from_config`` makes the same optimizer without its state."""
        own = ("beta_1", "beta_2", "epsilon", "masking", "alpha", "alpha_max", "record_diagnostics")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    def load_own_variables(self, store: Any) -> None:
        """Load a state of AlphaAdam or ``keras.optimizers.AdamW``, as Keras loads a model.

        An optimizer that is not built yet, or a file without an optimizer's state, leaves the optimizer as it is, with
        Keras' warning.

        Args:
            store: What ``save_own_variables`` wrote.

        Raises:
            ValueError: The state has another number of variables or other shapes, or was saved by another optimizer.
                Keras' files hold neither names nor the optimizer, so a state with the same shapes cannot be told from
                ours unless it has negative second moments. Nothing is changed.
        """
        if not self.built or not len(store.keys()):
            super().load_own_variables(store)
            return
        variables = self._saved_variables()
        _inputs.check_state(store, variables, self._velocities)
        for index, variable in enumerate(variables):
            variable.assign(store[str(index)])
