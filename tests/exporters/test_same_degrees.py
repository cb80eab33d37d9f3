"""The law of degrees: what each target writes, read back from its own format, is the plan's degrees, batch and chips."""

import ast
import json
import re
import tomllib
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from legal_plans import plans, with_its_loss
from tianji.errors import ExportError
from tianji.exporters import TARGETS, FileBundle, render_plan
from tianji.exporters.launch_reader.shell_reader import read_script
from tianji.parallel.plan import Plan
from tianji.parallel.stages import read_stages

Degrees = dict[str, int]
NAMES = ("tp", "pp", "vpp", "cp", "ep", "etp", "dp", "micro_batch_size")


def text_of(bundle: FileBundle, suffix: str) -> str:
    return next(a.text for a in bundle.artefacts if a.name.endswith(suffix))


def options_of(text: str, program: str) -> dict[str, str]:
    """Return the options after a program's name in a script, each with its first value."""
    words = next(c for c in read_script(text, "script").commands if program in c)
    pairs = zip(words, [*words[1:], ""], strict=True)
    return {name: value for name, value in pairs if name.startswith("--")}


def read_family(bundle: FileBundle) -> Degrees:
    """Megatron-LM and MindSpeed: the data-parallel degree is what the other degrees leave of the processes."""
    name = next(a.name for a in bundle.artefacts if a.name.startswith("pretrain"))
    options = options_of(text_of(bundle, name), "torchrun")
    tp, pp, cp = (int(options[f"--{n}-parallel-size"]) for n in ("tensor-model", "pipeline-model", "context"))
    layers, each = int(options["--num-layers"]), int(options.get("--num-layers-per-virtual-pipeline-stage", 0))
    layout = options.get("--pipeline-model-parallel-layout", "")
    vpp = layers // (pp * each) if each else len(read_stages(layout).layers) // pp if layout else 1
    world = int(options["--nproc-per-node"]) * int(options["--nnodes"])
    return {
        "tp": tp, "pp": pp, "vpp": vpp, "cp": cp, "dp": world // (tp * pp * cp),
        "ep": int(options.get("--expert-model-parallel-size", 1)),
        "etp": int(options.get("--expert-tensor-parallel-size", 1)),
        "micro_batch_size": int(options["--micro-batch-size"]), "batch": int(options["--global-batch-size"]),
    }  # fmt: skip


def read_nemo(bundle: FileBundle) -> Degrees:
    tree = ast.parse(text_of(bundle, ".py"))
    fields = {
        ast.unparse(node.targets[0]): node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    world = options_of(text_of(bundle, ".sh"), "torchrun")
    degrees = {
        name: int(fields.get(f"model.{field}") or 1)  # type: ignore[arg-type]
        for name, field in (
            ("tp", "tensor_model_parallel_size"), ("pp", "pipeline_model_parallel_size"), ("cp", "context_parallel_size"),
            ("vpp", "virtual_pipeline_model_parallel_size"), ("ep", "expert_model_parallel_size"),
            ("etp", "expert_tensor_parallel_size"),
        )
    }  # fmt: skip
    chips = int(world["--nproc-per-node"]) * int(world["--nnodes"])
    degrees["dp"] = chips // (degrees["tp"] * degrees["pp"] * degrees["cp"])
    return degrees | {
        "micro_batch_size": int(fields["cfg.train.micro_batch_size"]),  # type: ignore[arg-type]
        "batch": int(fields["cfg.train.global_batch_size"]),  # type: ignore[arg-type]
    }


def read_torchtitan(bundle: FileBundle) -> Degrees:
    config = tomllib.loads(text_of(bundle, ".toml"))
    p, training = config["parallelism"], config["training"]
    pp = p["pipeline_parallel_degree"]
    return {
        "tp": p["tensor_parallel_degree"], "pp": pp, "cp": p["context_parallel_degree"],
        "dp": p["data_parallel_replicate_degree"] * p["data_parallel_shard_degree"],
        "vpp": len(p.get("module_fqns_per_model_part", [1])) // pp if pp > 1 else 1,
        "ep": p["expert_parallel_degree"], "etp": p["expert_tensor_parallel_degree"],
        "micro_batch_size": p["pipeline_parallel_microbatch_size"] if pp > 1 else training["local_batch_size"],
        "batch": training["global_batch_size"],
    }  # fmt: skip


def read_mindformers(bundle: FileBundle) -> Degrees:
    config = yaml.safe_load(text_of(bundle, ".yaml"))
    p, runner = config["parallel_config"], config["runner_config"]
    steps = p["micro_batch_num"] * runner.get("gradient_accumulation_steps", 1)
    return {
        "tp": p["model_parallel"], "pp": p["pipeline_stage"], "cp": p["context_parallel"], "dp": p["data_parallel"],
        "ep": p.get("expert_parallel", 1), "etp": 1,
        "vpp": config["model"]["model_config"].get("pp_interleave_num", 1), "micro_batch_size": runner["batch_size"],
        "batch": steps * p["data_parallel"] * runner["batch_size"],
    }  # fmt: skip


def read_deepspeed(bundle: FileBundle) -> Degrees:
    config = json.loads(text_of(bundle, ".json"))
    world = options_of(text_of(bundle, ".sh"), "deepspeed")
    tp, cp = config.get("tensor_parallel", {}).get("autotp_size", 1), config.get("sequence_parallel_size", 1)
    dp = int(world["--num_gpus"]) * int(world["--num_nodes"]) // (tp * cp)
    micro = config["train_micro_batch_size_per_gpu"]
    assert config["train_batch_size"] == dp * micro * config["gradient_accumulation_steps"]
    return {
        "tp": tp, "pp": 1, "vpp": 1, "cp": cp, "dp": dp, "ep": 1, "etp": 1, "micro_batch_size": micro,
        "batch": config["train_batch_size"],
    }  # fmt: skip


def read_trainer(bundle: FileBundle) -> Degrees:
    config = yaml.safe_load(text_of(bundle, ".yaml"))
    world = dict(re.findall(r"^export (N\w+)=(\d+)", text_of(bundle, ".sh"), re.MULTILINE))
    cp, micro = config.get("sequence_parallel_size", 1), config["per_device_train_batch_size"]
    dp = int(world["NPROC_PER_NODE"]) * int(world["NNODES"]) // cp
    return {
        "tp": 1, "pp": 1, "vpp": 1, "cp": cp, "dp": dp, "ep": 1, "etp": 1, "micro_batch_size": micro,
        "batch": dp * micro * config["gradient_accumulation_steps"],
    }  # fmt: skip


def read_megatron_swift(bundle: FileBundle) -> Degrees:
    text = text_of(bundle, "run_megatron_swift.sh")
    options = dict(re.findall(r"^    --(\w+) (\S+)", text, re.MULTILINE))
    world = dict(re.findall(r"^export (N\w+)=(\d+)", text, re.MULTILINE))
    tp, pp, cp, ep, etp = (
        int(options.get(f"{name}_parallel_size", 1))
        for name in ("tensor_model", "pipeline_model", "context", "expert_model", "expert_tensor")
    )
    layout = options.get("pipeline_model_parallel_layout", "").strip("'")
    vpp = (
        len(read_stages(layout).layers) // pp if layout else int(options.get("virtual_pipeline_model_parallel_size", 1))
    )
    return {
        "tp": tp, "pp": pp, "vpp": vpp, "cp": cp, "ep": ep, "etp": etp,
        "dp": int(world["NPROC_PER_NODE"]) * int(world["NNODES"]) // (tp * pp * cp),
        "micro_batch_size": int(options["micro_batch_size"]), "batch": int(options["global_batch_size"]),
    }  # fmt: skip


def read_torchrun(bundle: FileBundle) -> Degrees:
    fields = dict(re.findall(r"^export TIANJI_(\w+)=(\S+)", text_of(bundle, "launch.sh"), re.MULTILINE))
    return {n: int(fields[n.upper()]) for n in NAMES} | {"batch": int(fields["GLOBAL_BATCH_SIZE"])}


def read_plan_file(text: str) -> Degrees:
    document: dict[str, Any] = json.loads(text)
    return {n: document["strategy"][n] for n in NAMES} | {"batch": document["job"]["global_batch_size"]}


def read_inner(bundle: FileBundle) -> Degrees:
    """Schedulers: the script that they start on a node."""
    names = [a.name for a in bundle.artefacts]
    return read_torchrun(bundle) if "launch.sh" in names else read_family(bundle)


def read_rayjob(bundle: FileBundle) -> Degrees:
    files, _ = yaml.safe_load_all(text_of(bundle, "rayjob.yaml"))
    return read_plan_file(files["data"]["plan.json"])


READERS: dict[str, Callable[[FileBundle], Degrees]] = {
    "megatron": read_family, "mindspeed": read_family, "nemo": read_nemo, "torchtitan": read_torchtitan,
    "mindformers": read_mindformers, "deepspeed": read_deepspeed, "torchrun": read_torchrun, "slurm": read_inner,
    "volcano": read_inner, "jobset": read_inner, "rayjob": read_rayjob, "llama-factory": read_trainer, "swift": read_trainer,
    "megatron-swift": read_megatron_swift,
}  # fmt: skip


def count_chips(bundle: FileBundle) -> int:
    """Return the chips that a scheduler's file asks for."""
    if bundle.target == "slurm":
        options = dict(re.findall(r"^#SBATCH (--[a-z-]+)=(\S+)", text_of(bundle, ".sbatch"), re.MULTILINE))
        return int(options["--nodes"]) * int(options["--gres"].partition(":")[2])
    job = list(yaml.safe_load_all(text_of(bundle, ".yaml")))[1]["spec"]
    match bundle.target:
        case "jobset":
            inner = job["replicatedJobs"][0]["template"]["spec"]
            groups = [(inner["parallelism"], inner["template"])]
        case "rayjob":
            groups = [(g["replicas"], g["template"]) for g in job["rayClusterSpec"]["workerGroupSpecs"]]
        case _:
            tasks = job.get("tasks") or job["replicaSpecs"].values()
            groups = [(task["replicas"], task["template"]) for task in tasks]
    limits = [(n, pod["spec"]["containers"][0]["resources"]["limits"]) for n, pod in groups]
    return sum(n * count for n, resources in limits for count in resources.values())


def test_every_target_is_read_back() -> None:
    assert set(READERS) == set(TARGETS)


POOLS = {"deepspeed": ("hgx-h100",), "mindspeed": ("atlas-950-superpod",), "mindformers": ("atlas-950-superpod",)}
SCHEDULED = {"slurm", "volcano", "jobset", "rayjob"}


@pytest.mark.parametrize("target", READERS)
def test_the_degrees_are_the_plans_or_it_is_refused(target: str) -> None:
    written: list[Plan] = []

    @settings(max_examples=30, suppress_health_check=list(HealthCheck))
    @given(plan=plans(POOLS.get(target, ("hgx-h100", "gb200-nvl72")), TARGETS[target].space), data=st.data())
    def compare(plan: Plan, data: st.DataObject) -> None:
        try:
            bundle = render_plan(with_its_loss(plan, target), target)
        except ExportError as error:
            assert len(str(error)) > len(f"--to {target} would run another plan: ")
            assume(False)
            raise
        written.append(plan)
        s = plan.strategy
        degrees = {name: getattr(s, name) for name in NAMES} | {"batch": plan.job.global_batch_size}
        if plan.job.model.moe is None:
            degrees |= {"ep": 1, "etp": 1}
        assert READERS[target](bundle) == degrees
        if target in SCHEDULED:
            assert count_chips(bundle) == s.chips
        if target != "rayjob":
            assert len(text_of(bundle, "ranks.tsv").splitlines()) == s.chips + 1

    compare()
    assert len({plan.strategy for plan in written}) >= 5
