"""Which project a YAML or JSON configuration belongs to, told by keys that only its files have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MINDFORMERS_KEYS = frozenset(
    {"runner_config", "parallel_config", "trainer", "use_parallel", "runner_wrapper", "train_dataset_task"}
)
"""Keys of which a configuration of MindSpore Transformers has two at least, and one of DeepSpeed none."""
_DEEPSPEED = frozenset({"train_micro_batch_size_per_gpu", "zero_optimization", "zero_allow_untested_optimizer"})
_LLAMA_FACTORY = frozenset(
    {"stage", "finetuning_type", "template", "do_train", "cutoff_len", "dataset", "adapter_name_or_path"}
)
_LLAMA_FACTORY_NEW = frozenset(
    {"model_class", "dist_config", "train_dataset", "peft_config", "kernel_config", "output_dir"}
)
_OF_OTHERS = frozenset({"swift_version", "global_world_size", "do_dpo_align", "dataset_path_list"})
"""Keys of what is no configuration: what ms-swift writes down of a run (``args.json``), pipelines of LMFlow."""
_ROLL = ("actor_train", "sft_train", "student_train", "student", "train")
"""Workers of ROLL of which one trains."""

TITLES = {
    "mindformers": "MindSpore Transformers", "deepspeed": "DeepSpeed", "accelerate": "accelerate", "primus": "Primus",
    "hf-fsdp": "FSDP of Hugging Face", "llama-factory": "LLaMA-Factory", "llama-factory-v1": "LLaMA-Factory v1",
    "mindspeed-fsdp2": "MindSpeed-LLM fsdp2", "modelzoo": "Megatron-MoE-ModelZoo", "mindspeed-rl": "MindSpeed RL",
    "swift": "ms-swift", "roll": "ROLL",
}  # fmt: skip
"""What each kind is called."""


def find_kind(body: Mapping[str, Any]) -> str:
    """Return the kind of a configuration, empty where nothing tells.

    >>> find_kind({"stage": "sft", "bf16": True, "model_name_or_path": "a"}), find_kind({"zero_optimization": {"stage": 2}})
    ('llama-factory', 'deepspeed')
    """
    keys = set(body)
    if keys & _OF_OTHERS:
        return ""
    if isinstance(body.get("MODEL_ARGS"), Mapping):
        return "modelzoo"
    if isinstance(body.get("modules"), Mapping) and keys & {"work_group", "exp_name", "user_name", "workspace"}:
        return "primus"
    if isinstance(body.get("megatron_training"), Mapping) or {"actor_config", "rl_config"} <= keys:
        return "mindspeed-rl"
    if any(isinstance(body.get(name), Mapping) and "strategy_args" in body[name] for name in _ROLL):
        return "roll"
    if len(MINDFORMERS_KEYS & keys) > 1:
        return "mindformers"
    if "distributed_type" in keys or {"compute_environment", "num_processes"} <= keys:
        return "accelerate"
    if "fsdp_config" in keys or sum(str(k).startswith("fsdp_") for k in keys) > 1:
        return "llama-factory" if "model_name_or_path" in keys else "hf-fsdp"
    parallel = body.get("parallel")
    if isinstance(parallel, Mapping) and isinstance(body.get("training"), Mapping):
        return "mindspeed-fsdp2"
    if keys & {"model_name_or_path", "model_name"} and keys & _LLAMA_FACTORY:
        return "llama-factory"
    if "model" in keys and len(keys & _LLAMA_FACTORY_NEW) > 1:
        return "llama-factory-v1"
    if keys & _DEEPSPEED:
        return "deepspeed"
    if isinstance(body.get("model"), str) and keys & {
        "tuner_type",
        "train_type",
        "tensor_model_parallel_size",
        "dataset",
    }:
        return "swift"
    return ""
