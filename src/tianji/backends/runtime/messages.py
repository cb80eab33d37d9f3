"""All that is said between the one who supervises a job and the agents of its nodes, and how it is written on the wire.

Orders go to an agent, reports come from it. A message is a frozen dataclass; on the wire it is a JSON object on one line, whose
``message`` is the name of its class. Any of them may be lost or come late: orders are repeated until a report shows that they
were followed, and a report states what is, never what has changed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from tianji.errors import MessageError
from tianji.units import Seconds

EXACT = 2**53
"""Whole numbers below it are what they are as floats, too."""
SHOWN = 80
"""Letters of a message that cannot be read which the error repeats."""


@dataclass(frozen=True, slots=True)
class NodeSetup:
    """What an agent is started with: chips ``first`` to ``first + count - 1`` of a job, and what their ranks do."""

    task: str
    """One of :data:`tianji.backends.runtime.tasks.TASKS`."""
    first: int
    count: int
    lease: Seconds = float("inf")
    """The agent ends its workers when no report that it sent in this time was acknowledged."""
    is_apart: bool = False
    """The host does not see the folder of the job: files are written elsewhere and sent as :class:`RankFile`."""


# --- orders ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenStore:
    """Open the store at which the ranks of an attempt meet; a :class:`StoreOpened` answers."""

    attempt: int
    port: int = 0
    """0: any port that is free."""


@dataclass(frozen=True, slots=True)
class RankSeat:
    """The chip of a rank, and its place among the ranks that share its machine."""

    chip: int
    rank: int
    local_rank: int
    local_size: int


@dataclass(frozen=True, slots=True)
class StartRanks:
    """Start the ranks of an attempt that sit on this node; those that run already, or ran, are left alone."""

    attempt: int
    folder: str
    """Where journals and logs go."""
    payload: str
    """What the task does, as the task itself wrote it down."""
    rendezvous: str
    """Where all ranks meet, ``tcp://host:port/name``."""
    step: int
    """The last step that is done already; -1: none."""
    ranks: tuple[RankSeat, ...]


@dataclass(frozen=True, slots=True)
class StopRanks:
    """End the ranks of all attempts up to this one, and start none of these any more."""

    attempt: int


@dataclass(frozen=True, slots=True)
class RenewLease:
    """The report that was sent at this moment of the agent's own clock has arrived."""

    sent_at: Seconds


# --- reports --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """The last worker of a chip."""

    attempt: int
    step: int
    """Index of the last step that it finished; -1: none."""
    silence: Seconds
    """Since it gave its last sign of life."""
    code: int | None = None
    """Exit code, below zero for a signal; None: it is alive."""
    message: str = ""
    """What it wrote about its end."""
    pid: int = 0


@dataclass(frozen=True, slots=True)
class ChipReport:
    """What a node says of one of its chips."""

    chip: int
    healthy: bool
    worker: WorkerReport | None = None

    def busy(self) -> bool:
        """Whether a worker is alive on it."""
        return self.worker is not None and self.worker.code is None


@dataclass(frozen=True, slots=True)
class NodeState:
    """The state of a node: sent every second, and at once when a worker ends or an order was followed."""

    sent_at: Seconds
    """By the agent's own clock."""
    stopped: int
    """The attempt up to which it has ended all workers and starts none any more."""
    chips: tuple[ChipReport, ...]


@dataclass(frozen=True, slots=True)
class StoreOpened:
    """The store of an attempt is open at an address, ``tcp://host:port/name``."""

    attempt: int
    rendezvous: str


@dataclass(frozen=True, slots=True)
class RankFile:
    """A file that a rank of a host apart has written, whole: sent before the report that the rank has ended."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The agent cannot do what an order asks; ``attempt`` is 0 where it does not even understand it."""

    attempt: int
    reason: str


Order = OpenStore | StartRanks | StopRanks | RenewLease
Report = NodeState | StoreOpened | RankFile | Refused
ORDERS: tuple[type[Order], ...] = get_args(Order)
REPORTS: tuple[type[Report], ...] = get_args(Report)
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in (*ORDERS, *REPORTS, NodeSetup)}


# --- the wire -------------------------------------------------------------------------------------------------


def encode(message: Order | Report | NodeSetup) -> bytes:
    """Return a message as one line of JSON, without the line's end.

    >>> encode(OpenStore(attempt=3))
    b'{"message": "OpenStore", "attempt": 3, "port": 0}'
    """
    return json.dumps({"message": type(message).__name__, **asdict(message)}).encode()


def decode_order(line: bytes | str) -> Order:
    """Return the order that a line holds.

    Raises MessageError, with what came and what was expected, for anything else.
    """
    order: Order = _decode(line, ORDERS)
    return order


def decode_report(line: bytes | str) -> Report:
    """Return the report that a line holds.

    Raises MessageError, with what came and what was expected, for anything else.
    """
    report: Report = _decode(line, REPORTS)
    return report


def decode_setup(line: bytes | str) -> NodeSetup:
    """Return the setup that a line holds.

    Raises MessageError, with what came and what was expected, for anything else.
    """
    setup: NodeSetup = _decode(line, (NodeSetup,))
    return setup


def _decode(line: bytes | str, expected: tuple[type[Any], ...]) -> Any:
    names = [kind.__name__ for kind in expected]
    try:
        document = json.loads(line)
        name = document.pop("message")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise MessageError(f"expected a message in JSON ({', '.join(names)}), got {line[:SHOWN]!r}") from None
    if name not in names:
        raise MessageError(f"expected {' or '.join(names)}, got the message {str(name)[:SHOWN]!r}")
    return _read(_KINDS[name], document, name)


def _read(kind: Any, value: Any, where: str) -> Any:
    """Return a JSON value as the type that a field has; every field must be there, and no other."""
    if is_dataclass(kind):
        return _read_fields(kind, value, where)
    if get_origin(kind) is UnionType:
        (other,) = (part for part in get_args(kind) if part is not type(None))
        return None if value is None else _read(other, value, where)
    if get_origin(kind) is tuple:
        _require(isinstance(value, list), where, "a list", value)
        return tuple(_read(get_args(kind)[0], entry, f"{where}[{i}]") for i, entry in enumerate(value))
    if kind is float:
        is_number = isinstance(value, float) or (type(value) is int and abs(value) < EXACT)
        _require(is_number, where, "a number", value)
        return float(value)
    _require(type(value) is kind, where, kind.__name__, value)
    return value


def _read_fields(kind: Any, value: Any, where: str) -> Any:
    names = [field.name for field in fields(kind)]
    _require(isinstance(value, dict), where, "an object", value)
    if sorted(value) != sorted(names):
        raise MessageError(f"{where}: expected {', '.join(names)}, got {', '.join(map(str, value)) or 'nothing'}")
    hints = _hints(kind)
    return kind(**{name: _read(hints[name], value[name], f"{where}.{name}") for name in names})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _require(holds: bool, where: str, expected: str, value: Any) -> None:
    if not holds:
        raise MessageError(f"{where}: expected {expected}, got {str(value)[:SHOWN]!r}")
