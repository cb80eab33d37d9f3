"""What people meet when they start, use and end a pool, where nothing has to start for it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tianji.backends.ray_cluster import connection
from tianji.backends.ray_cluster.pool_control import check_port, end_pool
from tianji.backends.ray_cluster.pool_state import PoolState, find_state, start_of, write_state
from tianji.cli import main
from tianji.errors import FormatError, RunError


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    path = tmp_path / "state" / "pool.json"
    monkeypatch.setenv("TIANJI_POOL_STATE", str(path))
    return path


def say(*words: str) -> str:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert not done.stdout
    return done.stderr


def gone() -> int:
    """The id of a process that is gone."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def state_of(pid: int, started: str, folder: Path) -> PoolState:
    return PoolState("head", "127.0.0.1:9", "127.0.0.1", 4, pid, started, str(folder), str(folder / "token"))


def test_without_a_pool_status_and_down_say_so() -> None:
    assert "start one with `tianji pool up`" in say("pool", "status")
    assert "no pool is up here" in say("pool", "down")


def test_a_stale_state_is_named_by_all_and_cleared_by_down(tmp_path: Path, state: Path) -> None:
    folder = tmp_path / "node"
    folder.mkdir()
    write_state(state_of(gone(), "1", folder))
    assert state.stat().st_mode & 0o077 == 0
    for words in (("pool", "up"), ("pool", "status"), ("plan", "llama-3.1-8b", "hgx-h100", "--workers", "ray")):
        assert "is gone" in (said := say(*words))
        assert "`tianji pool down`" in said
    assert CliRunner().invoke(main, ["pool", "down"]).exit_code == 0
    assert not state.exists()
    assert not folder.exists()


def test_down_leaves_another_process_of_the_same_id_alone(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    try:
        write_state(state_of(other.pid, str(int(start_of(other.pid)) - 1), tmp_path / "none"))
        end_pool()
        assert other.poll() is None
        assert find_state() is None
    finally:
        other.kill()
        other.communicate()


def test_a_living_pool_is_not_started_twice(tmp_path: Path) -> None:
    write_state(state_of(os.getpid(), start_of(os.getpid()), tmp_path))
    assert "a pool is up here already (head at 127.0.0.1:9)" in say("pool", "up")


def test_a_file_that_is_no_state_is_named(state: Path) -> None:
    state.parent.mkdir()
    for text in ("{", "[]", json.dumps({"role": "head"})):
        state.write_text(text)
        with pytest.raises(FormatError, match="remove the file if nothing of Ray runs here"):
            find_state()


def test_a_port_in_use_is_named_before_anything_starts(state: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = say("pool", "up", "--port", port)
    assert f"127.0.0.1:{port} cannot be had (Address already in use); take another --port" in said
    assert not state.exists()
    with pytest.raises(RunError, match="an address of this machine"):
        check_port("192.0.2.77", 6379)


def test_joining_needs_a_head_and_its_token(tmp_path: Path) -> None:
    assert "no pool answers at 127.0.0.2:9" in say("pool", "up", "--join", "127.0.0.2:9")
    assert "listens to its own host alone" in say("pool", "up", "--join", "127.0.0.1:9")
    with socket.socket() as head:
        head.bind(("127.0.0.2", 0))
        head.listen()
        address = f"127.0.0.2:{head.getsockname()[1]}"
        assert "expected the token file" in say("pool", "up", "--join", address, "--token", str(tmp_path / "none"))


def test_an_address_where_nothing_listens_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    said = say("validate", "--workers", "ray")
    assert "no Ray cluster answers at 127.0.0.1:9" in said
    assert "RAY_ADDRESS" in said


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "find_spec", lambda name: None)
    for words in (("pool", "up"), ("plan", "llama-3.1-8b", "hgx-h100", "--workers", "ray")):
        assert "pip install '.[ray]'" in say(*words)


def test_workers_that_are_none_are_answered_with_the_nearest() -> None:
    assert "did you mean ray?" in say("plan", "llama-3.1-8b", "hgx-h100", "--workers", "rya")


@pytest.mark.parametrize("port", [0, -1, 8265, 10002, 19999, 52365])
def test_a_port_that_ray_keeps_for_itself_is_told_before_ray_starts(port: int) -> None:
    with pytest.raises(RunError, match="that Ray does not keep for itself"):
        check_port("127.0.0.1", port)


@pytest.mark.parametrize(
    "words",
    [("plan", "llama-3.1-8b", "hgx-h100"), ("validate",), ("replace", "llama-3.1-8b", "--from", "8xhgx-h100")],
    ids=lambda words: words[0],
)
def test_the_old_name_of_workers_is_answered_with_the_new_one(words: tuple[str, ...]) -> None:
    assert "write --workers ray" in say(*words, "--engine", "ray")
