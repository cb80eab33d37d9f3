"""The command line: parse, call, print. Each command lives in a file of its own and is imported when it is called."""

from tianji.cli.group import main

__all__ = ["main"]
