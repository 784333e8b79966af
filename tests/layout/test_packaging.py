"""What must be said in two places is said alike: versions, extras, test environments, adapters."""

import configparser
import json
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ROOMS = sorted(path.parent.name for path in (ROOT / "implementations/alphaadam").glob("[a-z]*/__init__.py"))


def pinned():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.lower().split("==") for line in lines if line and not line.startswith("#"))


def tox():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "tox.ini")
    return parser


def test_asv_measures_the_versions_that_the_tests_use():
    text = (ROOT / "asv.conf.json").read_text()
    configuration = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))  # asv allows comments
    asked = {(name.lower(), version) for entry in configuration["include"] for name, version in entry["req"].items()}
    assert asked
    assert asked == {(name, pinned().get(name)) for name, _ in asked}


def test_every_room_has_its_extra_its_environment_and_its_adapter():
    environments = " ".join(tox()["tox"]["env_list"].split(","))
    for room in ROOMS:
        assert room in PROJECT["project"]["optional-dependencies"]
        assert re.search(rf"\b{room}\b", environments), f"tox.ini tests nothing of {room}"
        assert (ROOT / f"suite/adapters/{room}.py").exists()
        assert list((ROOT / f"tests/implementations/{room}").glob("test_*.py"))


def test_the_package_requires_nothing_by_itself():
    assert PROJECT["project"]["dependencies"] == []


def test_every_pin_is_exact_and_every_requirement_has_one():
    extras = PROJECT["project"]["optional-dependencies"]
    names = {re.split(r"[<>=]", requirement)[0].lower() for extra in extras.values() for requirement in extra}
    assert names <= pinned().keys()


def test_ci_runs_the_readmes_test_command():
    command = "python -m pip install tox && tox run"
    assert command in (ROOT / ".ci/run").read_text().splitlines()
    readme = (ROOT / "README.md").read_text().splitlines()
    assert command in readme
    assert f"{command} -e bench" in readme
