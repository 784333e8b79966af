"""AlphaAdam for PyTorch."""

from alphaadam.torch._alphaadam import AlphaAdam, StepDiagnostics

__all__ = ["AlphaAdam", "StepDiagnostics"]
