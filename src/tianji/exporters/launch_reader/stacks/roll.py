"""ROLL: the part of its YAML that trains, by Megatron, DeepSpeed or FSDP2."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from tianji.errors import FormatError
from tianji.exporters.launch_reader.files_beside import fill_texts
from tianji.exporters.launch_reader.options import Options
from tianji.exporters.launch_reader.stacks.options_of import fill_variables, make_swift
from tianji.exporters.launch_reader.stacks.sharding_files import apply_deepspeed
from tianji.exporters.launch_reader.stacks.trainer_settings import TrainerSettings, take_adapters, truthy, whole
from tianji.workload import Formats

PARTS = ("actor_train", "sft_train", "student_train", "student", "train")
"""Workers of which one trains."""
LORA = ("lora_rank", "lora_target")


def find_part(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the worker that trains, nothing where none does."""
    parts = (body.get(name) for name in PARTS)
    return next((p for p in parts if isinstance(p, Mapping) and isinstance(p.get("strategy_args"), Mapping)), {})


def read_roll(
    body: Mapping[str, Any], settings: Mapping[str, str], where: str, chips: int
) -> Options | TrainerSettings:
    """Return the training of a YAML of ROLL; values such as ``${pretrain}`` are those of the file or of ``--set``.

    Source: ROLL (August 2026), examples and roll/configs; its Megatron takes the options of mcore_adapter, which are Megatron's.

    Raises FormatError for a file whose worker trains by something else.
    """
    known = {k: str(v) for k, v in {**body, **settings}.items() if not isinstance(v, Mapping | list)}
    part = fill_texts(find_part(body), partial(fill_variables, settings=known))
    strategy, training, arguments = (section(part, n) for n in ("strategy_args", "training_args", "model_args"))
    kind, config = str(strategy.get("strategy_name", "")), section(strategy, "strategy_config")
    config = {**config, **section(config, "additional_configs")}
    path = body.get("pretrain") or body.get("student_pretrain") or arguments.get("model_name_or_path") or ""
    named = settings.get("model", fill_variables(str(path), known))
    length, remark = _lengths(body)
    number = chips or count_mapping(str(part.get("device_mapping", "")))
    micro = whole(training.get("per_device_train_batch_size"), 1)
    steps = whole(training.get("gradient_accumulation_steps"), 1)
    checkpointed = not truthy(arguments.get("disable_gradient_checkpointing"))
    if kind == "megatron_train":
        values = {f"--{k.replace('_', '-')}": [str(v)] for k, v in config.items() if not isinstance(v, Mapping | list)}
        values |= {f"--{k.replace('_', '-')}": [str(x) for x in v] for k, v in config.items() if isinstance(v, list)}
        values |= {"--model": [named], "--max-length": [str(length)], "--micro-batch-size": [str(micro)]}
        if values.get("--recompute-granularity") == ["full"]:
            values |= {"--recompute-method": ["uniform"], "--recompute-num-layers": ["1"]} | values
        rank = whole(arguments.get("lora_rank"))
        values |= {"--tuner-type": ["lora" if rank else "full"]} | ({"--lora-rank": [str(rank)]} if rank else {})
        if number:
            values["--worker-num"] = [str(number)]
        options = make_swift(values, where)
        options.values.pop("--global-batch-size", None)
        options.stack, options.accumulation = "roll", steps
        options.has("--max-length", "--tuner-type", "--train-type")
        options.remarks.append(remark)
        if truthy(part.get("use_sequence_packing")):
            options.values["--reset-attention-mask"] = []
        return options
    trainer = TrainerSettings(where, "roll", named, chips=number, seq_len=length, micro_batch=micro, accumulation=steps)
    trainer.recompute, trainer.formats = "full" if checkpointed else "none", Formats(loss_kernel="torch")
    trainer.cp = whole(arguments.get("ulysses_size"), 1)
    if kind.startswith("fsdp2"):
        trainer.zero = 3 if truthy(config.get("reshard_after_forward", True)) else 2
        trainer.zero_group = whole(config.get("fsdp_size"))
        trainer.offload = float(truthy(config.get("offload_policy")))
        trainer.offload_weights = bool(trainer.offload)
    elif kind.startswith("deepspeed"):
        name = str(strategy.get("strategy_config", ""))
        stage = re.search(r"zero_?([0-3])", name)
        offload = {"offload_optimizer": {"device": "cpu"}} if "offload" in name else {}
        zero = {"stage": int(stage[1]), **offload} if stage else section(config, "zero_optimization")
        apply_deepspeed(trainer, {**config, "zero_optimization": zero})
    else:
        read = "megatron_train, deepspeed_train and fsdp2_train"
        raise FormatError(f"{where}: ROLL trains by {kind[:40] or 'nothing'}; read are {read}")
    if rank := whole(arguments.get("lora_rank")):
        take_adapters(trainer, "lora", rank, arguments.get("lora_target"))
    trainer.assumed.append(remark)
    return trainer


def section(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a section of a configuration, empty where there is none."""
    value = body.get(name)
    return value if isinstance(value, Mapping) else {}


def count_mapping(text: str) -> int:
    """Return how many chips ROLL's ``device_mapping`` names, 0 where it cannot be told.

    >>> count_mapping("list(range(0,16))"), count_mapping("list(range(0,4)) + list(range(8,12))"), count_mapping("[0,1]")
    (16, 8, 2)
    """
    ranges = re.findall(r"range\(\s*(?:(\d{1,7})\s*,\s*)?(\d{1,7})\s*\)", text[:1000])
    if ranges:
        return sum(max(int(end) - int(start or 0), 0) for start, end in ranges)
    listed = re.fullmatch(r"(?:list\()?\s*\[([\d,\s]*)\]\s*\)?", text[:1000].strip())
    return len([n for n in listed[1].split(",") if n.strip()]) if listed else 0


def _lengths(body: Mapping[str, Any]) -> tuple[int, str]:
    """Return the length of a sequence, and what is said of it."""
    prompt, answer = whole(body.get("prompt_length")), whole(body.get("response_length"))
    length = whole(body.get("sequence_length")) or prompt + answer or 4096
    if "actor_train" not in body:
        return length, f"ROLL: sequences of {length:,} tokens; shorter samples make a step faster"
    return length, (
        f"ROLL: one update of the actor is priced, answers of {length:,} tokens at the longest; the rollout, the reference and"
        " rewards are not; shorter answers make it faster"
    )
