"""Any program that takes the arguments of Hugging Face's Trainer, and the FSDP part of verl."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tianji.exporters.launch_reader.read_keys import ReadKeys
from tianji.exporters.launch_reader.stacks.sharding_files import ReadFile, apply_deepspeed, apply_fsdp, find_deepspeed
from tianji.exporters.launch_reader.stacks.trainer_settings import (
    TrainerSettings,
    take_adapters,
    take_optimizer,
    truthy,
    whole,
)
from tianji.workload import Formats

MODEL = ("model_name_or_path", "model_name", "base_model", "model_id", "pretrained_model_name_or_path")
"""Names under which programs take their model."""
LENGTH = (
    "max_seq_length", "max_seq_len", "max_length", "model_max_length", "block_size", "cutoff_len", "seq_length", "seq_len",
    "max_source_length",
)  # fmt: skip
"""Names under which programs take the length of a sequence."""


STAGES = ("zero_stage", "deepspeed_stage")
"""Names under which programs take the stage of DeepSpeed that they write into a file themselves."""
TUNING = ("use_peft", "use_lora", "lora_enable", "use_qlora", "lora")
"""Names of the switch that trains adapters."""
RANKS = ("lora_r", "lora_rank", "lora_dim")
"""Names of the rank of adapters."""


def read_trainer(
    values: Mapping[str, list[str]], starter: Mapping[str, list[str]], where: str, chips: int, read_file: ReadFile
) -> TrainerSettings:
    """Return the training of a program with the Trainer's arguments.

    Defaults: transformers' TrainingArguments: 8 samples on a chip, fp32, nothing recomputed. ``starter`` holds the options of
    accelerate, whose file may name DeepSpeed or FSDP.
    """
    get = ReadKeys({k[2:].replace("-", "_").lower(): " ".join(v) or "true" for k, v in values.items()})
    trainer = TrainerSettings(where, "trainer", next((get[k] for k in MODEL if k in get), ""), chips=chips)
    trainer.seq_len = next((whole(get[k]) for k in LENGTH if whole(get.get(k))), 0)
    trainer.micro_batch = whole(get.get("per_device_train_batch_size"), 8)
    trainer.accumulation = whole(get.get("gradient_accumulation_steps"), 1)
    trainer.recompute = "full" if truthy(get.get("gradient_checkpointing")) else "none"
    trainer.precision = "bf16" if truthy(get.get("bf16")) else "fp16" if truthy(get.get("fp16")) else "fp32"
    trainer.fused = get.get("attn_implementation", "sdpa") != "eager"
    trainer.formats = Formats(loss_kernel="chunked" if truthy(get.get("use_liger_kernel")) else "torch")
    take_starter(trainer, starter, read_file)
    if "deepspeed" in get and get["deepspeed"] != "true":
        find_deepspeed(trainer, get["deepspeed"], read_file)
    elif stage := next((get[k] for k in STAGES if k in get), ""):  # such programs write the file themselves
        apply_deepspeed(trainer, {"zero_optimization": {"stage": whole(stage)}})
        trainer.offload = trainer.offload or float(truthy(get.get("offload")))
        trainer.precision = {"fp16": "fp16", "fp32": "fp32"}.get(get.get("dtype", "bf16"), "bf16")
    elif "fsdp" in get:
        config = get.get("fsdp_config", "")
        apply_fsdp(trainer, (read_file(config) or {}) if config else {}, get["fsdp"])
    _take_rollouts(trainer, get)
    _take_tuning(trainer, get)
    take_optimizer(trainer, get.get("optim", ""))
    trainer.note_unread(get)
    return trainer


def _take_tuning(trainer: TrainerSettings, get: Mapping[str, str]) -> None:
    """Take adapters into a training, under the names that programs have for them."""
    is_narrow = truthy(get.get("load_in_4bit")) or get.get("bits") == "4" or truthy(get.get("use_qlora"))
    rank = next((get[k] for k in RANKS if whole(get.get(k))), "")
    if truthy(next((get[k] for k in TUNING if k in get), "false")) or is_narrow:
        take_adapters(trainer, "lora", rank, narrow=is_narrow)
    elif truthy(get.get("only_optimize_lora")) and rank:
        take_adapters(trainer, "lora", rank)
    elif rank and "lora_dim" in get:
        trainer.left_out.append("--lora_dim beside trained weights: the adapters are left out: memory and time err low")


def _take_rollouts(trainer: TrainerSettings, get: Mapping[str, str]) -> None:
    """Take the lengths and the batch of a training that generates its samples (open-instruct's GRPO)."""
    answer, each = whole(get.get("response_length")), whole(get.get("num_samples_per_prompt_rollout"), 1)
    prompts = whole(get.get("num_unique_prompts_rollout"))
    if not answer or not prompts:
        return
    trainer.seq_len = whole(get.get("pack_length")) or answer + whole(get.get("max_prompt_token_length"), 256)
    trainer.batch = max(prompts * each // whole(get.get("num_mini_batches"), 1), 1)
    trainer.precision = "bf16"
    trainer.assumed.append(
        f"one update is priced, {trainer.batch:,} samples of {trainer.seq_len:,} tokens at the longest; the rollout and a"
        " reference are not; packed or shorter answers make it faster"
    )


def take_starter(trainer: TrainerSettings, starter: Mapping[str, list[str]], read_file: ReadFile) -> None:
    """Take accelerate's file and options into a training."""
    text = {k: (v or ["true"])[0] for k, v in starter.items()}
    body = read_file(text.get("--config-file", "")) or {}
    kind = str(body.get("distributed_type", "")).upper()
    part = body.get("deepspeed_config")
    if kind == "DEEPSPEED" or "--use-deepspeed" in text:
        zero: dict[str, Any] = dict(part) if isinstance(part, Mapping) else {}
        stage = whole(text.get("--zero-stage"), whole(zero.get("zero_stage"), 2))
        places = {k: {"device": zero.get(f"{k}_device", "none")} for k in ("offload_optimizer", "offload_param")}
        file = str(zero.get("deepspeed_config_file", text.get("--deepspeed-config-file", "")))
        apply_deepspeed(trainer, (read_file(file) or {}) if file else {"zero_optimization": {"stage": stage, **places}})
        trainer.accumulation = whole(zero.get("gradient_accumulation_steps"), trainer.accumulation)
    elif kind == "FSDP" or "--use-fsdp" in text:
        flags = {k[2:].replace("-", "_"): v for k, v in text.items() if k.startswith("--fsdp")}
        apply_fsdp(trainer, body or flags)
    precision = text.get("--mixed-precision", str(body.get("mixed_precision", "")))
    trainer.precision = precision if precision in ("bf16", "fp16") else trainer.precision
    trainer.chips = trainer.chips or whole(body.get("num_processes"))


def read_verl_fsdp(overrides: Mapping[str, str], where: str, chips: int) -> TrainerSettings:
    """Return an actor's update, or a fine-tuning, by verl's FSDP.

    Defaults: verl 1dda039b (August 2026), verl/trainer/config: FSDP shards weights, layers are recomputed.
    """
    keys = ReadKeys(overrides)

    def find(*names: str, default: str = "") -> str:
        prefixes = ("actor_rollout_ref.actor.", "actor_rollout_ref.", "")
        return next((keys[p + n] for n in names for p in prefixes if p + n in keys), default)

    trainer = TrainerSettings(where, "verl", find("model.path", "model.partial_pretrain"), zero=3)
    nodes, node = whole(find("trainer.nnodes"), 1), whole(find("trainer.n_gpus_per_node"), 8)
    trainer.chips = chips or nodes * node
    longest = whole(find("data.max_prompt_length")) + whole(find("data.max_response_length")) or whole(
        find("data.max_length")
    )
    trainer.cp = whole(find("ulysses_sequence_parallel_size", "engine.ulysses_sequence_parallel_size"), 1)
    trainer.seq_len = longest or whole(find("ppo_max_token_len_per_gpu", "data.max_token_len_per_gpu"), 4096)
    trainer.micro_batch = whole(
        find("ppo_micro_batch_size_per_gpu", "data.micro_batch_size_per_gpu", "data.micro_batch_size"), 1
    )
    samples = whole(find("rollout.n"), 1)
    trainer.batch = whole(find("ppo_mini_batch_size", "data.train_batch_size"), 256) * samples
    trainer.recompute = (
        "none" if find("model.enable_gradient_checkpointing", default="true").lower() == "false" else "full"
    )
    trainer.fused = True
    shards = [f"{part}.{{}}" for part in ("fsdp_config", "engine", "model.fsdp_config")]
    trainer.zero = 2 if find(*(s.format("reshard_after_forward") for s in shards)).lower() == "false" else 3
    trainer.zero_group = whole(find(*(s.format("fsdp_size") for s in shards)))
    trainer.offload = float(
        truthy(find(*(s.format("optimizer_offload") for s in shards), *(s.format("offload_policy") for s in shards)))
    )
    trainer.offload_weights = truthy(find(*(s.format("param_offload") for s in shards)))
    trainer.formats = Formats(loss_kernel="chunked" if truthy(find("model.use_liger")) else "torch")
    if rank := whole(find("model.lora_rank")):
        take_adapters(trainer, "lora", rank, find("model.target_modules", default="all"))
    trainer.assumed.append(
        f"verl: one update is priced, {trainer.batch:,} samples of {trainer.seq_len} tokens at the longest; the rollout, the"
        " reference and a critic are not; shorter answers make it faster"
    )
    trainer.note_unread(ReadKeys({k: v for k, v in keys.unread() if not k.startswith(OTHER_PARTS)}))
    return trainer


OTHER_PARTS = (
    "actor_rollout_ref.rollout.", "actor_rollout_ref.ref.", "critic.", "reward_model.", "reward.", "algorithm.", "custom_reward",
    "data.", "trainer.", "global_profiler", "hydra", "ray_", "transfer_queue", "rollout",
)  # fmt: skip
"""Keys of verl that are not the training's of the actor: it is said that rollout, reference and critic are not priced."""
