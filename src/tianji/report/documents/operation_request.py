"""The document of ``tianji operate stop``, ``cordon`` and ``uncordon``: what an operation was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict


class OperationRequestDocument(TypedDict):
    """All that ``tianji operate stop``, ``cordon`` and ``uncordon`` answer."""

    document: Literal["operation_request"]
    folder: str
    request: str
    """``stop``, ``cordon`` or ``uncordon``."""
    chips: list[int]
    """Those to take out or to give back; empty for ``stop``."""


def operation_request_document(folder: str, request: str, chips: Sequence[int]) -> OperationRequestDocument:
    """Return what the operation of a folder was asked for."""
    return {"document": "operation_request", "folder": folder, "request": request, "chips": list(chips)}
