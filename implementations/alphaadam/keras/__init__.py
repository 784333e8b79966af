"""AlphaAdam for Keras 3, on its TensorFlow, JAX and PyTorch backends."""

from alphaadam.keras._alphaadam import AlphaAdam, StepDiagnostics

__all__ = ["AlphaAdam", "StepDiagnostics"]
