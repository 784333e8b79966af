"""AlphaAdam for Keras 3, on its TensorFlow, JAX and PyTorch backends."""

from alphaadam.keras._alpha_mask import AlphaMask
from alphaadam.keras._alphaadam import AlphaAdam
from alphaadam.keras._optimizer import StepDiagnostics

__all__ = ["AlphaAdam", "AlphaMask", "StepDiagnostics"]
