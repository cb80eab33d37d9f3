"""The task of a launch: adapters by the names that stacks give to matrices, and to their rank."""

from __future__ import annotations

from collections.abc import Iterable

from tianji.exporters.launch_reader.options import Options
from tianji.workload import TrainingTask, make_task
from tianji.workload.task import TARGETS

_MATRICES = {
    "qkv": (
        "linear_qkv", "linear_q", "linear_kv", "attention_qkv", "query_key_value", "qkv_proj", "q_proj", "k_proj", "v_proj",
        "linear_q_down_proj", "linear_q_up_proj", "linear_kv_down_proj", "linear_kv_up_proj", "q_a_proj", "q_b_proj",
        "kv_a_proj_with_mqa", "kv_b_proj", "c_attn", "W_pack",
    ),
    "proj": ("linear_proj", "attention_dense", "o_proj", "out_proj", "dense"),
    "mlp": (
        "linear_fc1", "linear_fc2", "mlp_fc1", "mlp_fc2", "gate_proj", "up_proj", "down_proj", "gate_up_proj", "dense_h_to_4h",
        "dense_4h_to_h",
    ),
}  # fmt: skip
"""Names of Megatron's family and of Hugging Face's models. A matrix of an MLP is meant in routed experts too."""
WORD_OF = {name: word for word, names in _MATRICES.items() for name in names}
USUAL_RANK = 8
"""Of LLaMA-Factory and ms-swift."""


def read_targets(names: Iterable[str]) -> tuple[str, ...]:
    """Return which matrices get adapters; all of them for ``all``, for no names, and for names that nobody knows.

    >>> read_targets(["q_proj", "v_proj"]), read_targets(["linear_fc1"])
    (('qkv',), ('mlp', 'experts'))
    """
    parts = [part.strip("'\"[] ") for name in names for part in name.split(",")]
    words = {WORD_OF.get(part.rpartition(".")[2], "") for part in parts if part}
    if not words or "" in words:
        return TARGETS
    return tuple(target for target in TARGETS if target in words or (target == "experts" and "mlp" in words))


def read_options_task(options: Options, assumed: list[str]) -> TrainingTask:
    """Return the task of Megatron's options: LoRA where a rank is given (MindSpeed-LLM, ms-swift), else all weights.

    Of ms-swift a reward model (``--rlhf_type rm``) and an embedding (``--task_type embedding``) are tasks, too.
    """
    if head := _read_head(options):
        assumed.append(f"{head} model: its head is priced, all weights are trained")
        return make_task(head)
    if not options.has("--lora-r", "--lora-rank"):
        return make_task()
    name = "--lora-r" if options.has("--lora-r") else "--lora-rank"
    targets = [*options.texts("--lora-target-modules"), *options.texts("--target-modules")]
    options.has("--lora-alpha", "--lora-dropout", "--lora-fusion", "--lora-load", "--lora-ckpt-filter")
    task = make_task(
        "qlora" if options.has("--qlora") else "lora", options.count(name, USUAL_RANK), read_targets(targets)
    )
    assumed.append(f"{name}: {task.describe()} is trained, the base is frozen")
    return task


def _read_head(options: Options) -> str:
    """Return the task that puts another head in place of the logits; empty where none does, and where adapters are trained."""
    if options.has("--lora-r", "--lora-rank"):
        return ""
    if options.text("--rlhf-type") == "rm":
        return "reward"
    return "embedding" if options.text("--task-type") == "embedding" else ""
