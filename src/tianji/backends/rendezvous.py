"""The store at which the ranks of torch meet, kept by somebody who outlives every rank."""

from __future__ import annotations

import signal
from urllib.parse import urlsplit

import torch.distributed as dist

from tianji.backends.runtime.tasks import Serve


def open_store(host: str, port: int) -> tuple[Serve, int]:
    """Open a store on a port of this host (0: any), by the host's address; return what keeps it open, and its port.

    Raises OSError when the port is taken.
    """
    try:
        store = dist.TCPStore(host, port, is_master=True, wait_for_workers=False)
    except dist.DistNetworkError as error:
        raise OSError(str(error).splitlines()[0]) from None

    def serve() -> None:
        while store:
            signal.pause()

    return serve, store.port


def join_store(rendezvous: str) -> dist.Store:
    """Return the store at an address like ``tcp://host:port/name``; names keep runs apart."""
    place = urlsplit(rendezvous)
    if place.scheme != "tcp" or not place.hostname or not place.port:
        raise ValueError(f"rendezvous: expected tcp://host:port/name, got {rendezvous!r}")
    return dist.PrefixStore(place.path.strip("/") or "run", dist.TCPStore(place.hostname, place.port, is_master=False))
