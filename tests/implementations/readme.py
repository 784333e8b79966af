"""Examples of the README and of the pages in docs/, so that each framework's tests can run its own."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_example(module: str) -> dict:
    """Run the one Python block of the README that imports from ``module`` and return its names."""
    (block,) = [block for block in blocks("README.md") if f"from {module} import" in block]
    return run(block, "README.md")


def blocks(page: str) -> list[str]:
    """The Python blocks of a page; blocks marked ``py`` are not meant to run by themselves."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)


def run(block: str, page: str) -> dict:
    """Run a block and return its names."""
    names: dict = {"__name__": page}
    exec(compile(block, page, "exec"), names)
    return names
