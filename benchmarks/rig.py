"""Weak chips on a shaped network, inside one Linux machine: CPU quotas by cgroup, and namespaces joined by a switch of set rate.

Needs root, ``ip`` and ``tc``. Each chip is a network namespace with one interface, shaped on both ends by HTB, and one process on
one core with a share of its time. Nothing of it is left after the ``with`` block.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tianji.backends.runtime.hosts import LocalHosts
from tianji.backends.runtime.supervise import RankJob, run_ranks
from tianji.errors import RunError

SWITCH, ADDRESS = "10.214.0.254", "10.214.0.{}"
PERIOD = 20_000
"""Microseconds over which a quota holds: shorter than a step's parts, or a chip at 40 % would sleep 60 ms at a time."""
V1, V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
SHARES = 262144
"""CPU shares of the rig beside other work on the machine; the quota bounds it."""


@dataclass(frozen=True)
class Rig:
    """Chips with an address each, joined by a switch."""

    names: tuple[str, ...]
    groups: tuple[Path, ...]
    cores: tuple[int, ...]

    def run(self, task: str, payload: str, folder: Path) -> None:
        """Have one rank on each chip do a task, to the end.

        Raises RunError when one fails; none outlives this call.
        """
        run_ranks(RigHosts(folder, self), RankJob(task, payload, len(self.names), folder, node=1))


class RigHosts(LocalHosts):
    """Each chip of a rig as a host of its own: an agent in the chip's namespace, on its core, under its quota."""

    def __init__(self, folder: Path, rig: Rig) -> None:
        super().__init__(folder, {"GLOO_SOCKET_IFNAME": "eth0"})
        self.rig = rig

    def machine(self, node: int) -> str:
        """Return the name of the machine of a node."""
        return self.rig.names[node]

    def address(self, node: int) -> str:
        """Return the address at which the ranks of a node are reached."""
        return ADDRESS.format(node + 1)

    def command(self, node: int, words: Sequence[str]) -> Sequence[str]:
        """Return the command that runs an agent on a chip."""
        into = f'echo $$ > "{self.rig.groups[node]}/cgroup.procs" && exec "$@"'
        # First the group: inside a namespace of the network /sys is another one, without groups.
        inside = ("ip", "netns", "exec", self.rig.names[node], "taskset", "-c", str(self.rig.cores[node]))
        return ["sh", "-c", into, "sh", *inside, *words]


@contextmanager
def open_rig(chips: int, share: float, rate: str) -> Iterator[Rig]:
    """Bring up so many chips, each with a ``share`` of one core and a link of ``rate`` (as ``tc`` writes it, like 200mbit)."""
    prefix, cores = f"tj{os.getpid()}", sorted(os.sched_getaffinity(0))
    names = tuple(f"{prefix}-{i}" for i in range(chips))
    switch = f"{prefix}-switch"
    with ExitStack() as stack:
        for name in (switch, *names):
            _call("ip", "netns", "add", name)
            stack.callback(_try, "ip", "netns", "del", name)
            _call("ip", "-n", name, "link", "set", "lo", "up")
        _call("ip", "-n", switch, "link", "add", "br0", "type", "bridge")
        _call("ip", "-n", switch, "addr", "add", f"{SWITCH}/24", "dev", "br0")
        _call("ip", "-n", switch, "link", "set", "br0", "up")
        for i, name in enumerate(names):
            _call("ip", "link", "add", "eth0", "netns", name, "type", "veth", "peer", "name", f"p{i}", "netns", switch)
            _call("ip", "-n", switch, "link", "set", f"p{i}", "master", "br0", "up")
            _call("ip", "-n", name, "addr", "add", f"{ADDRESS.format(i + 1)}/24", "dev", "eth0")
            _call("ip", "-n", name, "link", "set", "eth0", "up")
            # The host's congestion control may be BBR, which adds 6 to 15 % to collectives on shaped links.
            route = (
                "route",
                "change",
                "10.214.0.0/24",
                "dev",
                "eth0",
                "src",
                ADDRESS.format(i + 1),
                "congctl",
                "cubic",
            )
            _call("ip", "-n", name, *route)
            for place, device in ((name, "eth0"), (switch, f"p{i}")):
                _shape(place, device, rate)
        groups = tuple(_make_group(f"{prefix}-{i}", share, stack) for i in range(chips))
        yield Rig(names, groups, tuple(cores[i * len(cores) // chips] for i in range(chips)))


def _shape(namespace: str, device: str, rate: str) -> None:
    inside = ("ip", "netns", "exec", namespace, "tc")
    _call(*inside, "qdisc", "add", "dev", device, "root", "handle", "1:", "htb", "default", "1", "r2q", "1000")
    _call(*inside, "class", "add", "dev", device, "parent", "1:", "classid", "1:1", "htb", "rate", rate, "burst", "64k")


def _make_group(name: str, share: float, stack: ExitStack) -> Path:
    """Return a cgroup whose processes get a share of one core: version 1 where its CPU controller is mounted, else 2."""
    quota = str(round(share * PERIOD))
    if (V1 / "cpu.cfs_quota_us").exists() or (V1 / "tasks").exists():
        group = V1 / name
        files = {"cpu.cfs_period_us": str(PERIOD), "cpu.cfs_quota_us": quota, "cpu.shares": str(SHARES)}
    else:
        group, files = V2 / name, {"cpu.max": f"{quota} {PERIOD}", "cpu.weight": "10000"}
    group.mkdir()
    stack.callback(_remove, group)
    for file, value in files.items():
        (group / file).write_text(value)
    return group


def _call(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"{' '.join(words)}: {done.stderr.strip()}")


def _try(*words: str) -> None:
    subprocess.run(words, capture_output=True, check=False)


def _remove(group: Path) -> None:
    with suppress(OSError):
        group.rmdir()
