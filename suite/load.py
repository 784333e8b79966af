"""Reading vector files: one clear error for a file that is missing, cut off or not of the format."""

import functools
import hashlib
import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import ml_dtypes
import numpy as np

from suite import SPEC_VERSION, canonical
from suite.reference.baselines import BASELINES
from suite.reference.optimizers import OPTIMIZERS, moments

SCHEMA = Path(__file__).parent / "schema" / "vectors.schema.json"
VECTORS = Path(__file__).parent / "vectors"

#: What a step may take beside gradients, as lists of tensors.
INPUTS: tuple[str, ...] = ("gradients2", "gradients3", "gradients4", "hessian")


class VectorFileError(Exception):
    """A vector file cannot be used; the message names the file, the place in it and the remedy."""


@dataclass(frozen=True)
class VectorFile:
    """A vector file that fits the schema.

    Attributes:
        name: Its file name.
        sha256: Digest of its bytes.
        document: Its content as parsed JSON.
    """

    name: str
    sha256: str
    document: dict[str, Any]


def load_usable(directory: Path = VECTORS) -> tuple[list[VectorFile], list[str]]:
    """Load the vector files of a folder that can be used, and say what is wrong with the others.

    Raises:
        VectorFileError: The folder has no vector files.
    """
    files, problems = [], []
    for path in _paths(directory):
        try:
            files.append(load(path))
        except VectorFileError as error:
            problems.append(str(error))
    return files, problems


def load_all(directory: Path = VECTORS) -> list[VectorFile]:
    """Load every vector file of a folder, in the order of their names.

    Raises:
        VectorFileError: The folder has no vector files, or one of them cannot be used.
    """
    return [load(path) for path in _paths(directory)]


def _paths(directory: Path) -> list[Path]:
    paths = sorted(directory.glob("*.json"))
    if not paths:
        raise VectorFileError(
            f"{directory}: no vector files here. Name the folder that holds them, or run: python -m suite generate"
        )
    return paths


def load(path: Path) -> VectorFile:
    """Load one vector file.

    Raises:
        VectorFileError: The file is missing, is no JSON, or does not fit the schema.
    """
    remedy = "Restore it from version control, or run: python -m suite generate"
    try:
        content = path.read_bytes()
        document = json.loads(content)
    except FileNotFoundError:
        raise VectorFileError(f"{path}: no such file. {remedy}") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise VectorFileError(f"{path}: not JSON, it may be cut off ({error}). {remedy}") from None
    problem = None if _fast_validator().is_valid(document) else _problem(document)
    if problem is None:
        problem_at = _inconsistency(document)
        if problem_at is None:
            return VectorFile(path.name, hashlib.sha256(content).hexdigest(), document)
        place, message = problem_at
    else:
        place, message = problem.json_path, problem.message
    shown = message if len(message) < 300 else message[:300] + " ..."
    raise VectorFileError(f"{path}: does not fit the format at {place}: {shown} {remedy}")


def decode(tensor: dict[str, Any], dtype: str) -> np.ndarray:
    """A tensor of a vector file as an array; bfloat16 is the one of ml_dtypes."""
    elements = [complex(*map(canonical.decode_number, x)) if isinstance(x, list) else x for x in tensor["data"]]
    numbers = np.array([canonical.decode_number(x) for x in elements], complex if "complex" in dtype else float)
    return numbers.astype(numpy_dtype(dtype)).reshape(tensor["shape"])


def numpy_dtype(name: str) -> np.dtype:
    """The NumPy dtype of a dtype's name in a vector file."""
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


@functools.cache
def _fast_validator() -> Any:
    """It says yes or no in a hundredth of the time."""
    return jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _problem(document: Any) -> Any:
    """What does not fit, in the words of the validator that finds the best ones."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    return jsonschema.exceptions.best_match(validator.iter_errors(document))


def _inconsistency(document: dict[str, Any]) -> tuple[str, str] | None:
    """What JSON Schema cannot say: every list of tensors fits the parameters, every tensor its shape."""
    if document["specVersion"].split(".")[:2] != SPEC_VERSION.split(".")[:2]:
        return "$.specVersion", f"version {document['specVersion']} is not the {SPEC_VERSION} that this runner reads."
    names = Counter((group.get("dtype"), test["id"]) for group in document["groups"] for test in group["tests"])
    (dtype, test_id), most = names.most_common(1)[0]
    if most > 1:
        return f"test {test_id!r} ({dtype})", f"{most} tests have this id in this dtype."
    count = sum(len(group["tests"]) for group in document["groups"])
    if count != document["numberOfTests"]:
        return "$.numberOfTests", f"{document['numberOfTests']} are announced, {count} are there."
    optimizer = document["optimizer"]
    for group in document["groups"]:
        for test in group["tests"]:
            place = f"test {test['id']!r} ({group.get('dtype')})"
            holder = test if group["type"] == "InvalidHyperparameters" else group
            if holder["hyperparameters"].keys() != set(OPTIMIZERS[optimizer]):
                return place, f"its hyperparameters are not those of {optimizer}: {', '.join(OPTIMIZERS[optimizer])}."
            if holder is group:
                problem = _moment_problem(test, optimizer) or _tensor_problem(test, optimizer)
                if problem:
                    return place, problem
    return None


def _moment_problem(test: dict[str, Any], optimizer: str) -> str | None:
    holders = {"tolerance": test["tolerance"], "initial.state": test["initial"].get("state")}
    for number, step in enumerate(test["steps"]):
        holders |= {f"steps[{number}].expected": step["expected"]}
        holders |= {f"steps[{number}].acceptable[{i}]": other for i, other in enumerate(step.get("acceptable", []))}
    for place, holder in holders.items():
        for name, words in (("m", "first moment"), ("v", "second moment")):
            if holder is not None and (name in holder) != (name in moments(optimizer)):
                return f"{place} has {'a' if name in holder else 'no'} {words}, for {optimizer}."
    return None


def _tensor_problem(test: dict[str, Any], optimizer: str) -> str | None:
    shapes = [tensor["shape"] for tensor in test["initial"]["params"]]
    lists = {"initial.params": test["initial"]["params"]}
    for name, tensors in test["initial"].get("state", {}).items():
        lists[f"initial.state.{name}"] = tensors
    for number, step in enumerate(test["steps"]):
        lists |= {f"steps[{number}].{name}": step[name] for name in ("gradients", *INPUTS) if name in step}
        outcomes = {"expected": step["expected"]}
        outcomes |= {f"acceptable[{index}]": outcome for index, outcome in enumerate(step.get("acceptable", []))}
        for kind, outcome in outcomes.items():
            if "alpha" in outcome and len(outcome["alpha"]) != len(shapes):
                return f"steps[{number}].{kind}.alpha has {len(outcome['alpha'])} numbers for {len(shapes)} tensors."
            tensors_of = {name: value for name, value in outcome.items() if name != "alpha"}
            lists |= {f"steps[{number}].{kind}.{name}": tensors for name, tensors in tensors_of.items()}
        for kind, outcome in outcomes.items():
            lacking = {"mask", "alpha"} - outcome.keys()
            if optimizer not in BASELINES and lacking:
                return f"steps[{number}].{kind} lacks {', '.join(sorted(lacking))}."
    for name, tensors in lists.items():
        if len(tensors) != len(shapes):
            return f"{name} has {len(tensors)} tensors, the parameters are {len(shapes)}."
        for index, (tensor, shape) in enumerate(zip(tensors, shapes, strict=True)):
            if tensor is None:
                continue
            if tensor["shape"] != shape:
                return f"{name}[{index}] has shape {tensor['shape']}, its parameter {shape}."
            if len(tensor["data"]) != math.prod(shape):
                return f"{name}[{index}] has {len(tensor['data'])} elements for shape {shape}."
    return None
