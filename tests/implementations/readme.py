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


def baseline_blocks(framework: str) -> list[tuple[str, str]]:
    """The pages of the baselines and their Python blocks for a framework."""
    found = []
    for path in sorted((ROOT / "docs/baselines").glob("*.md")):
        page = path.relative_to(ROOT).as_posix()
        found += [(page, block) for block in blocks(page) if framework_of(block) == framework]
    return found


def framework_of(block: str) -> str:
    """The framework that a block imports; empty if there is none, or more than one."""
    lines = "\n".join(re.findall(r"^(?:from|import) .*", block, re.MULTILINE))
    imported = {name for name in ("keras", "optax", "torch") if re.search(rf"\b{name}\b", lines)}
    return imported.pop() if len(imported) == 1 else ""
