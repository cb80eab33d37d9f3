"""A pool over two network namespaces as two hosts, each with an address, an interface and a disk of its own."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from processes import GUARD
from tianji.parallel.plan_file import write_plan
from tianji.result import read_result

from ..samples import plan_of
from .clusters import Host

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ray hosts")]

FIRST, SECOND = "10.213.77.1", "10.213.77.2"
PORT = "6379"


def call(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True)


@contextmanager
def namespaces() -> Iterator[tuple[str, str]]:
    """Two namespaces joined by one link, nothing else: not even a way out."""
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        pytest.skip("the commands ip and unshare are missing")
    names = tuple(f"tianji-{os.getpid()}-{end}" for end in "ab")
    try:
        try:
            for name in names:
                call("ip", "netns", "add", name)
            call(
                "ip",
                "link",
                "add",
                "link0",
                "netns",
                names[0],
                "type",
                "veth",
                "peer",
                "name",
                "link0",
                "netns",
                names[1],
            )
            call("ip", "netns", "exec", names[0], "unshare", "--mount", "true")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces are not allowed here: {error.stderr.strip()}")
        for name, address in zip(names, (FIRST, SECOND), strict=True):
            call("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "link0")
            call("ip", "-n", name, "link", "set", "lo", "up")
            call("ip", "-n", name, "link", "set", "link0", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Host, Path]]:
    """The head's host, the other, and a folder that only the first sees."""
    folder = tmp_path_factory.mktemp("hosts")
    runs = folder / "runs"
    runs.mkdir()
    with ExitStack() as stack:
        names = stack.enter_context(namespaces())
        hidden = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs none "{runs}" && exec "$@"', "sh"]
        first = Host(folder / "a.json", ["ip", "netns", "exec", names[0]])
        second = Host(folder / "b.json", ["ip", "netns", "exec", names[1], *hidden])
        size = ("--chips", "2", "--cpus", "1")
        stack.enter_context(first.up(*size, "--host", FIRST, "--port", PORT, "--place", "rack-2"))
        token = json.loads(first.state.read_text())["token_file"]
        join = ("--join", f"{FIRST}:{PORT}", "--token", token)
        stack.enter_context(second.up(*size, "--host", SECOND, *join, "--place", "rack-1"))
        yield first, second, runs


def two_nodes(path: Path, node: int = 2) -> str:
    """Write a plan of two stages, each of all chips of one node."""
    plan = plan_of("llama", {"pp": 2, "tp": node})
    write_plan(replace(plan, pool=replace(plan.pool, node=node, unit=node)), path)
    return str(path)


def test_two_hosts_train_as_one_machine_does(hosts: tuple[Host, Host, Path], tmp_path: Path) -> None:
    first, _, runs = hosts
    status = json.loads(first.run("pool", "status", "--json").stdout)
    assert [(node["host"], node["chips"], node["place"]) for node in status["nodes"]] == [
        (FIRST, 2, "rack-2"),
        (SECOND, 2, "rack-1"),
    ]
    plan, common = two_nodes(tmp_path / "plan.json"), ("--steps", "3", "--warmup", "1", "--no-trace")
    done = first.run("run", plan, "--engine", "ray", "--out", str(runs / "ray"), *common)
    assert done.returncode == 0, done.stderr
    write_plan(plan_of("llama", {}), tmp_path / "whole.json")
    alone = Host(tmp_path / "none.json").run("run", str(tmp_path / "whole.json"), "--out", str(runs / "one"), *common)
    assert alone.returncode == 0, alone.stderr
    ray, one = (read_result(runs / name).measurement for name in ("ray", "one"))
    assert ray is not None
    assert one is not None
    assert ray.losses == pytest.approx(one.losses, rel=1e-5)
    ranks = {f"rank-{rank:05d}.{end}" for rank in range(4) for end in ("jsonl", "log")}
    # Those of the host that does not see the folder have come, too.
    assert {path.name for path in (runs / "ray").iterdir()} == {"plan.json", "payload.json", "result.json", *ranks}


def test_checkpoints_on_disks_that_are_not_shared_are_refused(hosts: tuple[Host, Host, Path], tmp_path: Path) -> None:
    first, _, runs = hosts
    words = ("--engine", "ray", "--out", str(runs / "refused"), "--checkpoint-every", "1")
    done = first.run("run", two_nodes(tmp_path / "plan.json"), *words)
    assert done.returncode == 2
    assert f"{SECOND} does not see" in done.stderr
    assert "checkpoints need a folder that all nodes share" in done.stderr


def test_a_lost_host_ends_the_run_and_the_rest_of_the_pool_stays(
    hosts: tuple[Host, Host, Path], tmp_path: Path
) -> None:
    first, second, runs = hosts
    out = runs / "lost"
    words = ("--engine", "ray", "--out", str(out), "--steps", "100000")
    running = first.start("run", two_nodes(tmp_path / "plan.json", 1), *words)
    try:
        # The place of the other host comes first, so rank 1 is the one on the head's disk.
        journal, deadline = out / "rank-00001.jsonl", time.monotonic() + GUARD
        while not (journal.exists() and journal.stat().st_size):
            assert time.monotonic() < deadline
            assert running.poll() is None, running.communicate()
            time.sleep(0.1)
        os.killpg(json.loads(second.state.read_text())["pid"], signal.SIGKILL)
        _, error = running.communicate(timeout=GUARD)
    finally:
        running.kill()
    assert running.returncode == 2
    assert "was lost" in error
    assert SECOND in error
    status = json.loads(first.run("pool", "status", "--json").stdout)
    assert (status["chips"], status["free"]) == (2, 2)
    assert [node["host"] for node in status["nodes"] if node["is_alive"]] == [FIRST]
