"""Triton reads this when it is imported, which the first of many modules does: see ``interpreted.py``."""

import os

os.environ["TRITON_INTERPRET"] = "1"
