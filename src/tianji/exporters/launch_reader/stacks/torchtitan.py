"""torchtitan: its TOML, and the names of its configuration registry with what the command line changes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from tianji.errors import FormatError, UnknownNameError
from tianji.exporters.launch_reader.named_models import find_named_model
from tianji.exporters.launch_reader.read_keys import ReadKeys, Settled, describe_unread
from tianji.exporters.launch_reader.stacks.trainer_settings import truthy, whole
from tianji.exporters.launch_reader.stages import name_stages
from tianji.parallel.stages import Stages
from tianji.parallel.strategy import Strategy
from tianji.workload import Formats, Job, find_precision

SCHEDULES = {
    "1f1b": "1f1b", "interleaved1f1b": "interleaved", "gpipe": "gpipe", "zbvzerobubble": "zbv", "dualpipev": "dualpipev",
}  # fmt: skip
FLAVORS = {
    ("deepseek_v3", "16B"): "deepseek-v2-lite", ("deepseek_v3", "236B"): "deepseek-v2", ("deepseek_v3", "671B"): "deepseek-v3",
    ("llama3", "405B"): "llama-3.1-405b", ("llama3", "1B"): "llama-3.2-1b", ("llama3", "3B"): "llama-3.2-3b",
    ("llama4", "17bx16e"): "llama-4-scout", ("llama4", "17bx128e"): "llama-4-maverick",
}  # fmt: skip
"""Models of the catalog that torchtitan ships under another name (0.2.1, torchtitan/models/*/__init__.py)."""
TABLES = frozenset({"job", "model", "training", "parallelism"})
"""Sections of which a configuration of torchtitan has one at least."""
DEFAULT_SEQUENCE, DEFAULT_BATCH = 2048, 8
"""torchtitan 0.2.1, job_config.py: training.seq_len and training.local_batch_size."""


@cache
def load_registry() -> dict[str, dict[str, Any]]:
    """Return the functions of torchtitan's registry by name, each with its model and sizes."""
    text = (files("tianji.exporters.launch_reader") / "data" / "torchtitan_registry.toml").read_text(encoding="utf-8")
    table: dict[str, dict[str, Any]] = tomllib.loads(text)
    return table


def read_registry(name: str, overrides: Mapping[str, str]) -> dict[str, Any]:
    """Return the sections of a registry's configuration with what the command line says.

    Raises UnknownNameError for a name that the registry does not have.
    """
    registry = load_registry()
    if name not in registry:
        raise UnknownNameError("configuration of torchtitan", name, registry)
    return lay_over(registry[name], overrides)


def lay_over(sections: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, Any]:
    """Return sections with overrides such as ``parallelism.tensor_parallel_degree``."""
    whole_tree: dict[str, Any] = {k: dict(v) if isinstance(v, Mapping) else v for k, v in sections.items()}
    for key, value in overrides.items():
        section, _, name = key.replace("-", "_").partition(".")
        if name:
            part = whole_tree.setdefault(section, {})
            if isinstance(part, dict):
                part[name] = value
        else:
            whole_tree[section] = value
    return whole_tree


def read_torchtitan(sections: Mapping[str, Any], where: str, chips: int) -> Settled:
    """Return the job and the strategy of torchtitan's sections, with what was assumed, is left out and not known.

    Raises FormatError for sections that do not fit each other, and for a model that is not known.
    """
    tree = ReadKeys(sections)

    def part(name: str) -> Mapping[str, Any]:
        value = tree.get(name)
        return value if isinstance(value, Mapping) else {}

    model_part, training, parallel = part("model"), part("training"), part("parallelism")
    name, flavor = str(model_part.get("name", "")), str(model_part.get("flavor", ""))
    names = [FLAVORS.get((name, flavor)) or (f"{name}-{flavor}" if flavor else name)]
    names = [str(tree["named"]), *names] if "named" in tree else names
    entry = next((f for n in names if (f := find_named_model(n))), None)
    if entry is None:
        raise FormatError(
            f"{where}: the model {names[0]} is not in the catalog; give one of the same shape with --set model=NAME"
        )
    model = entry[0]
    tp, pp, cp = (whole(parallel.get(f"{k}_parallel_degree"), 1) for k in ("tensor", "pipeline", "context"))
    ep, etp = whole(parallel.get("expert_parallel_degree"), 1), whole(parallel.get("expert_tensor_parallel_degree"), 1)
    replicate = whole(parallel.get("data_parallel_replicate_degree"), 1)
    if not chips:
        shard = whole(parallel.get("data_parallel_shard_degree"))
        if not shard:
            raise FormatError(f"{where}: it does not say on how many chips it runs; give them with --chips N")
        chips = tp * pp * cp * replicate * shard
    dp, rest = divmod(chips, tp * pp * cp)
    if rest or not dp:
        raise FormatError(f"{where}: {tp}·{pp}·{cp} tensor, pipeline and context ranks do not divide {chips:,} chips")
    seq_len = whole(training.get("seq_len"), 0) or whole(training.get("max_context_length"), DEFAULT_SEQUENCE)
    local = whole(training.get("local_batch_size"), 0)
    if not local:
        local = max(whole(training.get("num_tokens_per_microbatch_per_dp_rank"), DEFAULT_BATCH * seq_len) // seq_len, 1)
    batch = whole(training.get("global_batch_size")) or local * dp
    assumed: list[str] = []
    kind = str(parallel.get("pipeline_parallel_schedule", "Interleaved1F1B" if pp > 1 else "1F1B")).lower()
    schedule = SCHEDULES.get(kind, "1f1b") if pp > 1 else "1f1b"
    if pp > 1 and kind not in SCHEDULES:
        assumed.append(f"pipeline schedule {kind}: priced as 1F1B")
    micro = local if pp == 1 else whole(parallel.get("pipeline_parallel_microbatch_size"), 1)
    recompute, share, modules = _recomputation(part("activation_checkpoint"))
    is_offloaded = truthy(training.get("enable_cpu_offload"))
    zero, group = _sharding(parallel, dp * cp, replicate, pp)
    strategy = Strategy(
        tp=tp, pp=pp, cp=cp, dp=dp, ep=ep, etp=etp if model.moe else 1, micro_batch_size=micro, zero=zero, zero_group=group,
        schedule=schedule, vpp=2 if schedule == "interleaved" else 1, recompute=recompute, recompute_layers=share,
        recompute_modules=modules, offload_weights=is_offloaded, offload_optimizer=float(is_offloaded),
        overlap_tp=truthy(parallel.get("enable_async_tensor_parallel")), overlap_pp=False, ep_kind="all_to_all",
        cp_kind="all_gather" if str(parallel.get("context_parallel_rotate_method", "allgather")) == "allgather" else "ring",
    )  # fmt: skip
    if stages := _read_parts(parallel.get("module_fqns_per_model_part"), pp):
        vpp = len(stages.layers) // pp
        strategy = name_stages(model, replace(strategy, vpp=vpp if schedule == "interleaved" else 1), stages)
    elif schedule == "interleaved":
        assumed.append("two chunks on each pipeline rank, torchtitan's default")
    text = str(tree.get("quantize", "")) + str(model_part.get("converters", "")) + str(tree.get("converters", ""))
    precision = "mxfp8" if "mx" in text.lower() else "fp8" if "float8" in text.lower() else "bf16"
    formats = _formats(part("training"), part("optimizer"))
    steps = whole(training.get("steps"))
    for name in ("profiling", "metrics", "checkpoint", "comm", "job", "validation", "lr_scheduler", "experimental"):
        part(name)
    unpriced, ignored = describe_unread(tree.unread())
    left_out = [*([entry[1]] if entry[1] else []), *unpriced]
    job = Job(model, seq_len, batch, formats.apply(find_precision(precision)), float(steps * batch * seq_len))
    return job, strategy, assumed, left_out, ignored


def _formats(training: Mapping[str, Any], optimizer: Mapping[str, Any]) -> Formats:
    """Return what is kept otherwise than in fp32: weights, gradients and moments of ``training.dtype = "bfloat16"``, the loss."""
    name = next((word for word in ("lion", "muon", "sgd") if word in str(optimizer.get("name", "")).lower()), None)
    if str(training.get("dtype", "float32")) in ("bfloat16", "float16"):
        return Formats(name, "bf16", "none", "bf16")
    return Formats(name)


def _read_parts(parts: object, pp: int) -> Stages | None:
    """Return the stages that list their modules by name."""
    if pp == 1 or not isinstance(parts, list) or not parts or len(parts) % pp:
        return None
    names = [[str(name) for name in part] if isinstance(part, list) else [] for part in parts]
    return Stages(tuple(sum(name.startswith("layers.") for name in part) for part in names))


def _recomputation(part: Mapping[str, Any]) -> tuple[str, float, str]:
    """Return the kind, the share of the layers and the modules: ``op`` keeps every second matmul and attention."""
    mode = str(part.get("mode", "selective"))
    option = str(part.get("selective_ac_option", "2"))
    if mode == "none":
        return "none", 1.0, ""
    if mode == "full":
        return "full", 1.0, ""
    return ("full", 1 / int(option), "") if option.isdigit() and int(option) else ("selective", 1.0, "ops")


def _sharding(parallel: Mapping[str, Any], ranks: int, replicate: int, pp: int) -> tuple[int, int]:
    """Return the stage of ZeRO and the group that shards: with one replica all ranks do."""
    if str(parallel.get("data_parallel_shard_degree", "-1")) == "1" and replicate > 1:
        return 0, 0
    always = str(parallel.get("fsdp_reshard_after_forward", "default"))
    zero = 2 if always == "never" or (always == "default" and pp > 1) else 3
    group = ranks // replicate if replicate > 1 and ranks % replicate == 0 else 0
    return zero, group
