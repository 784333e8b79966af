"""Running two implementations of one optimizer on the same inputs, and writing down how far apart their parameters are.

The vectors say what goes in; what they expect to come out has no part in it: neither of two is measured by the other.
"""

import contextlib
import itertools
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from suite import adapters, canonical, deviations, process
from suite.adapters import Adapter, UnsupportedError
from suite.check import VectorTest, steps
from suite.compare import Course, apart
from suite.load import VectorFile, decode
from suite.run import chosen, origin

SCHEMA = "alphaadam-agreement-1"

#: Adapters of different implementations; the suite's others are further ways to run one of these, and backends of Keras
#: for which there is one implementation.
IMPLEMENTATIONS = (
    "stock",
    "torch-baselines",
    "optax-baselines",
    "keras-jax-baselines",
    "settings",
    "libraries",
)


#: File, id and dtype of a test.
Place = tuple[str, str, str]

#: Every tensor after each step.
Steps = tuple[list[np.ndarray], ...]


@dataclass(frozen=True)
class Walk:
    """Where an implementation's parameters went in a test.

    Attributes:
        params: Every tensor after each step; none where it did not take them all.
        skipped: Why the implementation does not offer what the test asks for.
        error: What went wrong.
    """

    params: Steps = ()
    skipped: str = ""
    error: str = ""


class Pair(NamedTuple):
    """Two adapters that offer one optimizer in one framework."""

    optimizer: str
    names: tuple[str, str]


def walk(adapter: Adapter, test: VectorTest) -> Walk:
    """Take the steps of a test."""
    try:
        # Copies: an adapter may hand out the arrays that its next step changes.
        return Walk(tuple([np.array(tensor) for tensor in seen.params] for seen in steps(adapter, test)))
    except UnsupportedError as reason:
        return Walk(skipped=str(reason))
    except Exception:
        return Walk(error=traceback.format_exc())


def run(
    names: Sequence[str],
    files: Sequence[VectorFile],
    unusable: Sequence[str] = (),
    *,
    only: str = "*",
    flag: str | None = None,
    time_limit: float = 60.0,
    jobs: int = 1,
) -> dict[str, Any]:
    """Compare every two of the adapters called ``names`` that share an optimizer and a framework.

    Args:
        names: Names of adapters, or ``path/to/file.py:ClassName``, which is compared with every other one.
        files: Vector files.
        unusable: What is wrong with vector files that cannot be used.
        only: Compare on tests whose id fits this pattern.
        flag: Compare on tests that have this flag.
        time_limit: Seconds that one test may take.
        jobs: Adapters that run at the same time.

    Returns:
        The results document.

    Raises:
        ValueError: No two of the adapters can be compared.
    """
    with ThreadPoolExecutor(jobs) as pool:  # threads that wait for a process each
        entries = dict(zip(names, pool.map(_introduced, names), strict=True))
        pairs = sorted(_pairs(entries), key=lambda pair: (_framework(pair) or "", pair.optimizer))
        if not pairs:
            raise ValueError(_nothing_in_common(entries))
        shared = {name: {pair.optimizer for pair in pairs if name in pair.names} for name in names}
        taking_part = [name for name in names if shared[name]]
        tests = [test for test in chosen(files, only, flag) if test.group["type"] != "InvalidHyperparameters"]

        def walks_of(name: str) -> dict[Place, Walk]:
            own = [test for test in tests if test.optimizer in shared[name]]
            return _walks(name, own, entries[name], time_limit)

        walks = dict(zip(taking_part, pool.map(walks_of, taking_part), strict=True))
    known = deviations.load()
    optimizers = {pair.optimizer for pair in pairs}
    return {
        "schema": SCHEMA,
        **origin([file for file in files if file.document["optimizer"] in optimizers], unusable),
        "selection": {"only": only, "flag": flag},
        "adapters": [entry for name, entry in entries.items() if name in taking_part or "error" in entry],
        "pairs": [
            {
                "optimizer": pair.optimizer,
                "framework": _framework(pair),
                "adapters": list(pair.names),
                "cases": [_case(test, pair, walks, known) for test in tests if test.optimizer == pair.optimizer],
            }
            for pair in pairs
        ],
    }


def _introduced(name: str) -> dict[str, Any]:
    """What an adapter says of itself: its optimizers are only known once it has been made."""
    try:
        child = process.Child(name, (), walk)
    except process.AdapterError as error:
        return {"name": name, "versions": {}, "optimizers": [], "error": str(error)}
    child.stop()
    print(f"{name}: has {', '.join(sorted(child.optimizers))}", file=sys.stderr, flush=True)
    return {"name": name, "versions": child.versions, "optimizers": sorted(child.optimizers)}


def _pairs(entries: Mapping[str, dict[str, Any]]) -> Iterator[Pair]:
    for first, second in itertools.combinations(entries, 2):
        homes = {adapters.home(first), adapters.home(second)} - {None}
        if len(homes) < 2:
            for optimizer in entries[first]["optimizers"]:
                if optimizer in entries[second]["optimizers"]:
                    yield Pair(optimizer, (first, second))


def _nothing_in_common(entries: Mapping[str, dict[str, Any]]) -> str:
    said = []
    for name, entry in entries.items():
        where = " on ".join(filter(None, adapters.home(name) or ("any framework",)))
        said.append(entry.get("error") or f"{name} has {', '.join(entry['optimizers'])} ({where})")
    return (
        "no two of these adapters offer one optimizer in one framework, on one backend of Keras: "
        f"{'; '.join(said)}. Name two with --adapter that do, or none for all."
    )


def _framework(pair: Pair) -> str | None:
    homes = (adapters.home(name) for name in pair.names)
    return next((found[0] for found in homes if found), None)


def _walks(name: str, tests: Sequence[VectorTest], entry: dict[str, Any], time_limit: float) -> dict[Place, Walk]:
    """Where the adapter went in each test; why it ended early is noted in its entry."""
    walks: dict[Place, Walk] = {}
    try:
        _, _, answers = process.run(name, tests, walk, time_limit)
        with contextlib.closing(answers):
            for test, answer in answers:
                walks[_place(test)] = Walk(error=answer) if isinstance(answer, str) else answer
    except process.AdapterError as error:  # after a crash: what came before is kept
        entry["error"] = str(error)
    return walks


def _case(
    test: VectorTest, pair: Pair, walks: Mapping[str, dict[Place, Walk]], known: list[deviations.Deviation]
) -> dict[str, Any]:
    lost = Walk(error="it ended before")
    both = [(name, walks[name].get(_place(test), lost)) for name in pair.names]
    stated = test.outcome()
    listed = [(name, deviations.find(known, name, stated)) for name in pair.names]
    case = {
        "file": test.file,
        "id": test.test["id"],
        "type": stated.type,
        "dtype": stated.dtype,
        "outcome": "skipped",
        "message": "",
        "firstApart": None,
        "largestUlp": None,
        "largestRelative": None,
        "deviations": [
            {"adapter": name, "reason": found.reason, "link": found.link} for name, found in listed if found is not None
        ],
    }
    for name, one in both:
        if one.error:
            return {**case, "outcome": "error", "message": f"{name}: {one.error}"}
    for name, one in both:
        if one.skipped:
            return {**case, "message": f"{name}: {one.skipped}"}
    return {**case, **_measured(test, *(one.params for _, one in both))}


def _place(test: VectorTest) -> Place:
    return test.file, test.test["id"], test.group["dtype"]


def _measured(test: VectorTest, first: Steps, second: Steps) -> dict[str, Any]:
    dtype = test.group["dtype"]
    # Each may be off by the bound itself, in opposite directions.
    absolute = 2 * test.test["tolerance"]["params"]["absolute"]
    course = Course([decode(tensor, dtype) for tensor in test.test["initial"]["params"]], either=True)
    ulp, relative, first_apart = 0.0, None, None
    for number, (one, other) in enumerate(zip(first, second, strict=True), start=1):
        kinds = [[(array.dtype.name, array.shape) for array in arrays] for arrays in (one, other)]
        if kinds[0] != kinds[1]:
            return {"outcome": "error", "message": f"after step {number} one has {kinds[0]}, the other {kinds[1]}"}
        ulp = max([ulp, *(apart(a, b, absolute) for a, b in zip(one, other, strict=True))])
        relative = course.relative(one, other)
        if first_apart is None and any(a.tobytes() != b.tobytes() for a, b in zip(one, other, strict=True)):
            first_apart = number
    return {
        "outcome": "equal" if first_apart is None else "apart",
        "firstApart": first_apart,
        "largestUlp": canonical.encode_number(ulp),
        "largestRelative": None if relative is None else canonical.encode_number(relative),
    }


def problems(document: dict[str, Any]) -> list[str]:
    """What could not be compared though it should have been: broken files and adapters, and cases with an error."""
    found = [*document["suite"]["unusable"], *(entry["error"] for entry in document["adapters"] if "error" in entry)]
    for pair in document["pairs"]:
        for case in pair["cases"]:
            if case["outcome"] == "error":
                found.append(f"{case['file']} {case['id']} {case['dtype']}: {case['message'].strip()}")
    return found


def table(document: dict[str, Any]) -> str:
    """The results in Markdown, a row for each pair; cases in which one is known to deviate stand by themselves.

    Relative distances are those of float32 and float64: in half precision a step may be one unit in the last place.
    """
    columns = [
        "optimizer",
        "framework",
        "implementations",
        "cases",
        "bitwise equal",
        "largest distance, ulp",
        "largest relative distance",
        "where a deviation is known",
    ]
    rows = [columns, ["---"] * len(columns), *map(_row, document["pairs"])]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(pair: dict[str, Any]) -> list[str]:
    compared = [case for case in pair["cases"] if case["outcome"] in ("equal", "apart")]
    deviating = [case for case in compared if case["deviations"]]
    others = [case for case in compared if not case["deviations"]]
    reasons = dict.fromkeys(f"{one['adapter']}: {one['reason']}" for case in deviating for one in case["deviations"])
    count = f"{len(deviating)} case{'s' if len(deviating) > 1 else ''}"
    known = f"{count}, up to {_largest(deviating, 'largestRelative')}. {' '.join(reasons)}"
    known = known.replace("|", "\\|")
    return [
        pair["optimizer"],
        pair["framework"] or "any",
        " and ".join(pair["adapters"]),
        _count(pair["cases"], len(compared)),
        str(sum(case["outcome"] == "equal" for case in compared)),
        _largest(others, "largestUlp"),
        _largest(others, "largestRelative"),
        known if deviating else "",
    ]


def _count(cases: Sequence[dict[str, Any]], compared: int) -> str:
    parts = [str(compared)]
    for outcome, words in (("skipped", "skipped"), ("error", "with an error")):
        count = sum(case["outcome"] == outcome for case in cases)
        parts += [f"{count} {words}"] if count else []
    return ", ".join(parts)


def _largest(cases: Sequence[dict[str, Any]], quantity: str) -> str:
    if quantity == "largestRelative":
        cases = [case for case in cases if case["dtype"] not in ("bfloat16", "float16")]
    seen = [float(case[quantity]) for case in cases if case[quantity] is not None]
    return f"{max(seen):.2g}" if seen else "–"
