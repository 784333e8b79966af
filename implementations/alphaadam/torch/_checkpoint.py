"""Checkpoints: what of a saved state can be used, and why not."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from alphaadam.torch import _groups, _sharded

__all__ = ["usable"]

_STATE = ("step", "exp_avg", "exp_avg_sq")
# Keys that AdamW writes into its groups and AlphaAdam has no use for.
_ADAMW_ONLY = ("amsgrad", "decoupled_weight_decay")


def usable(
    state_dict: Mapping[str, Any], param_groups: Sequence[dict[str, Any]], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """A saved state as an optimizer with these groups can load it.

    Args:
        state_dict: Of AlphaAdam or ``torch.optim.AdamW``; left as it is.
        param_groups: The optimizer's own groups.
        defaults: The optimizer's own hyperparameters.

    Returns:
        A state dict whose groups have every key of ours and none of AdamW's alone.

    Raises:
        ValueError: The state cannot be used.
    """
    groups = [dict(group) for group in state_dict["param_groups"]]
    for number, (group, own) in enumerate(zip(groups, param_groups, strict=False)):  # the base class compares lengths
        if group.get("amsgrad"):
            raise ValueError(
                f"AlphaAdam: parameter group {number} was saved with amsgrad=True, which AlphaAdam does not have. "
                "Continue with torch.optim.AdamW, or start AlphaAdam with a fresh state."
            )
        if group.get("decoupled_weight_decay") is False and group.get("weight_decay"):
            raise ValueError(
                f"AlphaAdam: parameter group {number} was saved by torch.optim.Adam with coupled weight decay "
                f"(weight_decay={group['weight_decay']}), AlphaAdam's is decoupled. Set the saved group's "
                "weight_decay to 0 and choose a decoupled one after loading."
            )
        for key in _ADAMW_ONLY:
            group.pop(key, None)
        for key in defaults:
            group.setdefault(key, own[key])
        for key in _groups.EXECUTION_DEFAULTS:
            group[key] = own[key]
        _groups.check(group)
        for index, parameter in zip(group["params"], own["params"], strict=False):
            _check_state(index, state_dict["state"].get(index), parameter)
    return {**state_dict, "param_groups": groups}


def _check_state(index: Any, state: Mapping[str, Any] | None, parameter: Tensor) -> None:
    if not state:
        return
    missing = [key for key in _STATE if key not in state]
    if missing:
        raise ValueError(
            f"AlphaAdam: the saved state of parameter {index} lacks {', '.join(missing)}. Load a state saved "
            "by AlphaAdam or torch.optim.AdamW, or start with a fresh one."
        )
    for key in _STATE[1:]:
        if state[key].shape != parameter.shape:
            raise ValueError(
                f"AlphaAdam: the saved {key} of parameter {index} has the shape {tuple(state[key].shape)}, the "
                f"parameter {tuple(parameter.shape)}. Give the parameters in the order in which they were saved."
            )
        if _sharded.layout(state[key]) != _sharded.layout(parameter):
            raise ValueError(
                f"AlphaAdam: the saved {key} of parameter {index} is not sharded as the parameter is. Load it by "
                "torch.distributed.checkpoint.state_dict.set_optimizer_state_dict, which shards it anew."
            )
