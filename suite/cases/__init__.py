"""The cases, one module per topic: what is tried, and why. Expected results come from the oracle.

A topic module has ``HEADER`` (lines that say what the file covers), ``NOTES`` (the flags it uses, each explained once)
and ``cases()``.
"""
