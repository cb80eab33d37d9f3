"""Starts the command, as ``tianji`` and as ``python -m tianji``; an interruption while it starts is one line, too."""

import sys


def start() -> None:
    """Run the command line; what it needs is imported where an interruption is caught."""
    try:
        from tianji.cli import main

        main()
    except KeyboardInterrupt:
        print("tianji: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    start()
