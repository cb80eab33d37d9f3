"""Weak chips on a shaped network, inside one Linux machine: CPU quotas by cgroup, and namespaces joined by a switch of set rate.

Needs root, ``ip`` and ``tc``. Each chip is a network namespace with one interface, shaped on both ends by HTB, and one process on
one core with a share of its time. Nothing of it is left after the ``with`` block.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tianji.backends.local import KEEP_MEMORY, end_agent, explain_failure, last_object
from tianji.errors import RunError

SWITCH, PORT = "10.214.0.254", 29611
PERIOD = 20_000
"""Microseconds over which a quota holds: shorter than a step's parts, or a chip at 40 % would sleep 60 ms at a time."""
V1, V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
SHARES = 262144
"""CPU shares of the rig beside other work on the machine; the quota bounds it."""


@dataclass(frozen=True)
class Rig:
    """Chips with an address each, who meet at the switch."""

    names: tuple[str, ...]
    groups: tuple[Path, ...]
    cores: tuple[int, ...]

    def launch(self, module: str, files: Sequence[Path], folder: Path) -> None:
        """Run an agent on each chip with its own file, to the end.

        Raises RunError when one fails; none outlives this call.
        """
        agents = [self._start(i, module, file) for i, file in enumerate(files)]
        try:
            for agent in agents:
                said, _ = agent.communicate()
                if agent.returncode:
                    raise RunError(explain_failure(folder, last_object(said), agent.returncode))
        finally:
            for agent in agents:
                end_agent(agent)

    def _start(self, index: int, module: str, file: Path) -> subprocess.Popen[str]:
        into = f'echo $$ > "{self.groups[index]}/cgroup.procs" && exec "$@"'
        # First the group: inside a namespace of the network /sys is another one, without groups.
        words = [
            "sh",
            "-c",
            into,
            "sh",
            "ip",
            "netns",
            "exec",
            self.names[index],
            "taskset",
            "-c",
            str(self.cores[index]),
        ]
        own = {"GLOO_SOCKET_IFNAME": "eth0", "TORCH_CPP_LOG_LEVEL": "ERROR", "PYTHONWARNINGS": "ignore"}
        return subprocess.Popen(
            [*words, sys.executable, "-m", module, str(file)],
            stdout=subprocess.PIPE, text=True, start_new_session=True, env={**KEEP_MEMORY, **os.environ, **own},
        )  # fmt: skip


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
            _call("ip", "-n", name, "addr", "add", f"10.214.0.{i + 1}/24", "dev", "eth0")
            _call("ip", "-n", name, "link", "set", "eth0", "up")
            # The host's congestion control may be BBR, which adds 6 to 15 % to collectives on shaped links.
            route = ("route", "change", "10.214.0.0/24", "dev", "eth0", "src", f"10.214.0.{i + 1}", "congctl", "cubic")
            _call("ip", "-n", name, *route)
            for place, device in ((name, "eth0"), (switch, f"p{i}")):
                _shape(place, device, rate)
        groups = tuple(_make_group(f"{prefix}-{i}", share, stack) for i in range(chips))
        keeper = stack.enter_context(_keep_store(switch))
        yield Rig(names, groups, tuple(cores[i * len(cores) // chips] for i in range(chips)))
        assert keeper.poll() is None, "the store was lost"


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


@contextmanager
def _keep_store(switch: str) -> Iterator[subprocess.Popen[str]]:
    """Keep the store at which ranks meet, at the switch's address, for as long as the rig is up."""
    code = (
        "from torch.distributed import TCPStore\n"
        f"store = TCPStore({SWITCH!r}, {PORT}, is_master=True, wait_for_workers=False)\n"
        "print('up', flush=True)\ninput()"
    )
    words = ["ip", "netns", "exec", switch, sys.executable, "-c", code]
    keeper = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert keeper.stdout is not None
        if keeper.stdout.readline().strip() != "up":
            raise RunError("the store could not be opened at the switch")
        yield keeper
    finally:
        keeper.kill()
        keeper.wait()


def rendezvous(name: str) -> str:
    """Return the address at which the ranks of one run meet."""
    return f"tcp://{SWITCH}:{PORT}/{name}"


def _call(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RunError(f"{' '.join(words)}: {done.stderr.strip()}")


def _try(*words: str) -> None:
    subprocess.run(words, capture_output=True, check=False)


def _remove(group: Path) -> None:
    with suppress(OSError):
        group.rmdir()
