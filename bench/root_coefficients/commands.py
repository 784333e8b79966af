"""The command ``python -m bench fit-root``."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import scipy

from bench.parameters import taken
from bench.records import write_json
from bench.root_coefficients.fitting import ITERATIONS, MUON, fit_shape
from bench.root_coefficients.spectra import DECAYS
from bench.tasks import get_task, parameter_shapes

_TASKS = ("gpt2-nano", "gpt2-micro", "gpt2-small", "gpt2-medium", "gpt2-large")


def add_commands(commands: Any) -> None:
    """Adds it to the subparsers of ``python -m bench``."""
    parser = commands.add_parser(
        "fit-root",
        help="fit the coefficients of ROOT's Newton-Schulz iteration to the shapes of a task's matrices",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="ROOT (arXiv 2511.20626) has other coefficients for each shape of a matrix, the same in all five\n"
        "iterations, which then orthogonalise it with a smaller error. These are fitted to random matrices whose\n"
        "singular values fall at several rates, clipped as ROOT clips them. The errors that are printed are of other\n"
        "such matrices, beside those with Muon's coefficients and with those that are published for the shape.\n\n"
        "The file says how it was made. The one that the package ships is\n"
        "implementations/alphaadam/_root_coefficients.json; the optimizers read it for coefficients='fitted', and\n"
        "take those of any other file as a dict.",
        epilog="""\
examples:
  python -m bench fit-root --output implementations/alphaadam/_root_coefficients.json     the shipped one: ten minutes
  python -m bench fit-root --shape 64x256 --shape 64x64 --output mine.json
""",
    )
    parser.add_argument(
        "--task", nargs="+", default=_TASKS, metavar="TASK", help=f"tasks (default: {' '.join(_TASKS)})"
    )
    parser.add_argument("--shape", action="append", metavar="128x384", help="a shape, in the place of tasks' shapes")
    parser.add_argument("--seed", type=int, default=0, help="of the random matrices (default: %(default)s)")
    parser.add_argument(
        "--each",
        type=int,
        default=4,
        metavar="N",
        help=f"matrices of each of {len(DECAYS)} kinds to fit to (default: %(default)s)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="JSON file (default: standard output)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    shapes = sorted({_parsed(text) for text in options.shape}) if options.shape else shapes_of(options.task)
    if options.each < 1:
        raise ValueError(f"--each {options.each}: pass at least 1")
    document: dict[str, Any] = {
        "madeBy": "python -m bench fit-root",
        "seed": options.seed,
        "each": options.each,
        "iterations": ITERATIONS,
        "muons": list(MUON),
        "versions": {"numpy": numpy.__version__, "scipy": scipy.__version__},
        "shapes": {},
    }
    for shape in shapes:
        fit = fit_shape(shape, options.seed, options.each)
        document["shapes"]["{}x{}".format(*shape)] = fit.as_json()
        published = "" if fit.error_published is None else f" {fit.error_published:.4f} with the published,"
        print(
            f"{shape[0]}x{shape[1]}: error {fit.error_before:.4f} with Muon's coefficients,{published}"
            f" {fit.error_after:.4f} with {fit.coefficients}; no singular value above {fit.largest:.2f}",
            file=sys.stderr,
        )
    if options.output:
        write_json(options.output, document)
    else:
        print(json.dumps(document, indent=2))
    return 0


def shapes_of(tasks: Sequence[str]) -> list[tuple[int, int]]:
    """Shapes of the matrices that ROOT takes of these tasks' models, the smaller side first, each once."""
    found = set()
    for task in tasks:
        shapes = parameter_shapes(get_task(task).model)
        for name in taken("root", shapes):
            small, large = sorted(shapes[name])
            found.add((small, large))
    return sorted(found)


def _parsed(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
    if match is None:
        raise ValueError(f"--shape {text}: pass two numbers such as 128x384")
    small, large = sorted(map(int, match.groups()))
    return small, large
