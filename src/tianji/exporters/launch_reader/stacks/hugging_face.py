"""Trainings by Hugging Face's Trainer under DeepSpeed or FSDP: ms-swift, LLaMA-Factory, MindSpeed-LLM's fsdp2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tianji.errors import FormatError
from tianji.exporters.launch_reader.read_keys import ReadKeys
from tianji.exporters.launch_reader.stacks.generated import GENERATING, read_lengths
from tianji.exporters.launch_reader.stacks.sharding_files import ReadFile, apply_fsdp, find_deepspeed
from tianji.exporters.launch_reader.stacks.trainer_settings import (
    TrainerSettings,
    take_adapters,
    take_optimizer,
    truthy,
    whole,
)
from tianji.workload import Formats


def read_swift_options(values: Mapping[str, list[str]], where: str, chips: int, read_file: ReadFile) -> TrainerSettings:
    """Return the training of ``swift sft`` and ``swift pt``.

    Defaults: ms-swift 3602360a (August 2026), swift/arguments.
    """
    get = ReadKeys({k[2:].replace("-", "_"): (v[0] if v else "true") for k, v in values.items()})
    if get.get("sampler_engine", "") or get.get("sampler_type", ""):
        raise FormatError(f"{where}: it samples answers (swift sample) and trains nothing")
    trainer = TrainerSettings(where, "swift", get.get("model", ""), chips=chips)
    trainer.seq_len = whole(get.get("max_length"))
    if (kind := get.get("rlhf_type", "")) in GENERATING:
        trainer.seq_len, remark = read_lengths(kind, lambda name, default: whole(get.get(name), default))
        trainer.assumed.append(remark)
    trainer.micro_batch = whole(get.get("per_device_train_batch_size"), 1)
    trainer.cp = whole(get.get("sequence_parallel_size"), 1)
    dp = max(chips // trainer.cp, 1)
    trainer.accumulation = whole(get.get("gradient_accumulation_steps"), max(16 // (trainer.micro_batch * dp), 1))
    trainer.recompute = "none" if get.get("gradient_checkpointing", "true").lower() == "false" else "full"
    trainer.fused = get.get("attn_impl", "sdpa") != "eager"
    trainer.formats = Formats(loss_kernel="chunked" if truthy(get.get("use_liger_kernel")) else "torch")
    trainer.precision = {"float16": "fp16", "float32": "fp32"}.get(get.get("torch_dtype", "bfloat16"), "bf16")
    if "deepspeed" in get:
        find_deepspeed(trainer, get["deepspeed"], read_file)
    elif "fsdp" in get:
        apply_fsdp(trainer, read_file(get["fsdp"]) or {}, get["fsdp"])
    targets = [word for name in ("--target_modules", "--target-modules") for word in values.get(name, [])]
    kind = get.get("tuner_type", get.get("train_type", "lora"))
    take_adapters(trainer, kind, get.get("lora_rank"), targets or None, narrow=get.get("quant_bits") == "4")
    take_optimizer(trainer, get.get("optim", ""))
    get.asked |= {"target_modules", "model_type", "load_args"}
    trainer.note_unread(get)
    return trainer


def _trains_unsaid(body: Mapping[str, Any]) -> bool:
    """Return whether a file of LLaMA-Factory without ``do_train`` is taken for a training: it names a stage, and only trains."""
    return "stage" in body and not any(truthy(body.get(key)) for key in ("do_predict", "do_eval"))


def read_llama_factory(body: Mapping[str, Any], where: str, chips: int, read_file: ReadFile) -> TrainerSettings:
    """Return the training of LLaMA-Factory's YAML.

    Defaults: LLaMA-Factory ff6d4d12 (August 2026), src/llamafactory/hparams, and transformers' TrainingArguments.

    Raises FormatError for a file that trains nothing.
    """
    body = ReadKeys(body)
    if not truthy(body.get("do_train", _trains_unsaid(body))) or "export_dir" in body:
        raise FormatError(f"{where}: a configuration of LLaMA-Factory that trains nothing (do_train is not true)")
    trainer = TrainerSettings(where, "llama-factory", str(body.get("model_name_or_path", "")), chips=chips)
    trainer.seq_len = whole(body.get("cutoff_len"), 2048)
    trainer.micro_batch = whole(body.get("per_device_train_batch_size"), 8)
    trainer.accumulation = whole(body.get("gradient_accumulation_steps"), 1)
    trainer.recompute = "none" if truthy(body.get("disable_gradient_checkpointing")) else "full"
    trainer.fused = str(body.get("flash_attn", "auto")) != "disabled"
    trainer.precision = (
        "bf16"
        if truthy(body.get("bf16")) or truthy(body.get("pure_bf16"))
        else "fp16"
        if truthy(body.get("fp16"))
        else "fp32"
    )
    trainer.formats = Formats(loss_kernel="chunked" if truthy(body.get("enable_liger_kernel")) else "torch")
    if truthy(body.get("pure_bf16")):
        trainer.formats = replace(trainer.formats, optimizer_dtype="bf16", main_weights="none", gradient_dtype="bf16")
    if truthy(body.get("fp8")):
        trainer.precision = "fp8"
    if body.get("deepspeed"):
        find_deepspeed(trainer, body["deepspeed"], read_file)
    elif body.get("fsdp"):
        apply_fsdp(trainer, {k: v for k, v in body.items() if str(k).startswith("fsdp")}, str(body["fsdp"]))
    bits, kind = whole(body.get("quantization_bit")), str(body.get("finetuning_type", "lora"))
    take_adapters(trainer, kind, body.get("lora_rank"), body.get("lora_target"), narrow=bits == 4)
    if (bits or body.get("quantization_method")) and trainer.task.name != "qlora":
        trainer.left_out.append("weights of other than 4 bits are not priced: memory errs high")
    take_optimizer(trainer, str(body.get("optim", "")))
    _note_stage(trainer, str(body.get("stage", "sft")))
    body.asked |= {str(k) for k in body if str(k).startswith(("fsdp", "deepspeed"))}
    trainer.note_unread(body)
    return trainer


def _note_stage(trainer: TrainerSettings, stage: str) -> None:
    """Say what a stage of post-training needs beside the model that is trained."""
    beside = {
        "dpo": "the reference model of dpo is left out: time and memory err low",
        "kto": "the reference model of kto is left out: time and memory err low",
        "ppo": "of ppo the update alone is priced; rollout, reference and reward model are not: time and memory err low",
    }
    if stage in beside:
        trainer.left_out.append(beside[stage])


def read_llama_factory_v1(body: Mapping[str, Any], where: str, chips: int, read_file: ReadFile) -> TrainerSettings:
    """Return the training of LLaMA-Factory's new YAML (``model_class``, ``dist_config``)."""
    body = ReadKeys(body)
    trainer = TrainerSettings(where, "llama-factory", str(body.get("model", "")), chips=chips)
    trainer.seq_len, trainer.micro_batch = whole(body.get("cutoff_len"), 2048), whole(body.get("micro_batch_size"), 1)
    trainer.batch, trainer.formats = whole(body.get("global_batch_size")), Formats(loss_kernel="torch")
    dist = body.get("dist_config")
    dist = dist if isinstance(dist, Mapping) else {}
    name = str(dist.get("name", ""))
    if name == "deepspeed" and dist.get("config_file"):
        find_deepspeed(trainer, dist["config_file"], read_file)
    elif name.startswith("fsdp"):
        trainer.zero = 3
    trainer.cp, trainer.ep = whole(dist.get("cp_size"), 1), whole(dist.get("ep_size"), 1)
    trainer.offload = float(truthy(dist.get("offload_params")))
    trainer.recompute = "none" if body.get("gradient_checkpointing") is False else "full"
    peft = body.get("peft_config")
    quant = body.get("quant_config")
    bits = whole(quant.get("quantization_bit")) if isinstance(quant, Mapping) else 0
    if isinstance(peft, Mapping):
        kind = str(peft.get("name", "lora"))
        take_adapters(trainer, kind, peft.get("r"), peft.get("target_modules"), narrow=bits == 4)
    if isinstance(quant, Mapping) and trainer.task.name != "qlora":
        trainer.left_out.append("quantized weights are not priced: memory errs high")
    trainer.note_unread(body)
    return trainer


def read_mindspeed_fsdp2(body: Mapping[str, Any], where: str, chips: int) -> TrainerSettings:
    """Return the training of MindSpeed-LLM's fsdp2 YAML with what its command line changes.

    Defaults: MindSpeed-LLM c77308a1 (August 2026), mindspeed_llm/fsdp2/utils/arguments.py.
    """
    body = ReadKeys(body)

    def part(name: str) -> Mapping[str, Any]:
        value = body.get(name)
        return value if isinstance(value, Mapping) else {}

    model, parallel, training = part("model"), part("parallel"), part("training")
    named = str(model.get("model_name_or_path") or model.get("model_id") or "")
    trainer = TrainerSettings(where, "mindspeed-fsdp2", named, chips=chips, zero=3)
    trainer.seq_len = whole(part("data").get("cutoff_len"), 2048)
    trainer.micro_batch = whole(training.get("per_device_train_batch_size"), 1)
    trainer.accumulation = whole(training.get("gradient_accumulation_steps"), 1)
    trainer.tp, trainer.cp = whole(parallel.get("tp_size"), 1), whole(parallel.get("cp_size"), 1)
    trainer.ep, group = whole(parallel.get("ep_size"), 1), whole(parallel.get("fsdp_size"))
    trainer.zero_group = group
    trainer.recompute = "full" if truthy(parallel.get("recompute")) else "none"
    trainer.precision = str(parallel.get("param_dtype", "bf16"))
    is_chunked = str(training.get("loss_compute_mode", "")) == "chunk"
    trainer.formats = Formats(loss_kernel="chunked" if is_chunked else "torch")
    take_optimizer(trainer, str(training.get("optimizer", training.get("optim", ""))))
    trainer.note_unread(body)
    return trainer
