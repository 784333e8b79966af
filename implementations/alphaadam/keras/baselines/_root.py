"""ROOT: Muon on a momentum without its outliers, with coefficients for the shape of the matrix."""

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from alphaadam import _hyperparameters as checks
from alphaadam._root_coefficients import ITERATIONS, Triple, check_coefficients, coefficients_for
from alphaadam.keras._rule import compute_dtype
from alphaadam.keras.baselines._baseline import MatrixBaseline, Slot
from alphaadam.keras.baselines._counting import count, element_at

__all__ = ["ROOT"]


@keras.saving.register_keras_serializable(package="alphaadam")
class ROOT(MatrixBaseline):
    r"""Robust orthogonalized momentum: outliers are clipped, then the singular values are brought near 1.

    For a matrix of :math:`m` rows and :math:`n` columns:

    .. math::
        M_t = \mu M_{t-1} + G_t, \qquad D = G_t + \mu M_t, \qquad B = \mathrm{clip}(D, \pm q_{0.9}(|D|)), \\
        X \leftarrow B / \|B\|_F, \qquad X \leftarrow a X + (b A + c A^2) X, \quad A = X X^\top,
            \quad \text{five times}, \\
        \theta_t = (1 - \eta\lambda)\,\theta_{t-1} - 0.2\, \eta \sqrt{\max(m, n)}\, X

    Variables that are not matrices, embeddings, and variables that ``exclude_layers`` names, which should be those of
    the output layer, get AdamW with the same rate and weight decay. A matrix whose gradients are nearly all zero has a
    quantile of zero, and is moved by signs, which is why embeddings are left to AdamW.

    A step costs about as many operations as ten products of the variable with a square matrix of its smaller side. They
    are carried out in float32 for half-precision variables, on a GPU as the backend is set to. It needs
    ``keras.ops.view``, which old versions of Keras have not.

    Args:
        learning_rate: A number, finite and >= 0, a ``keras.optimizers.schedules.LearningRateSchedule``, or a callable
            without arguments.
        momentum: Decay rate of the momentum, which is a sum, in [0, 1).
        weight_decay: Decoupled weight decay, finite and >= 0.
        nesterov: Whether the gradient is added once more, as in the paper's code; its text has ``D`` the momentum.
        quantile: Elements of a size above that of this part of the elements are clipped, in (0, 1]. 1 clips none.
        coefficients: Those of the iteration. ``"published"`` is the authors' for matrices of 2048×2048, 3072, 8192 and
            16384, and Muon's for others. ``"fitted"`` is for other shapes too, those of small GPT-2s, what
            ``python -m bench fit-root`` fitted to them. Else three numbers, or a dict of them by shape, such as
            ``{"128x384": [3.4445, -4.775, 2.0315]}``, the smaller side first; a shape that is missing has the published
            ones.
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

    Source: He et al. (2025), https://arxiv.org/abs/2511.20626, and its code.

    Example:
        >>> import keras
        >>> from alphaadam.keras.baselines import ROOT
        >>> variable = keras.Variable([[1.0, 2.0], [3.0, 5.0]])
        >>> ROOT(learning_rate=0.1).apply([2 * variable.value], [variable])
        >>> print(keras.ops.convert_to_numpy(variable).round(4))
        [[1.0024 1.9629]
         [2.9532 4.9393]]
    """

    _own: ClassVar[tuple[str, ...]] = ("momentum", "nesterov", "quantile", "coefficients", *MatrixBaseline._own)

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.1,
        nesterov: bool = True,
        quantile: float = 0.9,
        coefficients: str | Sequence[float] | Mapping[str, Sequence[float]] = "published",
        exclude_layers: list[str] | None = None,
        exclude_embeddings: bool = True,
        adamw_beta_1: float = 0.9,
        adamw_beta_2: float = 0.95,
        adamw_epsilon: float = 1e-8,
        name: str = "root",
        **kwargs: Any,
    ) -> None:
        checks.check_beta("momentum", momentum, "0.95", "ROOT")
        checks.check_flag("nesterov", nesterov, "ROOT")
        checks.check_fraction("quantile", quantile, "0.9", "ROOT")
        check_coefficients(coefficients, "ROOT")
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
        self.momentum = momentum
        self.nesterov = nesterov
        self.quantile = quantile
        self.coefficients = copy.deepcopy(coefficients)  # TensorFlow puts lists of its own into what is assigned

    def _matrix_slots(self, variable: Any) -> Mapping[str, Slot]:
        return {"momentum": Slot(tuple(variable.shape), compute_dtype(variable))}

    def _move_matrix(
        self, theta: Any, gradient: Any, slots: Mapping[str, Any], step: Any, rate: Any, variable: Any
    ) -> tuple[Any, Mapping[str, Any]]:
        m = self.momentum * slots["momentum"] + gradient
        if not math.prod(variable.shape):
            return ops.zeros_like(theta), {"momentum": m}
        direction = gradient + self.momentum * m if self.nesterov else m
        threshold = _quantile(ops.absolute(direction), self.quantile) + 1e-9
        # Not ops.clip, whose bounds are numbers on some backends. A NaN is beyond no threshold and stays.
        clipped = ops.where(ops.absolute(direction) > threshold, ops.sign(direction) * threshold, direction)
        x = _orthogonalized(clipped, coefficients_for(variable.shape, self.coefficients))
        return -rate * (0.2 * math.sqrt(max(variable.shape))) * x, {"momentum": m}


def _quantile(values: Any, q: float) -> Any:
    """The ``q``-quantile of elements that are not negative, between its two neighbours linearly.

    A NaN is larger than any number.
    """
    dtype = keras.backend.standardize_dtype(values.dtype)
    integer = dtype.replace("float", "int")
    keys = ops.view(ops.reshape(values, (-1,)), dtype=integer)  # in the order of the numbers, which have no sign
    size = math.prod(values.shape)
    place = q * (size - 1)
    below = math.floor(place)
    low = element_at(below, keys, signed=False)
    larger = ops.min(ops.where(keys > low, keys, ops.full((), np.iinfo(integer).max, integer)))
    high = ops.where(count(keys <= low) > min(below + 1, size - 1), low, larger)
    low, high = ops.view(low, dtype=dtype), ops.view(high, dtype=dtype)
    return low + (place - below) * (high - low)


def _orthogonalized(matrix: Any, triple: Triple) -> Any:
    """The matrix after all iterations of Newton-Schulz."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = ops.transpose(matrix) if tall else matrix
    x = x / (ops.sqrt(ops.sum(ops.square(x))) + 1e-7)
    a, b, c = triple
    for _ in range(ITERATIONS):
        gram = x @ ops.transpose(x)  # not ops.matmul, which returns float32 for float64 on the PyTorch backend
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    return ops.transpose(x) if tall else x
