"""The sbatch script: its directives, accepted by Slurm itself where it is installed."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tianji
from processes import GUARD
from tianji.exporters import render_plan
from tianji.parallel.plan import Plan


def plan_on(pool: str, chips: int) -> Plan:
    job = tianji.make_job("llama-3.1-8b", global_batch_size=chips, seq_len=4096)
    return Plan(job, tianji.load_pool(pool, chips), tianji.Strategy(dp=chips))


def directives(plan: Plan) -> dict[str, str]:
    text = render_plan(plan, "slurm").artefacts[0].text
    found = re.findall(r"^#SBATCH (--[a-z-]+)(?:=(\S+))?", text, flags=re.MULTILINE)
    return dict(found)


def test_a_segment_is_what_one_scale_up_unit_holds_and_divides_the_nodes() -> None:
    found = directives(plan_on("gb200-nvl72", 144))
    assert (found["--nodes"], found["--segment"], found["--exclusive"]) == ("36", "18", "topo")
    assert int(found["--nodes"]) % int(found["--segment"]) == 0


def test_a_fabric_that_ends_at_the_node_needs_no_segment() -> None:
    assert "--segment" not in directives(plan_on("hgx-h100", 64))


def test_the_topology_has_a_block_for_each_unit() -> None:
    bundle = render_plan(plan_on("atlas-950-superpod", 256), "slurm")
    text = next(a.text for a in bundle.artefacts if a.name == "topology.conf")
    assert text.count("BlockName=") == 4  # 256 chips in racks of 64
    assert "Nodes=n[00000-00007]" in text
    assert text.rstrip().splitlines()[-1] == "BlockSizes=8,32"


@pytest.fixture
def munge(tmp_path: Path) -> Iterator[Path]:
    """Start a munge of its own, by which Slurm's parts know each other; yields its socket."""
    if not shutil.which("munged") or os.geteuid() != 0:
        pytest.skip("munge, which Slurm authenticates by, is not installed, or not startable by this user")
    home = tmp_path / "munge"
    home.mkdir(mode=0o755)
    key = home / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    files = [f"--{what}={home / what.split('-')[0]}" for what in ("key-file", "pid-file", "log-file", "seed-file")]
    process = subprocess.Popen(["munged", "--foreground", "--force", *files, f"--socket={home / 'socket'}"],
                               stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        answers = ["munge", "-n", f"--socket={home / 'socket'}"]
        while subprocess.run(answers, capture_output=True, check=False).returncode:
            assert process.poll() is None, "munged ended"
            time.sleep(0.2)
        yield home / "socket"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=GUARD)


@pytest.fixture
def controller(munge: Path, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Start Slurm's own controller on this machine's loopback address, with nodes that only it believes in."""
    if not (shutil.which("slurmctld") and shutil.which("sbatch")):
        pytest.skip("Slurm's controller is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    conf = tmp_path / "slurm.conf"
    conf.write_text(f"""ClusterName=t
SlurmctldHost={socket.gethostname().split(".")[0]}(127.0.0.1)
SlurmUser=root
AuthInfo=socket={munge}
SlurmctldPort={port}
StateSaveLocation={tmp_path}
SlurmctldPidFile={tmp_path}/pid
SlurmctldLogFile={tmp_path}/log
ProctrackType=proctrack/linuxproc
SelectType=select/cons_tres
GresTypes=gpu,npu
SuspendProgram=/bin/true
ResumeProgram=/bin/true
SuspendTime=600
NodeName=n[000-099] NodeAddr=127.0.0.1 Port=[20000-20099] CPUs=8 RealMemory=1000 Gres=gpu:8,npu:8 State=CLOUD
PartitionName=main Nodes=ALL Default=YES State=UP
""")
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    process = subprocess.Popen(["slurmctld", "-D", "-f", str(conf)], env=environment, stderr=subprocess.DEVNULL)
    try:
        while subprocess.run(["sinfo"], env=environment, capture_output=True, check=False).returncode:
            assert process.poll() is None, "slurmctld ended"
            time.sleep(0.2)
        yield environment
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=GUARD)


@pytest.mark.slow
@pytest.mark.parametrize(("pool", "chips"), [("hgx-h100", 64), ("gb200-nvl72", 144), ("atlas-950-superpod", 256)])
def test_slurm_itself_accepts_the_script(pool: str, chips: int, controller: dict[str, str], tmp_path: Path) -> None:
    text = render_plan(plan_on(pool, chips), "slurm").artefacts[0].text
    known = subprocess.run(["sbatch", "--help"], env=controller, capture_output=True, text=True, check=True).stdout
    if "--segment" not in known:  # block topology came with Slurm 24.05
        text = re.sub(r"^#SBATCH --segment.*\n", "", text, flags=re.MULTILINE).replace(
            "--exclusive=topo", "--exclusive"
        )
    script = tmp_path / "job.sbatch"
    script.write_text(text)
    done = subprocess.run(
        ["sbatch", "--test-only", str(script)], env=controller, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    nodes = int(directives(plan_on(pool, chips))["--nodes"])
    assert re.search(rf"nodes n\[000-0*{nodes - 1}\]", done.stderr), done.stderr
