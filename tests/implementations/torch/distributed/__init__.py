"""What several processes check together: parameters of which each has a part."""

from tests.implementations.torch.distributed import checkpoints, models, one_bit, tensors
from tests.implementations.torch.distributed.registry import CHECKS

__all__ = ["CHECKS", "TIME_LIMIT", "checkpoints", "models", "one_bit", "tensors"]

TIME_LIMIT = 120
"""Seconds after which a process ends itself, and says where it was; a collective gives up before that."""
