"""``tianji.operate.status``, ``report``, ``stop``, ``cordon`` and ``uncordon``: an operation that runs, or ran, in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from tianji.api import operating
from tianji.api.answer import Answer
from tianji.api.door import python_door
from tianji.api.requests import File
from tianji.errors import FormatError
from tianji.operation.attempt_trace import write_trace
from tianji.operation.folder import OperationRequest, send_request
from tianji.operation.history import OperationHistory, read_history
from tianji.operation.operating import Order
from tianji.report.documents.operation_report import operation_report_document
from tianji.report.documents.operation_request import operation_request_document
from tianji.report.documents.operation_status import operation_status_document

P = ParamSpec("P")
T_co = TypeVar("T_co", covariant=True)

MOST_RANGE = 131_072
"""Chips that one range of a list may name."""
Chips = str | int | list[int] | tuple[int, ...]


def tell_status(folder: File) -> Answer[OperationHistory]:
    """Say where an operation stands: state, steps, chips, pace, who operates it.

    Raises FormatError for a ``folder`` that holds no operation.
    """
    history = read_history(Path(folder))
    summary = (
        f"operation in {folder}: {history.state}, {history.done_steps:,} of {history.order.settings.steps:,} steps"
    )
    return Answer(history, summary, partial(operation_status_document, history))


def tell_report(folder: File, *, trace: File | None = None) -> Answer[OperationHistory]:
    """Tell an operation from its first attempt to its last: failures, losses, account.

    ``trace`` is a file that also takes the attempts, for Perfetto. Raises FormatError
    for a ``folder`` that holds no operation.
    """
    history = read_history(Path(folder))
    notes: tuple[str, ...] = ()
    if trace is not None:
        write_trace(history, Path(trace))
        notes = (f"the attempts are written to {os.fspath(trace)}; open it at ui.perfetto.dev",)
    summary = f"operation in {folder}: {history.state}, {len(list(history.attempts())):,} attempts"
    return Answer(history, summary, partial(operation_report_document, history), notes=notes)


def stop(folder: File) -> Answer[OperationRequest]:
    """Ask the operation of a folder to save and end, as SIGTERM does.

    ``tianji.operate(resume=folder)`` goes on with it. Raises FormatError for a folder
    that holds no operation, RunError where nobody operates it now.
    """
    return _ask(folder, "stop", ())


def cordon(folder: File, *, chips: Chips) -> Answer[OperationRequest]:
    """Take chips out, for a repair; a job on one of them saves and goes on without.

    ``chips`` are numbers, or a text like ``"0-7,12"``. Raises FormatError for chips
    that the operation does not have, RunError where nobody operates it now.
    """
    return _ask(folder, "cordon", read_chips(chips))


def uncordon(folder: File, *, chips: Chips) -> Answer[OperationRequest]:
    """Give chips back that were taken out.

    Arguments and errors are those of ``tianji.operate.cordon``.
    """
    return _ask(folder, "uncordon", read_chips(chips))


PARTS: dict[str, Callable[..., Answer[Any]]] = {
    "status": tell_status, "report": tell_report, "stop": stop, "cordon": cordon, "uncordon": uncordon,
}  # fmt: skip
"""The functions by the names that they have behind ``tianji.operate``."""


def _ask(folder: File, request: str, chips: tuple[int, ...]) -> Answer[OperationRequest]:
    place = Path(folder)
    pool = Order.read(place).plan.pool
    outside = [chip for chip in chips if chip >= pool.chips]
    if outside:
        raise FormatError(f"--chips: the operation has chips 0 to {pool.chips - 1:,}, got {outside[0]:,}")
    sent = send_request(place, request, chips)
    summary = f"asked the operation in {folder} to {request}"
    return Answer(sent, summary, partial(operation_request_document, str(place), request, chips))


def read_chips(chips: Chips) -> tuple[int, ...]:
    """Return the chips that numbers, or a text of numbers and ranges, name.

    Raises FormatError for anything else.

    >>> read_chips("0-2, 7"), read_chips([3, 1])
    ((0, 1, 2, 7), (1, 3))
    """
    text = chips if isinstance(chips, str) else ",".join(map(str, [chips] if isinstance(chips, int) else chips))
    named: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not 0 <= last - first < MOST_RANGE:
            raise FormatError(f"--chips: expected numbers and ranges like 0-7,12, got {text!r:.60}")
        named |= set(range(first, last + 1))
    return tuple(sorted(named))


class _Operate(Protocol[P, T_co]):
    """``tianji.operate``: it is called, and has the parts as attributes, as the command has them behind its name."""

    status: Callable[[File], Answer[OperationHistory]]
    report: Callable[..., Answer[OperationHistory]]
    stop: Callable[[File], Answer[OperationRequest]]
    cordon: Callable[..., Answer[OperationRequest]]
    uncordon: Callable[..., Answer[OperationRequest]]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T_co: ...


def _with_parts(function: Callable[P, T_co]) -> _Operate[P, T_co]:
    for name, part in PARTS.items():
        part = python_door(part)
        part.__name__ = name
        setattr(function, name, part)
    return cast(_Operate[P, T_co], function)


operate = _with_parts(operating.operate)
