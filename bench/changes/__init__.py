"""The commands ``changes`` and ``power``: whether a step has become slower, and how often that answer is wrong."""
