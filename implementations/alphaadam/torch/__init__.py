"""AlphaAdam for PyTorch."""

from alphaadam.torch._alphaadam import AlphaAdam
from alphaadam.torch._mask import AlphaMask
from alphaadam.torch._settings import StepDiagnostics

__all__ = ["AlphaAdam", "AlphaMask", "StepDiagnostics"]
