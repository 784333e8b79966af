"""GaLore: Adam in the space of the gradient's leading singular vectors."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import ops

from alphaadam import _hyperparameters as checks
from alphaadam.keras._rule import bias_correction, compute_dtype
from alphaadam.keras.baselines._baseline import MatrixBaseline, Slot
from alphaadam.keras.baselines._subspaces import align, is_due, is_wide, lift, project, singular_vectors

__all__ = ["GaLore"]


@keras.saving.register_keras_serializable(package="alphaadam")
class GaLore(MatrixBaseline):
    r"""Adam in the space of the gradient's leading singular vectors, whose moments are as small as that space.

    For a matrix with fewer rows than columns, and :math:`P` the ``rank`` leading left singular vectors of :math:`g_t`,
    which are computed anew at the first step and every ``update_proj_gap`` steps after it:

    .. math::
        m_t = \beta_1 m_{t-1} + (1 - \beta_1) P^\top g_t, \qquad
        v_t = \beta_2 v_{t-1} + (1 - \beta_2) (P^\top g_t)^2, \\
        \theta_t = (1 - \eta\lambda) \left(\theta_{t-1} - \eta s \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t}\,
            P\, \frac{m_t}{\sqrt{v_t} + \epsilon}\right)

    For any other matrix :math:`P` is the right singular vectors, and multiplies from the right. A new singular vector
    has the sign that makes its inner product with the one before it positive, since the momentum is carried along it.
    Variables that are not matrices, embeddings, and variables that ``exclude_layers`` names, which should be those of
    the output layer, get AdamW with the same rate and weight decay.

    State of a matrix: ``rank`` times its smaller side and twice its larger side. A step costs two products with the
    basis; a new basis costs a singular value decomposition, in the steps that need it alone. With TensorFlow compile
    the model with ``jit_compile=False``: XLA's decomposition takes seconds for a side of 128 and grows with the cube of
    it.

    Args:
        learning_rate: A number, finite and >= 0, a ``keras.optimizers.schedules.LearningRateSchedule``, or a callable
            without arguments.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment, before bias correction; finite and >= 0.
        weight_decay: Decoupled weight decay, finite and >= 0; of a matrix it follows the update.
        rank: Number of singular vectors, at least 1; of a matrix at most its smaller side.
        update_proj_gap: Steps from one basis to the next, at least 1.
        scale: Multiplies the update of a matrix, finite and > 0.
        exclude_layers: Regular expressions; a variable whose path fits one gets AdamW.
        exclude_embeddings: Whether variables with ``embedding`` in their path get AdamW.
        adamw_beta_1: AdamW's decay rate of the first moment, in [0, 1).
        adamw_beta_2: AdamW's decay rate of the second moment, in [0, 1).
        adamw_epsilon: Added to the root of AdamW's second moment, after bias correction; finite and >= 0.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name: As in every Keras optimizer.

    Raises:
        TypeError: A hyperparameter is of the wrong type.
        ValueError: A hyperparameter is out of range, or an argument is unknown.

    Source: Zhao et al. (2024), https://arxiv.org/abs/2403.03507, and its code, which counts the steps so. The choice of
    signs is ours: the paper makes none, and its code takes them as they come.

    Example:
        >>> import keras
        >>> from alphaadam.keras.baselines import GaLore
        >>> variable = keras.Variable([[1.0, 2.0], [3.0, 5.0]])
        >>> GaLore(learning_rate=0.1, rank=1).apply([2 * variable.value], [variable])
        >>> print(keras.ops.convert_to_numpy(variable).round(4))
        [[0.9873 1.9784]
         [2.9873 4.9784]]
    """

    _own: ClassVar[tuple[str, ...]] = (
        "beta_1",
        "beta_2",
        "epsilon",
        "rank",
        "update_proj_gap",
        "scale",
        *MatrixBaseline._own,
    )

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        weight_decay: float = 0.0,
        rank: int = 128,
        update_proj_gap: int = 200,
        scale: float = 0.25,
        exclude_layers: list[str] | None = None,
        exclude_embeddings: bool = True,
        adamw_beta_1: float = 0.9,
        adamw_beta_2: float = 0.999,
        adamw_epsilon: float = 1e-8,
        name: str = "galore",
        **kwargs: Any,
    ) -> None:
        checks.check_beta("beta_1", beta_1, "0.9", "GaLore")
        checks.check_beta("beta_2", beta_2, "0.999", "GaLore")
        checks.check_nonnegative("epsilon", epsilon, "1e-6", "GaLore")
        checks.check_count("rank", rank, "128", "GaLore")
        checks.check_count("update_proj_gap", update_proj_gap, "200", "GaLore")
        checks.check_positive("scale", scale, "0.25", "GaLore")
        super().__init__(
            learning_rate,
            weight_decay,
            name,
            exclude_layers=exclude_layers,
            exclude_embeddings=exclude_embeddings,
            adamw_beta_1=adamw_beta_1,
            adamw_beta_2=adamw_beta_2,
            adamw_epsilon=adamw_epsilon,
            **kwargs,
        )
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.rank = rank
        self.update_proj_gap = update_proj_gap
        self.scale = scale

    def _decays_last(self, variable: Any) -> bool:
        return self.takes(variable)

    def _matrix_slots(self, variable: Any) -> Mapping[str, Slot]:
        rank, dtype = min(self.rank, *variable.shape), compute_dtype(variable)
        moment = Slot((rank, variable.shape[1]) if is_wide(variable.shape) else (variable.shape[0], rank), dtype)
        return {"momentum": moment, "velocity": moment, "basis": Slot((min(variable.shape), rank), dtype)}

    def _move_matrix(
        self, theta: Any, gradient: Any, slots: Mapping[str, Any], step: Any, rate: Any, variable: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        wide, t = is_wide(variable.shape), ops.cast(step, theta.dtype)
        before = slots["basis"]
        basis = ops.cond(
            is_due(before, gradient, ops.equal((step - 1) % self.update_proj_gap, 0)),
            lambda: align(singular_vectors(gradient, before.shape[1]), before),
            lambda: before,
        )
        seen = project(gradient, basis, wide)
        m = self.beta_1 * slots["momentum"] + (1 - self.beta_1) * seen
        v = self.beta_2 * slots["velocity"] + (1 - self.beta_2) * ops.square(seen)
        ratio = m / (ops.sqrt(v) + self.epsilon)
        correction = ops.sqrt(bias_correction(self.beta_2, t)) / bias_correction(self.beta_1, t)
        move = -rate * self.scale * correction * lift(ratio, basis, wide)
        return move, {"momentum": m, "velocity": v, "basis": basis}
