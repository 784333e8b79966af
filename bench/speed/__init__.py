"""The commands ``speed`` and ``scaling``: the optimizer's step beside AdamW's, in every framework."""
