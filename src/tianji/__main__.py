"""Starts the command, as ``tianji`` and as ``python -m tianji``; an interruption while it starts is one line, too."""

import gc
import sys

SELDOM = 50_000
"""New objects after which Python looks for cycles: nearly all that a command makes lives until it ends."""


def start() -> None:
    """Run the command line; what it needs is imported where an interruption is caught."""
    gc.set_threshold(SELDOM)
    try:
        from tianji.cli import main

        main()
    except KeyboardInterrupt:
        print("tianji: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    start()
