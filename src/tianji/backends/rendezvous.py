"""The store at which the ranks of an attempt meet, kept by somebody who outlives every rank."""

from __future__ import annotations


def open_keeper(host: str) -> tuple[object, int]:
    """Return a store on a free port of this host, by its address, which lives as long as the object does, and the port."""
    from torch.distributed import TCPStore

    store = TCPStore(host, 0, is_master=True, wait_for_workers=False)
    return store, store.port
