"""One process (rank) of a gloo group, for test_torch_distributed.py.

    python -m tests.implementations.torch.distributed WORLD_SIZE RANK FOLDER

It runs the checks of its group's size, one after the other, and writes a line of JSON for each into FOLDER. It ends
with the first that fails, since the others may be waiting for it in a collective; their connection then breaks, and
they end, too.
"""

import datetime
import faulthandler
import json
import os
import sys
import time
import traceback
from pathlib import Path

import torch
import torch.distributed as dist

from tests.implementations.torch.distributed import CHECKS, TIME_LIMIT


def main(world_size: int, rank: int, folder: Path) -> None:
    faulthandler.dump_traceback_later(TIME_LIMIT, exit=True)
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=(folder / f"rendezvous-{world_size}").as_uri(),
        rank=rank,
        world_size=world_size,
        timeout=datetime.timedelta(seconds=TIME_LIMIT / 2),
    )
    with open(folder / f"outcomes-{world_size}-{rank}.jsonl", "w", encoding="utf-8") as file:
        for name, function in CHECKS[world_size].items():
            error, start = None, time.perf_counter()
            try:
                function(*([folder] if function.__code__.co_argcount else []))
                dist.barrier()
            except BaseException:
                error = traceback.format_exc()
            file.write(json.dumps({"check": name, "seconds": time.perf_counter() - start, "error": error}) + "\n")
            file.flush()
            if error is not None:
                os._exit(1)  # at once: whoever waits for this rank learns of it
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
