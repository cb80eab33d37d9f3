"""MindSpore Transformers: its YAML as a job and a strategy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tianji.errors import FormatError, InputError
from tianji.exporters.launch_reader.named_models import find_named_model
from tianji.exporters.launch_reader.read_keys import ReadKeys, Settled, describe_unread, load_key_effects
from tianji.exporters.launch_reader.stacks.trainer_settings import truthy, whole
from tianji.exporters.launch_reader.stages import name_stages
from tianji.parallel.stages import add_offsets
from tianji.parallel.strategy import Strategy
from tianji.workload import Job, Model, find_precision
from tianji.workload.huggingface import read_config

TYPES = {
    "LlamaConfig": "llama", "DeepseekV3Config": "deepseek_v3", "Qwen2Config": "qwen2", "ChatGLM2Config": "chatglm",
    "MixtralConfig": "mixtral", "GPT2Config": "gpt2", "InternLM2Config": "internlm2", "BaichuanConfig": "baichuan",
}  # fmt: skip
NOT_OF_TRAINING = (
    "train_dataset", "train_dataset_task", "eval_dataset", "eval_dataset_task", "processor", "callbacks", "eval_callbacks",
    "metric", "trainer", "optimizer", "lr_schedule", "runner_wrapper", "filepath_prefix", "use_parallel", "profile_start_step",
    "use_legacy", "profile_stop_step", "profiler_level", "autotune_per_step", "runner_config", "layer_scale", "layer_decay",
)  # fmt: skip
"""Sections and keys of data, names and steps."""
KEYS = {"num_layers": "num_hidden_layers", "num_heads": "num_attention_heads", "n_kv_heads": "num_key_value_heads"}


def read_mindformers(sections: Mapping[str, Any], where: str, chips: int) -> Settled:
    """Return the job and the strategy of a YAML, with what was assumed, is left out and not known.

    Raises FormatError for a file that trains nothing or whose model cannot be told.
    """
    body = ReadKeys(sections)
    if str(body.get("run_mode", "train")) not in ("train", "finetune", "pretrain"):
        raise FormatError(
            f"{where}: a configuration of MindSpore Transformers that trains nothing (run_mode {body['run_mode']})"
        )

    def part(name: str) -> Mapping[str, Any]:
        value = body.get(name)
        return value if isinstance(value, Mapping) else {}

    degrees, runner, recompute = part("parallel_config"), part("runner_config"), part("recompute_config")
    config = part("model").get("model_config")
    config = config if isinstance(config, Mapping) else {}
    assumed: list[str] = []
    model = _read_model(body, config, where, assumed)
    tp, pp = whole(degrees.get("model_parallel"), 1), whole(degrees.get("pipeline_stage"), 1)
    cp, dp = whole(degrees.get("context_parallel"), 1), whole(degrees.get("data_parallel"), 1)
    ep = whole(degrees.get("expert_parallel"), 1) if model.moe else 1
    if chips:
        dp = chips // (tp * pp * cp) or dp
    micro = whole(runner.get("batch_size"), 1)
    count = whole(degrees.get("micro_batch_num"), 1) if pp > 1 else whole(runner.get("gradient_accumulation_steps"), 1)
    seq_len = whole(config.get("seq_length")) or whole(config.get("max_position_embeddings"), 4096)
    vpp = whole(config.get("pp_interleave_num"), 1) if pp > 1 else 1
    settings = part("parallel")
    is_sharded = truthy(settings.get("enable_parallel_optimizer")) or truthy(settings.get("optimizer_shard"))
    shard = settings.get("parallel_optimizer_config")
    gradients = isinstance(shard, Mapping) and truthy(shard.get("gradient_accumulation_shard"))
    full = recompute.get("recompute", False)
    kind = (
        "full"
        if full is True or isinstance(full, list)
        else "selective"
        if truthy(recompute.get("select_recompute"))
        else "none"
    )
    strategy = Strategy(
        tp=tp, pp=pp, vpp=vpp, cp=cp, dp=dp, ep=ep, micro_batch_size=micro, zero=(2 if gradients else 1) if is_sharded else 0,
        sequence_parallel=truthy(degrees.get("use_seq_parallel")) or tp == 1, recompute=kind,
        schedule="interleaved" if vpp > 1 else "1f1b", overlap_tp=False, ep_kind="all_to_all",
        flash_attention=truthy(config.get("use_flash_attention", True)),
        cp_kind="ulysses" if "ulysses" in str(degrees.get("context_parallel_algo", "")) else "ring",
    )  # fmt: skip
    if pp > 1 and (offset := config.get("offset")):
        strategy = name_stages(model, strategy, add_offsets(model.num_layers, pp, offset))
    dtype = {"float16": "fp16", "float32": "fp32"}.get(str(config.get("compute_dtype", "bfloat16")), "bf16")
    job = Job(model, seq_len, dp * micro * count, find_precision(dtype))
    body.skip(*NOT_OF_TRAINING)
    effects = load_key_effects()
    unread = [(k, v) for k, v in body.unread() if not k.startswith("model.") or k.rpartition(".")[2] in effects]
    left_out, ignored = describe_unread(unread)
    return job, strategy, assumed, left_out, ignored


def _read_model(body: Mapping[str, Any], config: Mapping[str, Any], where: str, assumed: list[str]) -> Model:
    written = {KEYS.get(k, k): v for k, v in config.items()}
    kind = str(config.get("model_type") or TYPES.get(str(config.get("type")), ""))
    try:
        if "hidden_size" in written and kind:
            named = {"model_type": kind} | {
                k: v for k, v in written.items() if k not in ("type", "model_type", "architectures")
            }
            if "intermediate_size" not in named:
                raise FormatError("no intermediate_size")
            return read_config(named, str(body.get("trainer", {}).get("model_name", "model")), where)
    except InputError:
        pass
    trainer = body.get("trainer")
    names = [
        str(trainer.get("model_name", "")) if isinstance(trainer, Mapping) else "",
        str(body.get("pretrained_model_dir", "")),
    ]
    names.append(where.rsplit("/", 1)[-1].removeprefix("finetune_").removeprefix("pretrain_"))
    for name in names:
        if name and (entry := find_named_model(name)):
            assumed.append(f"the model is {entry[0].name}, by its name")
            return entry[0]
    raise FormatError(f"{where}: its model cannot be told; give it with --set model=NAME")
