"""AlphaAdam for JAX, as Optax gradient transformations."""

from alphaadam.optax._alphaadam import ScaleByAlphaAdamState, alphaadam, scale_by_alphaadam

__all__ = ["ScaleByAlphaAdamState", "alphaadam", "scale_by_alphaadam"]
