"""The benchmarks outside asv.

``python -m bench run`` trains a task once, ``compare`` compares optimizers on it, ``speed`` times the optimizer's step
in every framework, ``scaling`` over many sizes in PyTorch.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from bench.changes.commands import add_commands as add_changes_commands
from bench.compare.commands import add_commands as add_compare_commands
from bench.costs.commands import add_commands as add_costs_commands
from bench.gpu.commands import add_commands as add_gpu_commands
from bench.prepare.commands import add_commands as add_prepare_commands
from bench.root_coefficients.commands import add_commands as add_root_commands
from bench.run_commands import add_commands as add_run_commands
from bench.speed.commands import add_commands as add_speed_commands
from bench.track.commands import add_commands as add_track_commands
from bench.track.merge_commands import add_commands as add_merge_commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, RuntimeError, OSError, ModuleNotFoundError) as error:
        print(f"python -m bench {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; nothing was written in part, and what was finished is kept", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="The benchmarks outside asv. A task fixes model, data, batch order, initial weights and schedule,"
        " so that records of the same task digest can be compared; run and compare train it. speed and scaling time"
        " AlphaAdam's step alone, costs that of every optimizer.",
    )
    commands = parser.add_subparsers(dest="command", required=True)

    add_run_commands(commands)
    add_compare_commands(commands)
    add_costs_commands(commands)
    add_prepare_commands(commands)
    add_speed_commands(commands)
    add_track_commands(commands)
    add_merge_commands(commands)
    add_changes_commands(commands)
    add_gpu_commands(commands)
    add_root_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
