"""All exceptions that Tianji raises on purpose.

TianjiError
└── InputError                 the user's input; the command line exits with code 2
    ├── FormatError            a file or value that cannot be read: syntax, missing or misspelt key, wrong unit
    ├── UnknownNameError       a name that no catalog, list or table holds
    ├── UnknownFigureError     a figure that nobody published and that this job needs
    ├── UnsupportedModelError  an architecture that the reader does not understand
    ├── IllegalStrategyError   degrees or switches that contradict each other, the job or the pool
    ├── EnvelopeError          a closed form is asked for beyond where it holds
    ├── InfeasibleError        a legal request that no plan fulfils
    ├── ExportError            a plan that an engine or scheduler cannot express
    ├── MissingExtraError      an optional part of the installation that the request needs
    └── RunError               a run that could not start or did not end well
        └── MessageError       what an agent and its supervisor say to each other cannot be read

A message says what was expected, what came, what is known, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

SHORTEST_PART = 3
"""Letters from which on a part of a name points to it."""
LONGEST_NAME = 80
"""Letters of a name that a message repeats."""


class TianjiError(Exception):
    """Base of every exception that Tianji raises on purpose."""


class InputError(TianjiError):
    """Something that the user gave cannot be used; the message says what to do."""


class FormatError(InputError):
    """A file or a value cannot be read."""


class UnknownNameError(InputError):
    """A name is not in the list it was looked up in."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        near = find_near(name, names)
        nearest = f"; did you mean {' or '.join(near)}?" if near else ""
        listing = f" Known: {', '.join(names)}." if not near and len(names) <= 30 else ""
        end = "" if near else "."
        shown = repr(name) if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]!r} and so on"
        super().__init__(f"unknown {kind} {shown}{nearest}{end}{listing}{' ' + hint if hint else ''}")


def find_near(name: str, names: Iterable[str], most: int = 3) -> list[str]:
    """Return the names that an unknown one may mean: those that begin with it, else that hold it, else that resemble it.

    >>> find_near("h100", ["a100", "h100-sxm", "hgx-h100"]), find_near("hgx-h101", ["a100", "hgx-h100"])
    (['h100-sxm', 'hgx-h100'], ['hgx-h100'])
    """
    wanted, known = name.lower(), sorted(names)
    whole = [n for n in known if len(wanted) >= SHORTEST_PART and wanted in n.lower()]
    first = sorted(whole, key=lambda n: not n.lower().startswith(wanted))
    return first[:most] or get_close_matches(wanted, known, n=most, cutoff=0.5)


class UnknownFigureError(InputError):
    """A plan needs a figure that nobody published; ``option`` is how a command takes it, None: only a file does."""

    def __init__(self, owner: str, figure: str, why: str = "", option: str | None = None) -> None:
        self.owner, self.figure = owner, figure
        reason = f" ({why})" if why else ""
        supply = option or (
            f"copy the entry with `tianji browse chips {owner} --toml > {owner}.toml`, fill in the figure with a source,"
            " and name that file in a pool file of your own (docs/catalog.md)"
        )
        super().__init__(f"{owner} has no published {figure}, which this job needs{reason}. Supply it: {supply}.")


class UnsupportedModelError(InputError):
    """A model architecture is not understood."""


class IllegalStrategyError(InputError):
    """The degrees or switches contradict each other, the job or the pool."""


class EnvelopeError(InputError):
    """A closed form is asked for where its assumptions fail; the message says which, and what answers instead."""


class InfeasibleError(InputError):
    """No plan fulfils the request; the message names the closest miss."""


class ExportError(InputError):
    """An engine or scheduler cannot express the plan; what it would run instead is another plan."""


class MissingExtraError(InputError):
    """An optional part of the installation is missing."""

    def __init__(self, extra: str, module: str) -> None:
        super().__init__(
            f"this needs {module}, which is not installed; install it from a checkout of Tianji: pip install '.[{extra}]'"
        )


class RunError(InputError):
    """A run could not start, or a worker failed; the message says which and where its log is."""


class MessageError(RunError):
    """What came between an agent and its supervisor is no message of theirs; the message says what was expected."""
