"""LDAdam: Adam in a subspace that turns in every step."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
from keras import ops

from alphaadam import _hyperparameters as checks
from alphaadam.keras._rule import bias_correction, compute_dtype
from alphaadam.keras.baselines._baseline import MatrixBaseline, Slot
from alphaadam.keras.baselines._subspaces import singular_vectors

__all__ = ["LDAdam"]


@keras.saving.register_keras_serializable(package="alphaadam")
class LDAdam(MatrixBaseline):
    r"""Adam on matrices projected to a few dimensions, whose subspace one power iteration turns in every step.

    For a matrix :math:`p \times q`, :math:`p \le q`, with :math:`P` of :math:`p \times r` and orthonormal columns:

    .. math::
        A &= G_t + E_{t-1}, \qquad \hat M = M_{t-1} / (1 - \beta_1^{t-1}), \qquad
            \hat V = V_{t-1} / (1 - \beta_2^{t-1}) \\
        B &= \rho P_{t-1} \hat M + (1 - \rho) A, \qquad P_t = \operatorname{qr}(B B^\top P_{t-1}), \qquad
            S = P_t^\top P_{t-1} \\
        \tilde M &= S M_{t-1}, \qquad
            \tilde V = (1 - \beta_2^{t-1}) \left| S^{\circ 2} (\hat V - \hat M^2) + (S \hat M)^2 \right| \\
        M_t &= \beta_1 \tilde M + (1 - \beta_1) P_t^\top A, \qquad
            V_t = \beta_2 \tilde V + (1 - \beta_2) (P_t^\top A)^2 \\
        \Theta_t &= (1 - \eta\lambda) \Theta_{t-1}
            - \eta P_t \frac{M_t / (1 - \beta_1^t)}{\sqrt{V_t / (1 - \beta_2^t)} + \epsilon} \\
        E_t &= A - P_t P_t^\top A + \tfrac{\beta_1}{1 - \beta_1} (P_{t-1} M_{t-1} - P_t \tilde M)

    :math:`P_1` holds the leading left singular vectors of the first gradient. A matrix with more rows than columns is
    transposed, so that the projection is always on its smaller side. With TensorFlow compile the model with
    ``jit_compile=False``: XLA's singular value decomposition takes seconds for a side of 128.

    It takes variables with two dimensions. All others, embeddings, and variables that ``exclude_layers`` names, which
    should be those of the output layer, get AdamW with the same learning rate and weight decay. Each matrix keeps an
    error of its own size.

    Args:
        learning_rate: A number, finite and >= 0, a ``keras.optimizers.schedules.LearningRateSchedule``, or a callable
            without arguments.
        beta_1: Decay rate of the first moment, in [0, 1).
        beta_2: Decay rate of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment after bias correction; finite and > 0.
        weight_decay: Decoupled weight decay, finite and >= 0.
        rank: Dimensions of the subspace, >= 1; a matrix with a smaller side has as many as that.
        rho: Weight of the momentum beside the gradient where the subspace is found, in [0, 1).
        exclude_layers: Regular expressions; a variable whose path fits one gets AdamW.
        exclude_embeddings: Whether variables with ``embedding`` in their path get AdamW.
        adamw_beta_1: AdamW's decay rate of the first moment, in [0, 1).
        adamw_beta_2: AdamW's decay rate of the second moment, in [0, 1).
        adamw_epsilon: AdamW's epsilon, finite and >= 0.
        clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency, loss_scale_factor,
            gradient_accumulation_steps, name: As in every Keras optimizer.

    Raises:
        TypeError: A hyperparameter is of the wrong type.
        ValueError: A hyperparameter is out of range, or an argument is unknown.

    Source: Robert et al. (2025), https://arxiv.org/abs/2410.16103.

    Example:
        >>> import keras
        >>> from alphaadam.keras.baselines import LDAdam
        >>> variable = keras.Variable([[1.0, 2.0, 3.0], [2.0, -1.0, 0.5]])
        >>> LDAdam(learning_rate=0.1, rank=1).apply([2 * variable.value], [variable])
        >>> print(keras.ops.convert_to_numpy(variable).round(3))
        [[ 0.901  1.901  2.901]
         [ 1.984 -1.016  0.484]]
    """

    _own: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "epsilon", "rank", "rho", *MatrixBaseline._own)

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta_1: float = 0.908,
        beta_2: float = 0.99,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        rank: int = 16,
        rho: float = 0.908,
        exclude_layers: list[str] | None = None,
        exclude_embeddings: bool = True,
        adamw_beta_1: float = 0.9,
        adamw_beta_2: float = 0.999,
        adamw_epsilon: float = 1e-8,
        name: str = "ldadam",
        **kwargs: Any,
    ) -> None:
        checks.check_beta("beta_1", beta_1, "0.908", "LDAdam")
        checks.check_beta("beta_2", beta_2, "0.99", "LDAdam")
        checks.check_positive("epsilon", epsilon, "1e-8", "LDAdam")
        checks.check_count("rank", rank, "16", "LDAdam")
        checks.check_beta("rho", rho, "0.908", "LDAdam")
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
        self.rho = rho

    def _matrix_slots(self, variable: Any) -> Mapping[str, Slot]:
        dtype = compute_dtype(variable)
        smaller, larger = sorted(variable.shape)
        rank = min(self.rank, smaller)
        moment = Slot((rank, larger), dtype)
        return {
            "projector": Slot((smaller, rank), dtype),
            "momentum": moment,
            "velocity": moment,
            "error": Slot(tuple(variable.shape), dtype),
        }

    def _move_matrix(
        self, theta: Any, gradient: Any, slots: Mapping[str, Any], step: Any, rate: Any, variable: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        beta_1, beta_2 = self.beta_1, self.beta_2
        tall = theta.shape[0] > theta.shape[1]
        total = slots["error"] + gradient
        total = ops.transpose(total) if tall else total
        before, m, v = slots["projector"], slots["momentum"], slots["velocity"]
        # Before the first step there is no projector and both moments are 0, so that their corrections may be anything.
        last = ops.cast(ops.where(step > 1, step - 1, 1), theta.dtype)
        correction_1, correction_2 = bias_correction(beta_1, last), bias_correction(beta_2, last)
        m_hat = m / correction_1
        lifted = before @ m

        def turned() -> Any:
            mixed = self.rho / correction_1 * lifted + (1 - self.rho) * total
            return ops.qr(mixed @ (ops.transpose(mixed) @ before))[0]

        # A variable may have its first gradient later than others.
        p = ops.cond(ops.any(before != 0), turned, lambda: singular_vectors(ops.transpose(total), m.shape[0]))
        turn = ops.transpose(p) @ before
        v = ops.square(turn) @ (v / correction_2 - ops.square(m_hat)) + ops.square(turn @ m_hat)
        m, v = turn @ m, correction_2 * ops.abs(v)
        low = ops.transpose(p) @ total
        feedback = beta_1 / (1 - beta_1)
        error = total - p @ (low + feedback * m) + feedback * lifted
        m = beta_1 * m + (1 - beta_1) * low
        v = beta_2 * v + (1 - beta_2) * ops.square(low)
        t = ops.cast(step, theta.dtype)
        root = ops.sqrt(v / bias_correction(beta_2, t)) + self.epsilon
        move = -rate * (p @ (m / bias_correction(beta_1, t) / root))
        if tall:
            move, error = ops.transpose(move), ops.transpose(error)
        return move, {"projector": p, "momentum": m, "velocity": v, "error": error}
