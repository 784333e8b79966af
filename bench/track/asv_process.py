"""asv in a process that ends with the one that started it: ``python -P asv_process.py ARGUMENTS OF ASV``.

It imports nothing of this package, so that a run of asv depends on asv alone.
"""

import ctypes
import os
import signal
import sys
from types import FrameType

_PR_SET_PDEATHSIG = 1


def _end(number: int, frame: FrameType | None) -> None:
    """As Ctrl-C does it: asv ends its own processes, which a signal that ends asv at once would leave behind."""
    raise KeyboardInterrupt


def main() -> None:
    """Runs asv's command line."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)  # is ignored by default in what a shell runs in the background
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != int(os.environ["TRACK_PROCESS"]):
            sys.exit("the process that started this one has ended")
    from asv.main import main as asv

    sys.argv[0] = "asv"
    asv()


if __name__ == "__main__":
    main()
