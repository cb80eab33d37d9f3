"""The local engine: real processes that train, are measured, and leave nothing behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from processes import GUARD, children, is_alive, wait_for
from tianji.backends.checkpoints import find_newest, list_complete
from tianji.backends.runtime.hosts import LocalHosts
from tianji.backends.runtime.messages import WorkerReport
from tianji.backends.runtime.supervise import RankJob, describe_end, run_ranks
from tianji.errors import RunError
from tianji.result import read_result

from .ray_cluster.clusters import rank_of

pytestmark = pytest.mark.slow

Plans = Callable[..., str]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tianji", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=GUARD)


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    running = subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def test_a_run_is_measured_and_explained(plan_file: Plans, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(
        "run", plan_file("qwen-moe", dp=2, tp=2, ep=2), "--steps", "4", "--warmup", "1", "--out", str(out), "--json"
    )
    assert done.returncode == 0, done.stderr
    document, result = json.loads(done.stdout), read_result(out)
    measured = result.measurement
    assert measured is not None
    assert document["tokens_per_s"] == result.tokens_per_s
    assert result.tokens_per_s == pytest.approx(8 * 32 / sorted(measured.step_times)[1])
    assert (len(measured.step_times), len(measured.losses), len(measured.memory_peaks)) == (3, 4, 4)
    assert measured.losses[0] == pytest.approx(5.54, abs=0.1)  # about ln 256: nothing is learnt yet
    assert {"tp", "dp", "ep"} <= set(measured.traffic)
    assert sum(result.breakdown.values()) == pytest.approx(measured.profiled_time)
    assert result.breakdown["matmul"] > 0
    events = json.loads((out / "trace.json").read_text())["traceEvents"]
    assert {event["pid"] for event in events} == {0, 1, 2, 3}
    assert {"tianji::tp", "tianji::ep"} <= {event["name"] for event in events}
    told = json.loads(run("explain", str(out), "--json").stdout)
    assert sum(term["measured_s"] for term in told["terms"]) == pytest.approx(result.step_time.nominal)
    assert sum(term["predicted_s"] for term in told["terms"]) == pytest.approx(told["step_time_s"]["predicted"])
    assert told["traffic_bytes"]["dp"]["measured"] == pytest.approx(told["traffic_bytes"]["dp"]["predicted"], rel=0.02)


def test_a_killed_worker_ends_the_run_with_a_message_and_no_orphans(plan_file: Plans, tmp_path: Path) -> None:
    out = tmp_path / "out"
    journal = out / "rank-00003.jsonl"
    with started("run", plan_file(dp=4), "--steps", "100000", "--out", str(out)) as running:
        wait_for(lambda: journal.exists() and journal.stat().st_size)
        everyone = children(running.pid)
        assert len(everyone) == 6  # the agent, four ranks and the keeper of their store
        os.kill(next(pid for pid in everyone if rank_of(pid) == 2), signal.SIGKILL)
        _, said = running.communicate(timeout=GUARD)
        assert running.returncode == 2
    assert "rank 2 was ended by signal 9" in said
    assert "Traceback" not in said
    wait_for(lambda: not any(map(is_alive, everyone)))
    assert json.loads((out / "rank-00000.jsonl").read_text().splitlines()[0])["event"] == "step"
    assert not (out / "result.json").exists()


def test_workers_die_with_the_supervisor(plan_file: Plans, tmp_path: Path) -> None:
    out = tmp_path / "out"
    journal = out / "rank-00001.jsonl"
    with started("run", plan_file(dp=2), "--steps", "100000", "--out", str(out)) as running:
        wait_for(lambda: journal.exists() and journal.stat().st_size)
        left = children(running.pid)
        assert len(left) == 4
    wait_for(lambda: not any(map(is_alive, left)))


def test_a_run_goes_on_from_a_checkpoint_under_another_cut(plan_file: Plans, tmp_path: Path) -> None:
    whole, first, rest = (tmp_path / name for name in ("whole", "first", "rest"))
    common = ("--warmup", "0", "--no-trace")
    assert run("run", plan_file("deepseek", dp=2, ep=2), "--steps", "4", "--out", str(whole), *common).returncode == 0
    done = run(
        "run",
        plan_file("deepseek", dp=2, ep=2),
        "--steps",
        "2",
        "--checkpoint-every",
        "1",
        "--out",
        str(first),
        *common,
    )
    assert done.returncode == 0, done.stderr
    saved = list_complete(first / "checkpoints")
    assert [path.name for path in saved] == ["step-000000000", "step-000000001"]
    done = run(
        "run",
        plan_file("deepseek", pp=2, tp=2, ep=2),
        "--steps",
        "4",
        "--resume",
        str(saved[-1]),
        "--out",
        str(rest),
        *common,
    )
    assert done.returncode == 0, done.stderr
    undisturbed, resumed = read_result(whole).measurement, read_result(rest).measurement
    assert undisturbed is not None
    assert resumed is not None
    assert resumed.losses == pytest.approx(undisturbed.losses[2:], rel=1e-5)
    (saved[-1] / ".metadata").unlink()
    assert find_newest(first / "checkpoints") == saved[0]
    torn = run(
        "run", plan_file("deepseek", dp=2), "--steps", "4", "--resume", str(saved[-1]), "--out", str(tmp_path / "torn")
    )
    assert torn.returncode == 2
    assert "not a complete checkpoint" in torn.stderr


def test_a_port_in_use_is_named(plan_file: Plans, tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run("run", plan_file(dp=2), "--port", port, "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert f"port {port} cannot be had" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_named(plan_file: Plans, tmp_path: Path) -> None:
    from tianji.backends.options import RunOptions
    from tianji.backends.payload import RunPayload
    from tianji.parallel.plan_file import read_plan

    (tmp_path / "rank-00001.jsonl").symlink_to("/dev/full")
    payload = RunPayload(read_plan(plan_file(dp=2)), RunOptions(out=str(tmp_path), trace=False), world=2).text()
    with pytest.raises(RunError, match="rank 1 failed"):
        run_ranks(LocalHosts(tmp_path), RankJob("train", payload, 2, tmp_path, node=2))
    assert "No space left on device" in (tmp_path / "rank-00001.log").read_text()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 70 MB, of its own; skips where this user may not mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=70m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_without_room_gets_nothing(plan_file: Plans, small_disk: Path) -> None:
    (small_disk / "fill").write_bytes(b"0" * 40_000_000)
    done = run("run", plan_file(dp=2), "--out", str(small_disk / "out"))
    assert done.returncode == 2
    assert "are free on its disk" in done.stderr
    assert not (small_disk / "out").exists()


def test_a_disk_that_fills_while_a_run_writes_is_named(small_disk: Path) -> None:
    log = small_disk / "rank-00000.log"
    log.touch()
    failure = WorkerReport(attempt=1, step=-1, silence=0.0, code=1)
    assert "no message" in describe_end(small_disk, 0, failure)
    with suppress(OSError), (small_disk / "fill").open("wb") as file:
        while True:
            file.write(b"0" * 1_000_000)
    assert f"the disk of {small_disk} is full" in describe_end(small_disk, 0, failure)
