"""What `tianji pool up` wrote down, so that others find the pool and `down` ends exactly what was started."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from tianji.errors import FormatError, RunError
from tianji.input_files import read_object
from tianji.parallel.records import decode

VARIABLE = "TIANJI_POOL_STATE"
"""Names another state file than the usual one."""


@dataclass(frozen=True, slots=True)
class PoolState:
    """One node that was started on this machine: the head of a pool, or a node that joined one elsewhere."""

    role: str
    """``head`` or ``node``."""
    address: str
    """Where the head listens, ``host:port``."""
    host: str
    """This node's own address."""
    chips: int
    pid: int
    """Leader of the process group of all that was started."""
    started: str
    """When that process started, by the kernel's clock: a number that another process of the same id does not share."""
    folder: str
    """Sockets and logs of the node."""
    token_file: str

    @property
    def is_alive(self) -> bool:
        """The very process that was started still runs."""
        return start_of(self.pid) == self.started

    def require_alive(self) -> None:
        """Raise RunError, with what to do, when the pool is gone."""
        if not self.is_alive:
            raise RunError(
                f"{state_path()}: names the process {self.pid}, which is gone (the machine was restarted, or it was killed);"
                " clear it with `tianji pool down`"
            )


def state_path() -> Path:
    """Return the place of the state file: TIANJI_POOL_STATE, or in the user's folder for states."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "tianji" / "pool.json"


def find_state() -> PoolState | None:
    """Return the state of the pool that was started here, or None.

    Raises FormatError for a file that is no such state.
    """
    path = state_path()
    if not path.exists():
        return None
    try:
        return decode(PoolState, read_object(path, "the state of a pool"), str(path), {})
    except FormatError as error:
        raise FormatError(f"{error}; remove the file if nothing of Ray runs here any more") from None


def has_ray_pool() -> bool:
    """Return whether a cluster is named or was started here, rather than a private one to be made."""
    return bool(os.environ.get("RAY_ADDRESS")) or state_path().exists()


def write_state(state: PoolState) -> None:
    """Write the state file, readable for its owner only."""
    path = state_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(asdict(state), indent=2) + "\n", encoding="utf-8")
    beside.chmod(0o600)
    beside.replace(path)


def start_of(pid: int) -> str:
    """Return when a process started, in the kernel's ticks; empty for one that is gone or done."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
