"""Kubernetes manifests are launches: the command of the pods, their environment, and the chips of all pods."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tianji.errors import FormatError
from tianji.exporters.launch_reader.launches import Launch, read_launch
from tianji.exporters.lint.checks import check_file

TRAIN = (
    "pretrain_gpt.py --num-layers 8 --hidden-size 512 --num-attention-heads 8 --seq-length 1024 --max-position-embeddings 1024"
    " --micro-batch-size 1 --global-batch-size 256 --vocab-size 1024 --bf16"
)
GPU = {"limits": {"nvidia.com/gpu": 8}}


def pod(resources: Any = None, **container: Any) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"name": "a", "resources": resources or {}, **container}]}}}


def read(tmp_path: Path, *documents: dict[str, Any], chips: int | None = None, **files: str) -> Launch:
    for name, text in files.items():
        (tmp_path / name.replace("_", ".")).write_text(text)
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump_all([{"apiVersion": "v1", **d} for d in documents]))
    return read_launch(path, chips)


def test_a_pytorchjob_counts_the_pods_of_all_roles(tmp_path: Path) -> None:
    run = {
        "command": ["torchrun", "--nproc_per_node=8", *TRAIN.split(), "--tensor-model-parallel-size", "$(TP)"],
        "env": [{"name": "TP", "value": "4"}, {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
    }
    roles = {"Master": {"replicas": 1, **pod(GPU, **run)}, "Worker": {"replicas": 3, **pod(GPU, **run)}}
    launch = read(tmp_path, {"kind": "PyTorchJob", "spec": {"pytorchReplicaSpecs": roles}})
    assert (launch.chips, launch.node, launch.strategy.tp, launch.strategy.dp) == (32, 8, 4, 8)
    assert launch.assumed[0].startswith("32 chips: 4 pods with 8 each")
    again = read(tmp_path, {"kind": "PyTorchJob", "spec": {"pytorchReplicaSpecs": roles}}, chips=64)
    assert again.chips == 64


def test_an_mpijob_starts_on_the_workers(tmp_path: Path) -> None:
    roles = {
        "Launcher": {"replicas": 1, **pod(command=["/bin/bash", "-lc"], args=[f"mpirun -np 16 python {TRAIN}\n"])},
        "Worker": {"replicas": 2, **pod(GPU)},
    }
    launch = read(tmp_path, {"kind": "MPIJob", "spec": {"slotsPerWorker": 8, "mpiReplicaSpecs": roles}})
    assert (launch.chips, launch.strategy.dp) == (16, 16)


def test_a_script_of_a_configmap_and_one_beside_it_are_read_with_their_arguments(tmp_path: Path) -> None:
    text = f"torchrun --nproc_per_node 8 --nnodes $N {TRAIN} --pipeline-model-parallel-size $1\n"
    job = {"kind": "Job", "spec": {"parallelism": 2, **pod(GPU, command=["bash", "/etc/run/go.sh", "4"])}}
    held = read(tmp_path, {"kind": "ConfigMap", "data": {"go.sh": text}}, job)
    beside = read(tmp_path, job, go_sh=text)
    assert {(launch.chips, launch.strategy.pp) for launch in (held, beside)} == {(16, 4)}


def test_a_jobset_and_a_trainjob_say_their_nodes(tmp_path: Path) -> None:
    run = {"command": ["sh", "-c", f"torchrun --nproc_per_node 8 {TRAIN}"]}
    jobs = [{"name": "w", "replicas": 2, "template": {"spec": {"parallelism": 4, **pod(GPU, **run)}}}]
    assert read(tmp_path, {"kind": "JobSet", "spec": {"replicatedJobs": jobs}}).chips == 64
    trainer = {"numNodes": 4, "resourcesPerNode": GPU, "command": ["torchrun", *TRAIN.split()]}
    assert read(tmp_path, {"kind": "TrainJob", "spec": {"trainer": trainer}}).chips == 32


def test_what_trains_nothing_is_said_to(tmp_path: Path) -> None:
    serving = {"kind": "Job", "spec": pod(GPU, command=["python", "serve_vllm.py", "--port", "80"])}
    with pytest.raises(FormatError, match="no training: it serves"):
        read(tmp_path, serving)
    with pytest.raises(FormatError, match=r"takes in gone\.sh, not beside it"):
        read(tmp_path, {"kind": "Job", "spec": pod(GPU, command=["bash", "gone.sh"])})


def test_a_script_that_starts_another_is_read_through(tmp_path: Path) -> None:
    (tmp_path / "inner.sh").write_text(
        f"torchrun --nproc_per_node 8 {TRAIN} --tensor-model-parallel-size ${{1:-1}} $EXTRA\n"
    )
    for line in ("srun bash inner.sh 4", "./inner.sh 4", "bash -x ./inner.sh 4 | tee log.txt", "nohup sh inner.sh 4 &"):
        outer = tmp_path / "outer.sh"
        outer.write_text(f"#SBATCH --nodes=2\nexport EXTRA='--context-parallel-size 2'\n{line}\n")
        launch = read_launch(outer)
        assert (launch.chips, launch.strategy.tp, launch.strategy.cp) == (16, 4, 2), line


def test_scripts_that_start_themselves_have_an_end(tmp_path: Path) -> None:
    (tmp_path / "self.sh").write_text("bash self.sh\n./self.sh\n" * 3)
    with pytest.raises(FormatError, match="no launch command"):
        read_launch(tmp_path / "self.sh")


@pytest.mark.parametrize("count", ["²", "9" * 5000, "-1", "8.0"])
def test_a_count_that_is_none_is_no_chips(count: str, tmp_path: Path) -> None:
    job = {"kind": "Job", "spec": pod({"limits": {"nvidia.com/gpu": count}}, command=["torchrun", *TRAIN.split()])}
    assert read(tmp_path, job, chips=8).chips == 8
    (tmp_path / "again.yaml").write_text(yaml.safe_dump({"apiVersion": "batch/v1", **job}))
    with contextlib.suppress(FormatError):
        check_file(str(tmp_path / "again.yaml"))
