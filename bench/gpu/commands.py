"""The command ``python -m bench gpu``."""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path
from typing import Any

from bench.gpu.parts import measure, render
from bench.speed.cells import RESULTS
from bench.tasks import TASKS


def add_commands(commands: Any) -> None:
    """Adds it to the subparsers of ``python -m bench``."""
    parser = commands.add_parser(
        "gpu",
        help="everything that needs a GPU, in ten minutes",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="On a machine with a GPU: the step of every optimizer beside AdamW's, its memory, AlphaAdam's\n"
        "step in each framework that finds the GPU, and gpt2-small trained for as many steps as fit. Each part has\n"
        "its own process and time; what fails is named in summary.json. The folder is small: keep it as\n"
        "bench/results/gpu-MACHINE.",
        epilog="""examples:
  python -m bench gpu --output bench/results/gpu-h200
  python -m bench gpu --data owt --minutes 30              on OpenWebText, see `python -m bench prepare --help`
  python -m bench gpu --device cpu --shapes 10x1000 --task gpt2-nano --minutes 3     try it without a GPU
""",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=RESULTS / f"gpu-{platform.node()}",
        metavar="FOLDER",
        help="folder of the results (default: bench/results/gpu- and this machine's name)",
    )
    parser.add_argument(
        "--minutes", type=_minutes, default=10.0, help="how long everything may take (default: %(default)s)"
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="default: %(default)s")
    parser.add_argument(
        "--shapes",
        default="gpt2-small,gpt2-medium",
        metavar="SHAPES,…",
        help="tensors whose step is timed; the first in every framework (default: %(default)s)",
    )
    parser.add_argument("--task", choices=tuple(TASKS), default="gpt2-small", help="default: %(default)s")
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="the task's train.bin and val.bin (default: made of the Bible)"
    )
    parser.set_defaults(run=_gpu)


def _minutes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes > 0")
    return value


def _gpu(options: argparse.Namespace) -> int:
    if options.device == "cuda":
        from bench.names import load_speed_module

        if "cuda" not in load_speed_module("torch").devices():
            raise RuntimeError("PyTorch finds no CUDA device here; --device cpu tries the command without one")
    output = options.output.resolve()
    summary = measure(
        output,
        options.minutes,
        device=options.device,
        shapes=options.shapes.split(","),
        task=options.task,
        data=options.data and options.data.resolve(),
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    print(render(summary, output), end="")
    print(f"wrote {output}", file=sys.stderr)
    return int(any(part["outcome"] != "finished" for part in summary["parts"]))
