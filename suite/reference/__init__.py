"""The oracle: exact arithmetic by mpmath, independent of every implementation."""
