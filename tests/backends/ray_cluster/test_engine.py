"""One pool that is up: runs and sweeps on it equal those of the local engine, and a killed actor ends a run, not the pool."""

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from processes import GUARD
from tianji.parallel.plan_file import write_plan
from tianji.result import read_result

from ..samples import plan_of
from .clusters import Host, find_rank, free_port, parent_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray pool")]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host with four chips up."""
    here = Host(tmp_path_factory.mktemp("state") / "pool.json")
    with here.up("--chips", "4", "--cpus", "2", "--port", str(free_port())):
        yield here


def plan_on_nodes(path: Path, node: int, **strategy: Any) -> str:
    """Write the plan of a tiny model on a pool with nodes of so many chips."""
    plan = plan_of("llama", strategy)
    write_plan(replace(plan, pool=replace(plan.pool, node=node, unit=node)), path)
    return str(path)


def status(host: Host) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(host.run("pool", "status", "--json").stdout)
    return found


def test_a_run_equals_the_local_engines_in_losses_type_and_files(host: Host, tmp_path: Path) -> None:
    plan = plan_on_nodes(tmp_path / "plan.json", 2, dp=2, tp=2)
    outs = {engine: tmp_path / engine for engine in ("local", "ray")}
    for engine, out in outs.items():
        done = host.run("run", plan, "--engine", engine, "--steps", "3", "--warmup", "1", "--out", str(out), "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["engine"] == engine  # nothing of Ray's on stdout
    local, ray = (read_result(out).measurement for out in outs.values())
    assert local is not None
    assert ray is not None
    assert ray.losses == pytest.approx(local.losses, rel=1e-6)
    assert ray.gradient_norms == pytest.approx(local.gradient_norms, rel=1e-6)
    assert ray.traffic == local.traffic
    assert len(ray.step_times) == len(local.step_times)
    names = [sorted(path.name for path in out.iterdir()) for out in outs.values()]
    assert names[0] == names[1]
    assert status(host)["free"] == 4


def test_a_killed_actor_ends_the_run_with_a_message_and_frees_the_chips(host: Host, tmp_path: Path) -> None:
    out = tmp_path / "out"
    plan = plan_on_nodes(tmp_path / "plan.json", 2, pp=2)
    running = host.start("run", plan, "--engine", "ray", "--steps", "100000", "--out", str(out), "--json")
    try:
        journal, deadline = out / "rank-00001.jsonl", time.monotonic() + GUARD
        while not (journal.exists() and journal.stat().st_size):
            assert time.monotonic() < deadline
            assert running.poll() is None, running.communicate()
            time.sleep(0.1)
        agent = parent_of(find_rank(1, out))
        assert "runtime.agent" in Path(f"/proc/{agent}/cmdline").read_text()
        os.kill(parent_of(agent), signal.SIGKILL)
        said, error = running.communicate(timeout=GUARD)
    finally:
        running.kill()
    assert (running.returncode, said) == (2, "")
    assert "rank 0 was lost: its agent on" in error
    assert "Traceback" not in error
    assert not (out / "result.json").exists()
    assert json.loads((out / "rank-00000.jsonl").read_text().splitlines()[0])["event"] == "step"
    deadline = time.monotonic() + GUARD
    while status(host)["free"] != 4:
        assert time.monotonic() < deadline


def test_a_plan_that_the_hosts_do_not_hold_is_refused(host: Host, tmp_path: Path) -> None:
    plan = plan_on_nodes(tmp_path / "plan.json", 8, dp=8)
    done = host.run("run", plan, "--engine", "ray", "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "the plan wants nodes of 8 chips, each on one host, but the hosts of the Ray cluster offer 4" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "deepseek-v3", "cloudmatrix384", "--top", "30"),
        ("replace", "llama-3.1-70b", "--from", "64xhgx-h100", "--with", "atlas-900-a2", "--points", "6"),
        ("validate", "--split", "check", "--quality", "A"),
    ],
    ids=lambda words: words[0],
)
def test_a_sweep_gives_what_it_gives_locally(words: tuple[str, ...], host: Host) -> None:
    local, ray = (json.loads(host.run(*words, "--json", "--workers", where).stdout) for where in ("local", "ray"))
    for document in (local, ray):
        for taken in ("seconds", "candidates_per_s"):
            document.get("search", {}).pop(taken, None)
    assert ray == local


def listening(group: int) -> set[str]:
    """Return the local addresses, as the kernel writes them, at which the processes of a group listen."""
    sockets = set()
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getpgid(int(entry.name)) == group:
                sockets |= {os.readlink(link) for link in (entry / "fd").iterdir()}
        except OSError:
            continue  # it has ended
    lines = [
        line.split() for kind in ("tcp", "tcp6") for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]
    ]
    return {line[1].split(":")[0] for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in sockets}


def test_a_pool_on_the_loopback_address_listens_nowhere_else(host: Host) -> None:
    addresses = listening(json.loads(host.state.read_text())["pid"])
    assert addresses
    assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
