"""AlphaAdam for JAX, as Optax gradient transformations."""

from alphaadam.optax._alpha_mask import AlphaMaskState, alpha_mask
from alphaadam.optax._alphaadam import ScaleByAlphaAdamState, alphaadam, scale_by_alphaadam

__all__ = ["AlphaMaskState", "ScaleByAlphaAdamState", "alpha_mask", "alphaadam", "scale_by_alphaadam"]
