"""Reads result files. What cannot be read is named, with the reason, and never stops the rest."""
