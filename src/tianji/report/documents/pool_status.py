"""The document of ``tianji pool status``: what a pool under Ray holds now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

from tianji.report.documents.checked_lines import pool_line
from tianji.report.documents.three_lines import BottomLineDocument

if TYPE_CHECKING:
    from tianji.backends.ray_cluster.pool_control import PoolStatus


class HostDocument(TypedDict):
    """One host of a pool."""

    host: str
    is_alive: bool
    chips: int
    cpus: int
    place: str
    """Where it stands, as its host was told."""


class PoolStatusDocument(TypedDict):
    """All that ``tianji pool status`` answers."""

    document: Literal["pool_status"]
    bottom_line: BottomLineDocument
    address: str
    nodes: list[HostDocument]
    chips: int
    """Of the living nodes."""
    free: int
    """Chips that no run holds."""


def pool_status_document(status: PoolStatus) -> PoolStatusDocument:
    """Return what a pool holds now."""
    return {
        "document": "pool_status",
        "bottom_line": pool_line(
            status.address, len(status.nodes), sum(not n.is_alive for n in status.nodes), status.chips, status.free
        ),
        "address": status.address,
        "nodes": [
            {"host": n.host, "is_alive": n.is_alive, "chips": n.chips, "cpus": n.cpus, "place": n.place}
            for n in status.nodes
        ],
        "chips": status.chips,
        "free": status.free,
    }
