"""Running an adapter, for each of its optimizers, in a process of its own, which may crash or hang without the run."""

import multiprocessing
import sys
import traceback
from collections.abc import Callable, Generator, Sequence
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from suite import adapters
from suite.adapters import Adapter
from suite.check import VectorTest

T = TypeVar("T")

#: Seconds to import a framework, on a slow machine.
_START_LIMIT = 300


class AdapterError(Exception):
    """An adapter could not be started at all; the message says why and what to do."""


class Child:
    """A process that has an adapter and answers one test after another.

    Args:
        name: Name of the adapter.
        tests: All tests; the child is told which by their index.
        task: What it does with the adapter and a test, a function of a module; its answer is no text.

    Attributes:
        versions: What the adapter says of itself.
        optimizers: The optimizers that it implements.

    Raises:
        AdapterError: The adapter cannot be imported or made.
    """

    def __init__(self, name: str, tests: Sequence[VectorTest], task: Callable[[Adapter, VectorTest], Any]) -> None:
        # Spawned, not forked: a framework must not inherit another's threads, and Keras reads its backend once.
        context = multiprocessing.get_context("spawn")
        self._pipe, remote = context.Pipe()
        self._process = context.Process(target=_serve, args=(name, tests, task, remote), daemon=True)
        self._process.start()
        remote.close()
        answer = self._receive(_START_LIMIT)
        if not isinstance(answer, tuple):
            self.stop()
            raise AdapterError(f"adapter {name}: {answer}")
        self.optimizers, self.versions = answer

    def ask(self, index: int, limit: float) -> Any:
        """What the task gives for a test, or a text: how the process failed; then it is no longer of use."""
        try:
            self._pipe.send(index)
        except OSError:
            return self._death()
        return self._receive(limit)

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._pipe.close()
        self._process.kill()
        self._process.join()

    def _receive(self, limit: float) -> Any:
        if not self._pipe.poll(limit):
            return f"no answer within {limit:g} seconds; its process was ended. A longer --time-limit gives it more"
        try:
            return self._pipe.recv()
        except (EOFError, ConnectionError):
            return self._death()

    def _death(self) -> str:
        self._process.join(10)
        return f"its process died with exit code {self._process.exitcode} (negative: by that signal)"


def _serve(
    name: str, tests: Sequence[VectorTest], task: Callable[[Adapter, VectorTest], Any], pipe: Connection
) -> None:
    """What the child does: make the adapter, then answer."""
    try:
        made = adapters.create(name)
        versions = {key: value for adapter in made.values() for key, value in adapter.versions().items()}
        pipe.send((frozenset(made), versions))
    except ImportError as error:
        pipe.send(f"{error}. Install what it needs, for example: python -m pip install -c constraints.txt '.[torch]'")
        return
    except Exception:
        pipe.send(f"cannot be made.\n{traceback.format_exc()}")
        return
    while True:
        try:
            index = pipe.recv()
        except (EOFError, ConnectionError):
            return
        pipe.send(task(made[tests[index].optimizer], tests[index]))


def run(
    name: str,
    tests: Sequence[VectorTest],
    task: Callable[[Adapter, VectorTest], T],
    limit: float,
) -> tuple[dict[str, str], list[str], Generator[tuple[VectorTest, T | str], None, None]]:
    """Start an adapter and run the tests that are for its optimizers.

    Args:
        name: Name of the adapter.
        tests: The tests.
        task: What is done with the adapter and a test, a function of a module; its answer is no text.
        limit: Seconds that one test may take.

    Returns:
        What the adapter says of itself, the optimizers that it offers, and each test with its answer as they come. For
        a test that crashes or hangs the answer is a text that says so, and the next one gets a new process.

    Raises:
        AdapterError: The adapter cannot be started.
    """
    child = Child(name, tests, task)

    def answers() -> Generator[tuple[VectorTest, T | str], None, None]:
        current, count = child, 0
        try:
            for index, test in enumerate(tests):
                if test.optimizer not in current.optimizers:
                    continue
                answer = current.ask(index, limit)
                if isinstance(answer, str):
                    current.stop()
                    current = Child(name, tests, task)
                count += 1
                if count % 200 == 0:
                    print(f"{name}: {count} tests ...", file=sys.stderr, flush=True)
                yield test, answer
        finally:
            current.stop()
            print(f"{name}: {count} tests done", file=sys.stderr, flush=True)

    return child.versions, sorted(child.optimizers), answers()
