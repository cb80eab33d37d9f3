"""The document of ``tianji pool up`` and ``down``: the node that was started on this machine, or ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from tianji.backends.ray_cluster.pool_state import PoolState


class PoolNodeDocument(TypedDict):
    """All that ``tianji pool up`` and ``tianji pool down`` answer."""

    document: Literal["pool_node"]
    is_up: bool
    """True after ``up``, false after ``down``."""
    role: str
    """``head`` or ``node``."""
    address: str
    """Where the head listens, ``host:port``."""
    host: str
    """The node's own address."""
    chips: int
    """That it offers."""
    pid: int
    """Leader of the process group of all that was started."""
    started: str
    """When that process started, by the kernel's clock."""
    folder: str
    """Sockets and logs of the node."""
    token_file: str
    """What another node needs a copy of, to join."""


def pool_node_document(state: PoolState, *, is_up: bool) -> PoolNodeDocument:
    """Return a node of a pool that is up, or that was ended."""
    return {
        "document": "pool_node",
        "is_up": is_up,
        "role": state.role,
        "address": state.address,
        "host": state.host,
        "chips": state.chips,
        "pid": state.pid,
        "started": state.started,
        "folder": state.folder,
        "token_file": state.token_file,
    }
