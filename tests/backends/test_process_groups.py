"""A group is ended with all that its leader left behind, and what is dead but not waited for is not waited for here."""

import os
import subprocess
import sys
from pathlib import Path

from tianji.backends.process_groups import end_group

LEADER = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); input()"


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def test_a_group_is_ended_with_those_that_its_leader_left_behind() -> None:
    leader = subprocess.Popen(
        [sys.executable, "-c", LEADER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert leader.stdout is not None
        left = int(leader.stdout.readline())
        leader.kill()
        leader.wait()
        assert state(left) not in ("", "Z")
        end_group(leader.pid)
        assert state(left) in ("", "Z")
        end_group(leader.pid)  # nobody is left: nothing to do
    finally:
        leader.communicate()


def test_a_leader_that_nobody_has_waited_for_is_gone() -> None:
    leader = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        end_group(leader.pid)
        assert state(leader.pid) == "Z"
        assert os.getpgid(leader.pid) == leader.pid
    finally:
        leader.wait()
