"""Files of DeepSpeed, of accelerate and of Hugging Face's FSDP: what they shard, offload and keep in which format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tianji.errors import FormatError
from tianji.exporters.launch_reader.read_keys import ReadKeys
from tianji.exporters.launch_reader.stacks.trainer_settings import TrainerSettings, share, take_optimizer, truthy, whole
from tianji.exporters.rules.tables import flatten_values
from tianji.units import GIGA

SHARDING = {
    "FULL_SHARD": 3,
    "HYBRID_SHARD": 3,
    "SHARD_GRAD_OP": 2,
    "HYBRID_SHARD_ZERO2": 2,
    "NO_SHARD": 0,
    "1": 3,
    "2": 2,
    "3": 0,
    "4": 3,
}
BUCKET = 5e8
"""Elements of DeepSpeed's reduce_bucket_size where a file is silent."""
SWIFT_STAGES = {"zero0": 0, "zero1": 1, "zero2": 2, "zero3": 3, "zero2_offload": 2, "zero3_offload": 3}
"""Files that ms-swift has under these names."""
ReadFile = Callable[[str], Mapping[str, Any] | None]
"""Returns the content of a file that lies beside the one that is read, None where there is none."""


def apply_deepspeed(trainer: TrainerSettings, body: Mapping[str, Any]) -> None:
    """Take a file of DeepSpeed into a training; "auto" is what the Trainer says already."""
    body = ReadKeys(body)
    zero = body.get("zero_optimization")
    zero = zero if isinstance(zero, Mapping) else {}
    trainer.zero, trainer.is_deepspeed = min(whole(zero.get("stage")), 3), True
    trainer.stated = flatten_values(body)
    _note_buckets(trainer, zero)
    _take_offloading(trainer, zero)
    trainer.overlap = truthy(zero.get("overlap_comm", trainer.zero == 3))
    trainer.micro_batch = whole(body.get("train_micro_batch_size_per_gpu"), trainer.micro_batch)
    trainer.accumulation = whole(body.get("gradient_accumulation_steps"), trainer.accumulation)
    trainer.batch = whole(body.get("train_batch_size"), trainer.batch)
    tensor = body.get("tensor_parallel")
    if isinstance(tensor, Mapping):
        trainer.tp = whole(tensor.get("autotp_size"), 1)
    trainer.cp = whole(body.get("sequence_parallel_size"), trainer.cp)
    trainer.zero_group = whole(zero.get("mics_shard_size")) or whole(zero.get("zero_hpz_partition_size"))
    for name in ("fp16", "bf16"):
        part = body.get(name)
        if isinstance(part, Mapping) and part.get("enabled") is True:
            trainer.precision = name
    _take_formats(trainer, body)
    body.skip(*NOT_OF_SHARDING)
    if isinstance(zero, ReadKeys):
        zero.skip(*AS_PRICED)
    trainer.note_unread(body)


NOT_OF_SHARDING = (
    "scheduler", "optimizer", "fp16", "bf16", "amp", "monitor_config", "zero_force_ds_cpu_optimizer", "aio", "gradient_clipping",
    "zero_allow_untested_optimizer", "steps_per_print", "prescale_gradients", "gradient_predivide_factor",
)  # fmt: skip
"""Keys of DeepSpeed's file that change neither time nor memory beside what is read of them."""
AS_PRICED = (
    "contiguous_gradients", "allgather_partitions", "reduce_scatter", "offload_optimizer", "offload_param",
    "stage3_gather_16bit_weights_on_model_save", "load_from_fp32_weights", "round_robin_gradients",
)  # fmt: skip
"""Keys of ``zero_optimization`` that are read, or that move a few percent at most."""


def _take_offloading(trainer: TrainerSettings, zero: Mapping[str, Any]) -> None:
    """Take what a file of DeepSpeed keeps outside the chip into a training."""
    for name in ("offload_optimizer", "offload_param"):
        part = zero.get(name)
        device = str(part.get("device", "none")) if isinstance(part, Mapping) else "none"
        if not isinstance(part, Mapping) or device in ("none", "null", "None"):
            continue
        if name == "offload_param":
            trainer.offload_weights = True
        else:
            trainer.offload = share(part.get("ratio"), 1.0)
        if device == "nvme":
            trainer.left_out.append(f"{name} on NVMe is priced as in host memory: time errs low")


def _take_formats(trainer: TrainerSettings, body: Mapping[str, Any]) -> None:
    """Take the optimizer and the dtype of its gradients from a file of DeepSpeed into a training."""
    optimizer, types = body.get("optimizer"), body.get("data_types")
    if isinstance(optimizer, Mapping):
        take_optimizer(trainer, str(optimizer.get("type", "")))
    if isinstance(types, Mapping) and str(types.get("grad_accum_dtype")) in ("bf16", "fp16"):
        trainer.formats = replace(trainer.formats, gradient_dtype="bf16")


SIZES = {
    "reduce_bucket_size": BUCKET, "allgather_bucket_size": BUCKET, "stage3_prefetch_bucket_size": 5e7, "sub_group_size": GIGA,
    "stage3_max_live_parameters": GIGA, "stage3_max_reuse_distance": GIGA, "stage3_param_persistence_threshold": 1e5,
}  # fmt: skip
"""Elements of DeepSpeed's buffers where a file is silent (0.19.6, runtime/zero/config.py), of which memory is priced."""


def _note_buckets(trainer: TrainerSettings, zero: Mapping[str, Any]) -> None:
    """Say where DeepSpeed's buffers are not of the size that is priced, its default."""
    for name, default in SIZES.items():
        size = str(zero.get(name, default))
        try:
            number = float(size)
        except ValueError:
            number = 0.0 if name == "reduce_bucket_size" else default  # "auto": the square of the model's width
        if trainer.zero and number != default and (trainer.zero == 3 or not name.startswith("stage3")):
            errs = "low" if number > default else "high"
            trainer.left_out.append(
                f"{name} {size[:20]}: priced as the default of {default:g} elements: memory errs {errs}"
            )


def apply_fsdp(trainer: TrainerSettings, body: Mapping[str, Any], kind: str = "") -> None:
    """Take an FSDP configuration of accelerate or of Hugging Face into a training."""
    part = body.get("fsdp_config") if isinstance(body.get("fsdp_config"), Mapping) else body
    part = ReadKeys({str(k).removeprefix("fsdp_"): v for k, v in (part or {}).items()})
    part.skip(*NOT_OF_FSDP)
    word = str(part.get("sharding_strategy", "")).upper()
    version = whole(part.get("version"), 1)
    if word in SHARDING:
        trainer.zero = SHARDING[word]
    elif "reshard_after_forward" in part or version == 2:
        trainer.zero = 3 if str(part.get("reshard_after_forward", True)).lower() in ("true", "full_shard") else 2
    else:
        trainer.zero = 3
    text = f"{kind} {body.get('fsdp', '')}".lower()
    if "shard_grad_op" in text:
        trainer.zero = 2
    if truthy(part.get("offload_params")) or "offload" in text.split():
        trainer.offload, trainer.offload_weights = 1.0, True
    trainer.offload_activations = truthy(part.get("activation_cpu_offload"))
    if truthy(part.get("activation_checkpointing")):
        trainer.recompute = "full"
    precision = str(body.get("mixed_precision", ""))
    if precision in ("bf16", "fp16"):
        trainer.precision = precision
    trainer.chips = trainer.chips or whole(body.get("num_processes"))
    _take_mesh(trainer, body.get("parallelism_config"))
    trainer.note_unread(part)


NOT_OF_FSDP = {
    "compute_environment", "distributed_type", "machine_rank", "main_training_function", "num_machines", "num_processes",
    "mixed_precision", "rdzv_backend", "same_network", "use_cpu", "downcast_bf16", "enable_cpu_affinity", "debug", "fsdp",
    "tpu_env", "tpu_use_cluster", "tpu_use_sudo", "gpu_ids", "main_process_ip", "main_process_port", "parallelism_config",
    # How weights are wrapped, loaded and saved; FSDP's own prefetching is what is priced.
    "auto_wrap_policy", "transformer_layer_cls_to_wrap", "cpu_ram_efficient_loading", "sync_module_states", "state_dict_type",
    "use_orig_params", "backward_prefetch", "backward_prefetch_policy", "forward_prefetch", "limit_all_gathers",
    "xla", "xla_fsdp_v2",
}  # fmt: skip
"""Keys of accelerate's files that say nothing of sharding, or what is priced anyway."""


def _take_mesh(trainer: TrainerSettings, mesh: Any) -> None:
    """Take the degrees of accelerate's ``parallelism_config`` into a training."""
    if not isinstance(mesh, Mapping):
        return
    sizes = {str(k).removeprefix("parallelism_config_"): whole(v) for k, v in mesh.items()}
    trainer.tp, trainer.cp = (
        sizes.get("tp_size") or trainer.tp,
        sizes.get("cp_size") or sizes.get("sp_size") or trainer.cp,
    )
    if sizes.get("dp_replicate_size", 1) > 1:
        trainer.zero_group = sizes.get("dp_shard_size", 0) * trainer.cp


def find_deepspeed(trainer: TrainerSettings, value: Any, read_file: ReadFile) -> None:
    """Take what ``deepspeed`` names into a training: a name of ms-swift, JSON text, or a file.

    Raises FormatError for a file that is not there.
    """
    if isinstance(value, Mapping):
        apply_deepspeed(trainer, value)
        return
    text = str(value).strip()
    if text.startswith("{"):
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = {}
        apply_deepspeed(trainer, body if isinstance(body, Mapping) else {})
        return
    body = read_file(text)
    if body is not None:
        apply_deepspeed(trainer, body)
        return
    name = re.sub(r"^ds_|_config$", "", text.rsplit("/", 1)[-1].removesuffix(".json").lower()).replace("z0", "zero0")
    name = re.sub(r"^z(?=\d)", "zero", name)
    if name not in SWIFT_STAGES:
        raise FormatError(f"{trainer.where}: deepspeed: {text[:80]} is not beside it; its stage is unknown")
    trainer.zero, trainer.offload, trainer.is_deepspeed = SWIFT_STAGES[name], "offload" in name, True
    trainer.overlap = trainer.zero != 0
    trainer.assumed.append(f"deepspeed {text}: ZeRO-{trainer.zero} by its name")
