"""The README's examples, so that each framework's tests can run its own."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def run_example(module: str) -> dict:
    """Run the one Python block of the README that imports from ``module`` and return its names."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    (block,) = [block for block in blocks if f"from {module} import" in block]
    names: dict = {}
    exec(compile(block, "README.md", "exec"), names)
    return names
