"""The command line: ``python -m suite run | agree | generate | lint``."""

import argparse
import sys
from collections import Counter
from pathlib import Path

from suite import adapters, agree, generate, lint, load, run

_RESULTS = Path("results/conformance.json")
_AGREEMENT = Path("results/agreement.json")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except (load.VectorFileError, ValueError) as error:
        print(f"suite: {error}", file=sys.stderr)
        return 2
    return status


def _run(options: argparse.Namespace) -> int:
    names = adapters.expand(options.adapter)
    document = run.run(
        names,
        *load.load_usable(options.vectors),
        only=options.only,
        flag=options.flag,
        time_limit=options.time_limit,
        fail_fast=options.fail_fast,
        jobs=options.jobs,
    )
    run.write(document, options.output)
    print(run.matrix(document))
    failed = run.failures(document)
    for result in failed[: options.show]:
        where = " ".join(filter(None, [result["adapter"], result["file"], result["id"], result["dtype"]]))
        print(f"\n{result['outcome'].upper()} {where}\n  {result['message'].strip()}")
    if len(failed) > options.show:
        print(f"\n… and {len(failed) - options.show} more in {options.output}")
    missing = document["suite"]["unusable"] + [a["error"] for a in document["adapters"] if "error" in a]
    for message in missing:
        print(f"\nERROR {message.strip()}")
    counts = Counter(result["outcome"] for result in document["results"])
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "no test was run"
    print(f"\n{summary}. Results: {options.output}")
    return 1 if failed or missing or not counts else 0


def _agree(options: argparse.Namespace) -> int:
    document = agree.run(
        adapters.expand(options.adapter or agree.IMPLEMENTATIONS),
        *load.load_usable(options.vectors),
        only=options.only,
        flag=options.flag,
        time_limit=options.time_limit,
        jobs=options.jobs,
    )
    run.write(document, options.output)
    print(agree.table(document))
    found = agree.problems(document)
    for message in found[: options.show]:
        print(f"\nERROR {message}")
    if len(found) > options.show:
        print(f"\n… and {len(found) - options.show} more in {options.output}")
    counts = Counter(case["outcome"] for pair in document["pairs"] for case in pair["cases"])
    compared = counts["equal"] + counts["apart"]
    summary = f"{compared} cases compared, {counts['equal']} of them bitwise equal; {counts['skipped']} skipped"
    print(f"\n{summary}. Results: {options.output}")
    return 1 if found or not compared else 0


def _generate(options: argparse.Namespace) -> int:
    if not options.check:
        changed = generate.write()
        print("\n".join(f"wrote {name}" for name in changed) or "nothing to change")
        return 0
    different = generate.differing()
    for name in different:
        print(f"suite: vectors/{name} is not what the oracle generates. Run: python -m suite generate", file=sys.stderr)
    if not different:
        print("every vector file is byte-identical to what the oracle generates")
    return 1 if different else 0


def _lint(options: argparse.Namespace) -> int:
    problems = lint.lint(options.vectors)
    print("\n".join(problems) or "no problems found")
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m suite", description="Conformance vectors for AlphaAdam: run them, generate them, check them."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser(
        "run",
        help="run the vectors against implementations",
        description="Run every vector against one or more implementations, print a matrix of outcomes and write all "
        "results as JSON. The exit status is 1 if a test fails, 2 if the run was not possible.",
        epilog="example: python -m suite run --adapter torch --adapter optax --adapter keras",
    )
    command.add_argument(
        "--adapter",
        action="append",
        required=True,
        metavar="NAME",
        help=f"implementation to test, may be repeated: {', '.join(adapters.ADAPTERS)}; keras for all its backends; "
        "stock for the frameworks' own AdamW; settings for AlphaAdam set to be another optimizer; or "
        "path/to/file.py:ClassName for one of yours",
    )
    command.add_argument("--fail-fast", action="store_true", help="end each adapter with its first test that fails")
    _add_common(command, _RESULTS)
    command.set_defaults(command=_run)

    command = commands.add_parser(
        "agree",
        help="compare two implementations of one optimizer with one another",
        description="Run every two implementations that a framework has of one optimizer on the inputs of the vectors, "
        "and measure after each step how far apart their parameters are. What the vectors expect plays no part. Prints "
        "a Markdown table and writes every case as JSON. A distance is a finding and no failure; where suite/"
        "deviations.json says that one of the two deviates from the vectors, that stands with the case. The exit "
        "status is 1 if something could not be run or nothing was compared, 2 if no two of the adapters fit together.",
        epilog="example: python -m suite agree --adapter torch-baselines --adapter torch-libraries; without --adapter "
        "every implementation is compared with every other one of its framework",
    )
    command.add_argument(
        "--adapter",
        action="append",
        metavar="NAME",
        help="implementation to compare, at least twice, by its name for `python -m suite run`; two ways to run one "
        "implementation, such as torch-loop and torch-fused, may be named too (default: "
        f"{', '.join(agree.IMPLEMENTATIONS)})",
    )
    _add_common(command, _AGREEMENT)
    command.set_defaults(command=_agree)

    command = commands.add_parser(
        "generate",
        help="write the vector files from the oracle",
        description="Compute every case with the mpmath oracle and write the vector files.",
    )
    command.add_argument("--check", action="store_true", help="write nothing; fail unless every file is byte-identical")
    command.set_defaults(command=_generate)

    command = commands.add_parser(
        "lint",
        help="check vector files beyond their schema",
        description="Check that vector files fit the schema and are canonical, unambiguous, explained and exact.",
    )
    command.add_argument(
        "--vectors", type=Path, default=load.VECTORS, help="folder of vector files (default: the suite's)"
    )
    command.set_defaults(command=_lint)
    return parser


def _add_common(command: argparse.ArgumentParser, output: Path) -> None:
    """What every command that runs adapters takes."""
    command.add_argument("--only", default="*", metavar="PATTERN", help="run tests whose id fits, e.g. 'alphaadam/*'")
    command.add_argument("--flag", help="run tests that have this flag, e.g. Subnormal")
    command.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="adapters that run at the same time (default: %(default)s)"
    )
    command.add_argument(
        "--time-limit", type=float, default=60.0, metavar="SECONDS", help="for one test (default: %(default)s)"
    )
    command.add_argument("--output", type=Path, default=output, help="results file (default: %(default)s)")
    command.add_argument(
        "--vectors", type=Path, default=load.VECTORS, help="folder of vector files (default: the suite's)"
    )
    command.add_argument(
        "--show", type=int, default=10, metavar="N", help="print at most N failures (default: %(default)s)"
    )


if __name__ == "__main__":
    sys.exit(main())
