"""The agent of one node of a measurement: ``python -m tianji.backends.microbenchmarks.agent ORDERS``."""

from __future__ import annotations

import functools
import sys
from pathlib import Path

from tianji.backends.agent import Crew, die_with_parent, supervise
from tianji.backends.microbenchmarks.orders import Orders


def main(path: str) -> int:
    """Let the ranks of some orders measure; return the exit code."""
    die_with_parent()
    orders = Orders.read(Path(path))
    from tianji.backends.microbenchmarks.session import measure_rank  # before the forks: torch is imported once for all

    crew = Crew(orders.out, orders.first, orders.count, orders.rendezvous)
    return supervise(crew, functools.partial(measure_rank, orders))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
