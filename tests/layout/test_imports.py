"""Who may import whom. The rules keep each folder usable without the others."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRAMEWORKS = {"torch", "jax", "flax", "equinox", "orbax", "optax", "keras", "tensorflow"}
OURS = {"alphaadam", "suite", "bench", "reports"}

#: Room of the package -> frameworks that it may import. Rooms with an underscore are what others have in common.
ROOMS = {"torch": {"torch"}, "_jax": {"jax"}, "optax": {"optax", "jax"}, "keras": {"keras"}}

#: Module or room of the package -> what it may import beside that: frameworks, and other rooms. Keras runs on a
#: backend, and takes from its room what that backend has already; each such module is imported on its backend alone.
ALSO = {
    "optax": {"alphaadam._jax"},
    "keras/_inputs.py": {"tensorflow"},
    "keras/baselines/_estimators_jax.py": {"jax", "alphaadam._jax"},
    "keras/baselines/_estimators_tensorflow.py": {"tensorflow"},
    "keras/baselines/_estimators_torch.py": {"torch", "alphaadam.torch"},
    "keras/_jax.py": {"jax", "alphaadam._jax"},
    "keras/_tensorflow.py": {"tensorflow"},
    "keras/_torch.py": {"torch", "alphaadam.torch"},
}

#: Module of a room -> what it may import beyond its room. Keras on PyTorch holds PyTorch's tensors, and the step of
#: alphaadam.torch is the one to take there: written again it would be the same kernels twice.
EXCEPTIONS = {"implementations/alphaadam/keras/_torch.py": {"torch", "alphaadam.torch"}}

#: Module under suite/adapters and bench/frameworks -> frameworks that it may import.
BRIDGES = {
    "suite/adapters/torch.py": {"torch"},
    "suite/adapters/optax.py": {"optax", "jax"},
    "suite/adapters/keras.py": {"keras", "jax", "tensorflow"},
    "suite/adapters/torch_baselines.py": {"torch"},
    "suite/adapters/optax_baselines.py": {"optax", "jax"},
    "suite/adapters/keras_baselines.py": {"keras"},
    "bench/frameworks/torch.py": {"torch"},
    "bench/frameworks/torch_baselines.py": {"torch"},
    "bench/frameworks/torch_curvature.py": {"torch"},
    "bench/frameworks/torch_directions.py": {"torch"},
    "bench/frameworks/torch_memory.py": {"torch"},
    "bench/frameworks/torch_optimizers.py": {"torch"},
    "bench/frameworks/torch_parallel.py": {"torch"},
    "bench/frameworks/torch_speed.py": {"torch"},
    "bench/frameworks/torch_step.py": {"torch"},
    "bench/frameworks/jax.py": {"optax", "jax"},
    "bench/frameworks/jax_baselines.py": {"optax", "jax"},
    "bench/frameworks/jax_curvature.py": {"optax", "jax"},
    "bench/frameworks/jax_devices.py": {"jax"},
    "bench/frameworks/jax_gpt2.py": {"optax", "jax"},
    "bench/frameworks/jax_observation.py": {"jax"},
    "bench/frameworks/jax_optimizers.py": {"optax", "jax"},
    "bench/frameworks/jax_speed.py": {"optax", "jax"},
    "bench/frameworks/jax_step.py": {"jax"},
    "bench/frameworks/keras.py": {"keras", "jax"},
    "bench/frameworks/keras_baselines.py": {"keras"},
    "bench/frameworks/keras_jax.py": {"keras", "jax"},
    "bench/frameworks/keras_gpt2.py": {"keras"},
    "bench/frameworks/keras_on_jax.py": {"keras", "jax"},
    "bench/frameworks/keras_optimizers.py": {"keras"},
    "bench/frameworks/keras_speed.py": {"keras"},
    "bench/frameworks/keras_tensorflow.py": {"keras", "tensorflow"},
    "bench/frameworks/keras_torch.py": {"keras", "torch"},
}


def imports(path):
    """Full names of the modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide who imports whom"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def roots(path):
    return {name.split(".")[0] for name in imports(path)}


def files(folder):
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"{folder} has no modules"
    return found


def relative(path):
    return path.relative_to(ROOT).as_posix()


def test_the_package_itself_imports_the_standard_library_alone():
    for path in (ROOT / "implementations/alphaadam").glob("*.py"):
        foreign = roots(path) - set(sys.stdlib_module_names) - {"alphaadam"}
        assert not foreign, f"{relative(path)} imports {foreign}"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_its_own_framework_alone(room):
    package = ROOT / "implementations/alphaadam"
    for path in files(f"implementations/alphaadam/{room}"):
        also = ALSO.get(room, set()) | ALSO.get(path.relative_to(package).as_posix(), set())
        foreign = roots(path) & FRAMEWORKS - ROOMS[room] - also
        assert not foreign, f"{relative(path)} imports {foreign}"
        assert not roots(path) & (OURS - {"alphaadam"}), relative(path)
        rooms = {".".join(name.split(".")[:2]) for name in imports(path)} & {f"alphaadam.{other}" for other in ROOMS}
        assert not rooms - {f"alphaadam.{room}"} - also, f"{relative(path)} imports the room {rooms}"


def test_every_exception_exists_and_is_needed():
    package = ROOT / "implementations/alphaadam"
    for place, allowed in ALSO.items():
        found = [package / place] if place.endswith(".py") else files(f"implementations/alphaadam/{place}")
        imported = {
            part
            for path in found
            for name in imports(path)
            for part in (name.split(".")[0], ".".join(name.split(".")[:2]))
        }
        assert allowed <= imported, f"{place} does not import {allowed - imported}"


def test_every_room_is_covered():
    rooms = {path.parent.name for path in (ROOT / "implementations/alphaadam").glob("*/__init__.py")}
    assert rooms == set(ROOMS)


@pytest.mark.parametrize("folder", ["suite", "bench"])
def test_frameworks_are_imported_only_by_the_modules_named_for_them(folder):
    for path in files(folder):
        foreign = {name for name in imports(path) if name.split(".")[0] in FRAMEWORKS or name.startswith("alphaadam.")}
        bridge = BRIDGES.get(relative(path), _library_bridge(path))
        allowed = {*(bridge or ()), *({"alphaadam"} if bridge else ())}
        unwanted = {name for name in foreign if name.split(".")[0] not in allowed} - {"alphaadam.__version__"}
        assert not unwanted, f"{relative(path)} imports {unwanted}"


def _library_bridge(path):
    """Adapters of other libraries say by the beginning of their names which framework they may import."""
    if path.parent.name != "libraries" or path.name == "__init__.py":
        return None
    return {"optax", "jax"} if path.name.startswith("optax_") else {path.name.split("_")[0]}


def test_the_suite_meets_the_package_only_in_its_adapters():
    for path in files("suite"):
        assert "alphaadam" not in roots(path) or relative(path) in BRIDGES, relative(path)


def test_every_bridge_exists():
    bridges = {relative(p) for folder in ("suite/adapters", "bench/frameworks") for p in (ROOT / folder).glob("*.py")}
    assert bridges - {"suite/adapters/__init__.py"} == set(BRIDGES)


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("suite", {"bench", "reports"}),
        ("bench", {"suite", "reports"}),
        ("reports", {"suite", "bench", "alphaadam", *FRAMEWORKS}),
    ],
)
def test_the_parts_meet_in_files_not_in_imports(folder, forbidden):
    for path in files(folder):
        assert not roots(path) & forbidden, f"{relative(path)} imports {roots(path) & forbidden}"


def test_bench_uses_the_public_names_of_the_package():
    for path in files("bench"):
        private = [name for name in imports(path) if name.startswith("alphaadam") and "._" in name]
        assert not private, f"{relative(path)} imports {private}"
