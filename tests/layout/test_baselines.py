"""A baseline is in every place where it belongs: adding one to some of them names the others."""

import ast
from pathlib import Path

import pytest

from suite.adapters import OURS
from suite.reference.baselines import BASELINES
from tests.implementations import readme
from tests.implementations.baselines import of

ROOT = Path(__file__).parents[2]
ROOMS = tuple(OURS)
PAGES = sorted((ROOT / "docs/baselines").glob("*.md"))


def public(room):
    """The names in ``__all__`` of a room's baselines."""
    module = ast.parse((ROOT / f"implementations/alphaadam/{room}/baselines/__init__.py").read_text(encoding="utf-8"))
    (names,) = (node.value for node in module.body if isinstance(node, ast.Assign) and node.targets[0].id == "__all__")
    return set(ast.literal_eval(names))


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_has_its_rule_its_cases_its_vectors_and_its_page(name):
    module = BASELINES[name]
    file = module.replace("_", "-")
    assert (ROOT / f"suite/reference/baselines/{module}.py").exists()
    assert (ROOT / f"suite/cases/baselines/{module}.py").exists()
    assert (ROOT / f"suite/vectors/{file}.json").exists()
    inner = file.removeprefix("alpha-mask-")
    covered = [page.name for page in PAGES if inner in page.stem.split("-and-")]
    assert len(covered) == 1, f"docs/baselines/{file}.md, or one of several such names with -and- between them"


def test_every_page_is_one_of_a_baseline():
    files = {module.replace("_", "-") for module in BASELINES.values()}
    for page in PAGES:
        assert set(page.stem.split("-and-")) <= files, page.name


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_room_offers_is_tested_with_the_others_and_against_the_vectors(room):
    ours = {name for name in OURS[room] if not name.startswith("AlphaMask")}
    assert {BASELINES[name] if room == "optax" else name for name in ours} <= public(room)
    assert set(of(room)) == ours


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_every_example_of_a_page_is_for_one_framework(page):
    """By which the framework's tests find it, and run it."""
    found = [readme.framework_of(block) for block in readme.blocks(page.relative_to(ROOT).as_posix())]
    assert found
    assert all(found), f"{page.name}: block {found.index('') + 1} imports no framework, or several"
