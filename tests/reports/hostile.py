"""Result files of every kind, small, and every way to spoil them."""

import copy
import itertools
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.reports.comparison_folders import ComparisonFolder

RESULTS = Path(__file__).parents[2] / "bench" / "results"

# Closes what it may stand in: an element, an attribute, a script, a comment.
SCRIPT = "</script></style>--><script>alert(1)</script><img src=x onerror=\"alert('1')\">&amp;{{ 7*7 }}"
NASTY: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    0.5,
    10**400,
    1e308,
    -1e-320,
    math.nan,
    math.inf,
    -math.inf,
    "",
    SCRIPT,
    "javascript:alert(1)",
    "half of a pair: \ud800",
    "\x00\x1b[31m\r\n\u202e",
    "long " * 2000,
    "NaN",
    "../../etc/passwd",
    [],
    [[]],
    [None, "x", 3],
    {},
    {"__proto__": {"x": [math.nan]}, SCRIPT: SCRIPT},
)
TRASH = (
    b"",
    b"{",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b"null",
    b"[]",
    b'"text"',
    b"NaN",
    b"1e999",
    b"9" * 5000,
    b'{"schema": "alphaadam-conformance-9"}',
    b'{"schema": ["alphaadam-speed-1"]}',
    b'{"schema": "alphaadam-power-1", "schema": "alphaadam-power-1"}',
    b"\x00" * 64,
)

Place = tuple[str | int, ...]


def places(content: Any, here: Place = ()) -> Iterator[Place]:
    """The places of a document; of a list the first and the last item stand for all."""
    yield here
    if isinstance(content, dict):
        for key in content:
            yield from places(content[key], (*here, key))
    elif isinstance(content, list):
        for index in sorted({0, len(content) - 1}) if content else []:
            yield from places(content[index], (*here, index))


def replaced(content: Any, place: Place, value: Any) -> Any:
    """A copy with another value at a place."""
    return _edited(content, place, lambda holder, key: holder.__setitem__(key, value)) if place else value


def removed(content: Any, place: Place) -> Any:
    """A copy without what stands at a place."""
    return _edited(content, place, lambda holder, key: holder.pop(key)) if place else {}


def doubled(content: Any, place: Place) -> Any:
    """A copy in which an item of a list stands twice."""
    return _edited(content, place, lambda holder, key: holder.append(copy.deepcopy(holder[key])))


def renamed(content: Any, place: Place) -> Any:
    """A copy in which a key is hostile."""
    return _edited(content, place, lambda holder, key: holder.__setitem__(SCRIPT, holder.pop(key)))


def _edited(content: Any, place: Place, edit: Callable[[Any, Any], Any]) -> Any:
    made = copy.deepcopy(content)
    holder = made
    for key in place[:-1]:
        holder = holder[key]
    edit(holder, place[-1])
    return made


def spoiled(content: Any, values_a_place: int) -> Iterator[Any]:
    """Every place without its value, twice, under a hostile name, and with some hostile values in its stead.

    The values go round, so that a document of some tens of places meets all of them many times.
    """
    values = itertools.cycle(NASTY)
    for place in places(content):
        yield removed(content, place)
        yield from (replaced(content, place, next(values)) for _ in range(values_a_place))
        yield replaced(content, place, SCRIPT)
        if place and isinstance(place[-1], int):
            yield doubled(content, place)
        elif place:
            yield renamed(content, place)


def dump(content: Any, lines: bool) -> bytes:
    """A document as it stands in a file: JSON, or JSON lines."""
    text = "".join(json.dumps(line) + "\n" for line in content) if lines and isinstance(content, list) else ""
    return (text or json.dumps(content)).encode()


def conformance(folder: Path, data: dict) -> list[Path]:
    """Conformance results with every outcome."""
    first = {"step": 1, "steps": 2, "quantity": "m", "tensor": 0, "element": [0, 1], "expected": 1.0, "actual": "NaN"}
    first |= {"ulp": "Infinity", "tolerance": 4.5}
    deviation = {"reason": "Epsilon hat.", "link": "https://keras.io"}
    data = copy.deepcopy(data)
    data["results"] = data["results"][:8]
    data["results"][0] |= {"outcome": "fail", "message": "step 1 of 2: m[0] differs", "firstDifference": first}
    data["results"][1] |= {"outcome": "error", "message": "Traceback:\nValueError: no"}
    data["results"][2] |= {"outcome": "skipped", "message": "no complex numbers", "notReported": ["mask"]}
    data["results"][3] |= {"outcome": "expected-deviation", "deviation": deviation, "firstDifference": first}
    data["adapters"].append({"name": "gone", "versions": {}, "optimizers": [], "error": "No module named 'gone'"})
    return [_write(folder / "conformance.json", data)]


def agreement(folder: Path) -> list[Path]:
    """Two implementations beside one another, with every outcome."""
    case = {"file": "adan.json", "id": "default/run", "type": "Trajectory", "dtype": "float32", "outcome": "equal"}
    case |= {"message": "", "firstApart": None, "largestUlp": 0.0, "largestRelative": 0.0, "deviations": []}
    none = {"largestUlp": None, "largestRelative": None}
    apart = {**case, "outcome": "apart", "firstApart": 2, "largestUlp": 4.0, "largestRelative": 2e-7}
    deviation = {"adapter": "some-library", "reason": "Counts from 1.", "link": "https://x"}
    cases = [
        case,
        apart,
        {**apart, "largestUlp": 1e6, "largestRelative": 0.25, "deviations": [deviation]},
        {**case, **none, "outcome": "skipped", "message": "some-library: not installed"},
        {**case, **none, "outcome": "error", "message": "some-library: Traceback"},
    ]
    versions = {
        "torch-baselines": {"alphaadam": "0.1.0", "torch": "2.13.0"},
        "some-library": {"some-library": "9.8", "torch": "2.13.0"},
        "optax-adamw": {"optax": "0.2.8", "jax": "0.10"},
        "optax-as-adamw": {"alphaadam": "0.1.0", "optax": "0.2.8", "jax": "0.10"},
    }
    adapters = [{"name": name, "versions": of, "optimizers": ["Adan", "AdamW"]} for name, of in versions.items()]
    adapters.append({"name": "gone", "versions": {}, "optimizers": [], "error": "No module named 'gone'"})
    adamw = {"optimizer": "AdamW", "framework": "optax", "adapters": ["optax-adamw", "optax-as-adamw"]}
    adan = {"optimizer": "Adan", "framework": "torch", "adapters": ["torch-baselines", "some-library"]}
    file = {"name": "adan.json", "sha256": "ab" * 32, "optimizer": "Adan", "numberOfTests": 22}
    content = {
        "schema": "alphaadam-agreement-1",
        "created": "2026-05-01T10:00:00+00:00",
        "commit": "ab" * 20,
        "suite": {"specVersion": "0.4.0", "files": [file], "unusable": ["mask.json: not JSON"]},
        "selection": {"only": "*", "flag": None},
        "machine": {"python": "3.11.7"},
        "adapters": adapters,
        "pairs": [{**adan, "cases": cases}, {**adamw, "cases": [{**case, **none, "outcome": "skipped"}]}],
    }
    return [_write(folder / "agreement.json", content)]


def speed(folder: Path) -> list[Path]:
    """Step times of this repository, two of them."""
    data = json.loads((RESULTS / "optax-speed-cpu.json").read_text("utf-8"))
    data["cells"] = [{**cell, "seconds": cell["seconds"][:8]} for cell in data["cells"][:2]]
    for cell in data["cells"]:
        for key, value in cell.items():
            if isinstance(value, list):
                cell[key] = value[:8]
    return [_write(folder / "speed.json", data)]


def power(folder: Path) -> list[Path]:
    """Comparisons of commits by both methods, of this repository."""
    data = json.loads((RESULTS / "power-cpu.json").read_text("utf-8"))
    methods = {made["method"]: made for made in data["comparisons"]}
    data["comparisons"] = [{**made, "cases": made["cases"][:2]} for made in methods.values()]
    return [_write(folder / "power.json", data)]


def summary(folder: Path) -> list[Path]:
    """A comparison's summary alone, of this repository."""
    data = json.loads((RESULTS / "compare" / "gpt2-nano-torch" / "comparison.json").read_text("utf-8"))
    kept = ("adamw", "alphaadam")
    data["optimizers"] = {name: data["optimizers"][name] for name in kept}
    return [_write(folder / "nano" / "comparison.json", data)]


def records(folder: Path) -> list[Path]:
    """Records of a comparison's trials, one of which is spoiled."""
    made = ComparisonFolder(folder / "nano", steps=20)
    paths = [made.write(optimizer, 0.002, seed) for optimizer in ("adamw", "alphaadam") for seed in (7, 8, 9)]
    return [paths[-1]]


def costs(folder: Path) -> list[Path]:
    """What optimizers of a framework cost: one measured, one not."""
    measured = {
        "date": "2026-05-01",
        "takes": {"rule": "every tensor", "tensors": ["wte.weight"], "others": None},
        "settings": {"beta1": 0.9},
        "source": {"library": "alphaadam", "version": "0.1.0"},
        "stateBytes": 6552576,
        "stateBytesPerParameter": 8.0,
        "seconds": 0.004,
        "baselineSeconds": 0.002,
        "ratio": {"lower": 1.9, "median": 2.0, "upper": 2.25},
        "rounds": 400,
        "amortisedOver": 1,
        "environment": 0,
    }
    content = {
        "schema": "alphaadam-costs-1",
        "framework": "torch",
        "task": "gpt2-nano",
        "parameters": 819072,
        "baseline": "adamw",
        "environments": [{"device": "Fast One", "threads": 2, "versions": {"torch": "2.13.0"}}],
        "optimizers": {
            "adamw": {**measured, "source": {"library": "torch", "version": "2.13.0"}},
            "exadam": measured,
            "adan": {"date": "2026-05-01", "reason": "not installed"},
        },
    }
    return [_write(folder / "costs-torch.json", content)]


def gpu(folder: Path) -> list[Path]:
    """What `python -m bench gpu` leaves."""
    content = {
        "schema": "alphaadam-gpu-1",
        "started": "2026-05-01T10:00:00+00:00",
        "commit": "ab" * 20,
        "changedFiles": ["a"],
        "machine": {"node": "box", "processor": "fast", "cores": 2},
        "gpu": "a fast one",
        "versions": {"torch": "2.13.0"},
        "parts": [{"name": "steps", "command": "python -m bench speed", "outcome": "finished", "seconds": 3.5}],
    }
    steps = {"shapes": "gpt2-nano", "optimizers": {"lion": {"missing": "not installed"}}}
    steps["optimizers"]["alphaadam"] = {"seconds": 0.1, "ratio": 1.2, "ratioSpread": 0.1, "stateBytes": 8}
    training = {"schema": "alphaadam-trial-1", "task": "gpt2-nano", "framework": "torch", "optimizer": "adamw"}
    training |= {"steps": 2, "seconds": 1.5, "trainingLoss": [3.0, 2.5]}
    return [
        _write(folder / "gpu" / "summary.json", content),
        _write(folder / "gpu" / "optimizers.json", steps),
        _write(folder / "gpu" / "gpt2-nano-adamw.json", training),
    ]


def _write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
