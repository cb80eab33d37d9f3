"""One rank: ``python -m tianji.backends.mindspore.worker SPEC RANK`` trains and keeps its journal; rank ``-1`` is the scheduler.

MindSpore's ranks find each other through a scheduler process and variables of the environment (its dynamic cluster).
"""

from __future__ import annotations

import os
import sys
import traceback
from functools import partial
from pathlib import Path

from tianji.backends.agent import die_with_parent
from tianji.backends.journal import Journal
from tianji.backends.mindspore.weights import WEIGHTS
from tianji.backends.spec import Spec
from tianji.errors import TianjiError

SCHEDULER = -1


def main(path: str, rank: int) -> int:
    """Run one rank of a spec to its end; return the exit code."""
    die_with_parent()
    if rank == SCHEDULER:
        from mindspore.communication import init

        init("mccl")
        return 0
    spec = Spec.read(Path(path))
    folder = Path(spec.options.out)
    journal = Journal(folder, rank)
    try:
        from tianji.backends.mindspore.loop import train

        facts = train(
            spec.plan, rank, spec.options, folder / WEIGHTS, on_step=partial(journal.write, "step"),
            probe=folder / f"rank-{rank:05d}.npz" if os.environ.get("TIANJI_PROBE") else None,
        )  # fmt: skip
    except Exception as error:
        traceback.print_exc()
        message = str(error) if isinstance(error, TianjiError) else f"{type(error).__name__}: {error}"
        journal.write("failed", message=message[:2000])
        return 1
    journal.write("done", **facts)
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1], int(sys.argv[2]))
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: MindSpore's own threads hold some processes for half a minute, waiting for ranks that have left.
    os._exit(code)
