"""The command ``prepare``: files of tokens for the larger tasks."""
