"""The interface of the network over which the ranks of a host reach the others."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

SIOCGIFADDR = 0x8915


def use_interface_of(host: str) -> None:
    """Have the collectives use the interface that carries this host's address, where nobody chose one."""
    name = interface_of(host)
    for library in ("GLOO", "NCCL", "HCCL") if name else ():
        os.environ.setdefault(f"{library}_SOCKET_IFNAME", name)


def interface_of(host: str) -> str:
    """Return the name of the interface with an IPv4 address; empty where none has it, or the system cannot tell."""
    if sys.platform != "linux":
        return ""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request: Any = name.encode()[:15].ljust(256, b"\0")
            try:
                answer = fcntl.ioctl(asking.fileno(), SIOCGIFADDR, request)
            except OSError:
                continue
            if socket.inet_ntoa(answer[20:24]) == host:
                return name
    return ""
