"""The command line in processes of its own, with a state of the pool that is the test's own."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from processes import GUARD


@dataclass
class Host:
    """A machine of the test: where its pool's state lies, and the words that bring a command onto it."""

    state: Path
    onto: Sequence[str] = field(default_factory=tuple)

    def command(self, *words: str) -> list[str]:
        return [*self.onto, sys.executable, "-m", "tianji", *words]

    def environment(self) -> dict[str, str]:
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "TIANJI_"))}
        # Threads that wait leave the cores to others: tests share the machine.
        return {**plain, "TIANJI_POOL_STATE": str(self.state), "COLUMNS": "200", "OMP_WAIT_POLICY": "PASSIVE"}

    def run(self, *words: str, seconds: float = GUARD) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), env=self.environment(), capture_output=True, text=True, check=False, timeout=seconds
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words), env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    @contextmanager
    def up(self, *words: str) -> Iterator[None]:
        """Have this host's node up."""
        done = self.run("pool", "up", *words)
        assert done.returncode == 0, done.stderr
        try:
            yield
        finally:
            if self.state.exists():
                done = self.run("pool", "down")
                assert done.returncode == 0, done.stderr


def free_port() -> int:
    with socket.socket() as trying:
        trying.bind(("127.0.0.1", 0))
        return int(trying.getsockname()[1])


def rank_of(pid: int) -> int:
    """The rank that a process works on, by its log; -1 for another process."""
    try:
        log = os.readlink(f"/proc/{pid}/fd/1")
    except OSError:
        return -1
    name = Path(log).name
    return int(name[5:10]) if name.startswith("rank-") and name.endswith(".log") else -1


def parent_of(pid: int) -> int:
    """The process that started another one."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def find_rank(rank: int, folder: Path) -> int:
    """The process of a rank of the run in a folder."""
    pids = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit()]
    mine = [pid for pid in pids if rank_of(pid) == rank and os.readlink(f"/proc/{pid}/fd/1").startswith(str(folder))]
    assert mine, f"no process of rank {rank}"
    return mine[0]
