"""Launches of Megatron's own stack and of those that pass Megatron's options on: ms-swift, slime, verl, Primus, the ModelZoo."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from tianji.errors import FormatError, UnsupportedModelError
from tianji.exporters.launch_reader.commands import Command, words_before
from tianji.exporters.launch_reader.named_models import find_in_file_name, find_named_model
from tianji.exporters.launch_reader.options import Options, group_options, settle_switches
from tianji.exporters.launch_reader.shell_script import Script
from tianji.exporters.launch_reader.shell_sources import find_source
from tianji.exporters.launch_reader.stacks.generated import GENERATING, read_lengths
from tianji.exporters.launch_reader.starters import read_starter
from tianji.input_files import read_text

SWIFT_DEFAULTS: dict[str, list[str]] = {
    "--micro-batch-size": ["1"], "--global-batch-size": ["16"], "--use-distributed-optimizer": [],
    "--attention-backend": ["flash"], "--recompute-granularity": ["selective"],
    "--recompute-modules": ["core_attn"], "--moe-token-dispatcher-type": ["alltoall"],
    "--cross-entropy-loss-fusion": [],
}  # fmt: skip
"""ms-swift 3602360a (August 2026), swift/megatron/arguments/megatron_args.py."""
SWIFT_NAMES = {
    "--max-length": "--seq-length", "--tuner-type": "--train-type",
    "--virtual-pipeline-model-parallel-size": "--num-virtual-stages-per-pipeline-rank",
}  # fmt: skip
SLIME_DEFAULTS: dict[str, list[str]] = {"--use-distributed-optimizer": [], "--bf16": [], "--micro-batch-size": ["1"]}
"""slime 624b824a (August 2026), slime/backends/megatron_utils/arguments.py."""
VERL_DEFAULTS: dict[str, list[str]] = {
    "--use-distributed-optimizer": [], "--bf16": [], "--micro-batch-size": ["1"], "--attention-backend": ["flash"],
    "--moe-token-dispatcher-type": ["alltoall"], "--overlap-grad-reduce": [],
}  # fmt: skip
"""verl 1dda039b (August 2026), verl/trainer/config/engine/megatron.yaml."""
PRIMUS_DEFAULTS: dict[str, list[str]] = {
    "--bf16": [],
    "--use-distributed-optimizer": [],
    "--swiglu": [],
    "--normalization": ["RMSNorm"],
}
"""Primus fd1eeabb (August 2026), primus/configs/modules/megatron/trainer_base.yaml."""


OLD_NAMES = {
    "--model-parallel-size": "--tensor-model-parallel-size", "--batch-size": "--micro-batch-size",
    "--pipe-parallel-size": "--pipeline-model-parallel-size", "--num-unique-layers": "--num-layers",
}  # fmt: skip
"""Names that Megatron-LM had before its release 2.1, and Megatron-DeepSpeed has still."""


def read_megatron(command: Command, script: Script, where: str) -> Options:
    """Return the options of a plain Megatron or MindSpeed command."""
    values = {OLD_NAMES.get(k, k): v for k, v in group_options(command.words).items()}
    options = Options(where, values | start_options(command, script))
    name = (options.values.get("--deepspeed-config") or [""])[0]
    if name and "--zero-stage" not in options.values and (stage := _read_stage(name, script)) is not None:
        options.values["--zero-stage"] = [str(stage)]
        options.has("--deepspeed-config")
    return options


def _read_stage(name: str, script: Script) -> int | None:
    """Return the stage of ZeRO in a file of DeepSpeed that a script writes or that lies beside it; None where it is neither."""
    place = find_source(name, script.file)
    text = script.written.get(name) or (read_text(place, "a file of DeepSpeed") if place else "")
    stage = re.search(r'"stage"\s*:\s*"?([0-3])\b', text)
    return int(stage[1]) if stage else 0 if "{" in text else None


def read_swift(command: Command, script: Script, where: str) -> Options:
    """Return Megatron's options of ``megatron sft`` and ``megatron pt``; its model is named."""
    return make_swift(group_options(command.words) | start_options(command, script), where)


def make_swift(values: dict[str, list[str]], where: str) -> Options:
    """Return the options of ms-swift's Megatron part, under Megatron's names; ``--name false`` turns a default off."""
    values = {SWIFT_NAMES.get(k, k): v for k, v in values.items()}
    options = Options(where, settle_switches(SWIFT_DEFAULTS | values), stack="swift-megatron")
    dtype = (options.texts("--torch-dtype") or ["bfloat16"])[0]
    if not options.has("--fp16", "--bf16") and dtype != "float32":
        options.values["--fp16" if dtype == "float16" else "--bf16"] = []
    _take_model(options, (options.texts("--model") or options.texts("--mcore-model") or [""])[0], "--model")
    options.has("--mcore-model", "--model-type", "--load-safetensors", "--save-safetensors")
    kind = (options.texts("--rlhf-type") or [""])[0]
    if kind in GENERATING:
        _take_lengths(options, kind)
    if "--seq-length" not in options.values:
        options.values["--seq-length"] = [str(options.model.max_position_embeddings or 4096 if options.model else 4096)]
        options.remarks.append(
            f"--max_length: {options.values['--seq-length'][0]} tokens, as long as the model was made for"
        )
    if options.texts("--train-type")[:1] not in ([], ["full"]):
        options.values["--lora-r"] = options.texts("--lora-rank") or ["8"]
    return options


def _take_lengths(options: Options, kind: str) -> None:
    """Set the length of samples that are generated."""

    def count(name: str, default: int) -> int:
        name = f"--{name.replace('_', '-')}"
        return options.count(SWIFT_NAMES.get(name, name), default)

    tokens, remark = read_lengths(kind, count)
    multiple = 2 * options.count("--context-parallel-size", 1)
    options.values["--seq-length"] = [str(-(-tokens // multiple) * multiple)]
    options.remarks.append(remark)


def read_slime(command: Command, script: Script, where: str) -> Options:
    """Return the options of a training of slime: its model's options are Megatron's, its batches are counted in tokens."""
    values = SLIME_DEFAULTS | group_options(command.words)
    options = Options(where, values | start_options(command, script), stack="slime")
    _take_layers(options)
    checkpoint = (values.get("--hf-checkpoint") or [""])[0]
    if "--num-layers" not in options.values and find_named_model(checkpoint):
        _take_model(options, checkpoint, "--hf-checkpoint")
        options.remarks.append(f"the sizes are not in the script: those of --hf-checkpoint {checkpoint} are taken")
    if options.text("--train-backend") == "fsdp":
        options.values |= {"--use-megatron-fsdp": [], "--data-parallel-sharding-strategy": ["optim_grads_params"]}
        options.remarks.append("--train-backend fsdp: weights, gradients and optimizer are sharded")
    if options.has("--use-dynamic-batch-size", "--max-tokens-per-gpu"):
        cp = options.count("--context-parallel-size", 1)
        tokens = options.count("--max-tokens-per-gpu", 8192) * cp
        options.values["--micro-batch-size"] = ["1"]
        longest = options.count("--rollout-max-response-len", 0) or tokens
        options.values["--seq-length"] = [str(min(longest, tokens) // (2 * cp) * 2 * cp or tokens)]
        options.remarks.append(
            f"batches are filled by tokens: priced as sequences of {options.values['--seq-length'][0]} tokens, one in a"
            " micro-batch; shorter answers make a step faster"
        )
    elif "--seq-length" not in values:
        options.values["--seq-length"] = [str(options.count("--rollout-max-response-len", 4096))]
        options.remarks.append(f"sequences of {options.values['--seq-length'][0]} tokens, the longest answer")
    if "--global-batch-size" not in values:
        samples = options.count("--rollout-batch-size", 1) * options.count("--n-samples-per-prompt", 1)
        steps = options.count("--num-steps-per-rollout", 1)
        options.values["--global-batch-size"] = [str(max(samples // steps, 1))]
    options.remarks.append("slime: the training of the actor alone is priced; the rollout and a critic are not")
    return options


SIZES = (
    "--hidden-size", "--ffn-hidden-size", "--num-attention-heads", "--num-query-groups", "--group-query-attention",
    "--kv-channels", "--disable-bias-linear", "--qk-layernorm", "--normalization", "--swiglu",
    "--untie-embeddings-and-output-weights",
    "--apply-layernorm-1p", "--attention-output-gate", "--use-gated-attention", "--moe-ffn-hidden-size", "--num-experts",
    "--moe-router-topk", "--moe-shared-expert-intermediate-size", "--moe-layer-freq",
)  # fmt: skip
"""Options that say again what a model is that is known by its name."""


def _take_layers(options: Options) -> None:
    """Take the model whose checkpoint is named where its layers are those of a plugin, which no option describes."""
    spec = options.texts("--spec")
    if not spec or not spec[0].startswith("slime_plugins"):
        return
    entry = find_named_model((options.texts("--hf-checkpoint") or [""])[0])
    if entry is not None and entry[0].num_layers == options.count("--num-layers", 0):
        options.has(*SIZES)
        options.model = replace(entry[0], num_mtp_layers=options.count("--mtp-num-layers", 0, least=0))
        options.remarks.append(f"the layers are those of {spec[0]}: the model is {entry[0].name}, by its checkpoint")
    else:
        options.remarks.append(
            f"the layers are those of {spec[0]} and not described: priced as layers of plain attention"
        )


def read_verl(command: Command, script: Script, where: str) -> Options:
    """Return Megatron's options of a Hydra command of verl: the actor's training."""
    keys = dict(read_overrides(command.words))
    values: dict[str, list[str]] = dict(VERL_DEFAULTS)
    prefix = (
        "actor_rollout_ref.actor.megatron."
        if any("actor_rollout_ref.actor.megatron." in k for k in keys)
        else "engine."
    )
    if prefix == "engine." and not any(k.startswith("engine.") for k in keys):
        prefix = "model.megatron."
    for key, value in keys.items():
        name = key.removeprefix(prefix)
        if name != key:
            name = name.removeprefix("override_transformer_config.").removeprefix("override_ddp_config.")
            values |= _option(VERL_NAMES.get(name, name), value)
    for key, value in keys.items():
        if "override_optimizer_config." in key and "actor" in key:
            values |= _option(key.rpartition(".")[2], value)
    options = Options(where, settle_switches(values), stack="verl")
    get = keys.get
    model = get("actor_rollout_ref.model.path") or get("model.path") or get("model.partial_pretrain") or ""
    _take_model(options, model, "actor_rollout_ref.model.path")
    n, nodes = get("trainer.n_gpus_per_node") or "8", get("trainer.nnodes") or "1"
    options.values |= {"--nproc-per-node": [n], "--nnodes": [nodes]} | start_options(command, script)
    _size_verl(options, keys)
    return options


def trains_by_megatron(words: Sequence[str]) -> bool:
    """Return whether a Hydra command of verl trains by Megatron; by FSDP where it does not say so."""
    return any("megatron" in word.lower() for word in words if not re.match(r"[\w.+]*(path|name|dir)=", word))


VERL_NAMES = {
    "virtual_pipeline_model_parallel_size": "num_virtual_stages_per_pipeline_rank", "optimizer_offload": "verl_optimizer_offload",
    "num_layers_in_first_pipeline_stage": "decoder_first_pipeline_num_layers",
    "num_layers_in_last_pipeline_stage": "decoder_last_pipeline_num_layers", "account_for_loss_in_pipeline_split":
    "account_for_loss_in_pipeline_split",
}  # fmt: skip


def _size_verl(options: Options, keys: Mapping[str, str]) -> None:
    """Add what an actor's step has of sequences and of their lengths."""

    def number(name: str) -> int:
        text = keys.get(name, "")
        return int(text) if text.isascii() and text.isdigit() else 0

    longest = number("data.max_prompt_length") + number("data.max_response_length") or number("data.max_length")
    tokens = number("actor_rollout_ref.actor.ppo_max_token_len_per_gpu") or number("data.max_token_len_per_gpu")
    length = longest or tokens or 4096
    cp = options.count("--context-parallel-size", 1)
    options.values["--seq-length"] = [str(max(length // (2 * cp) * 2 * cp, 2 * cp))]
    each = (
        number("actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu") or number("data.micro_batch_size_per_gpu") or 1
    )
    options.values["--micro-batch-size"] = [str(each)]
    samples = number("actor_rollout_ref.rollout.n") or 1
    batch = (number("actor_rollout_ref.actor.ppo_mini_batch_size") or number("data.train_batch_size") or 256) * samples
    options.values["--global-batch-size"] = [str(batch)]
    options.remarks.append(
        f"verl: one update of the actor is priced, {batch:,} answers of {options.values['--seq-length'][0]} tokens at the"
        " longest; the rollout, the reference and a critic are not; shorter answers make it faster"
    )


def read_overrides(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the keys and values that a Hydra command changes."""
    for word in words:
        key, equals, value = word.partition("=")
        if equals and re.fullmatch(r"\+{0,2}~?[A-Za-z_][\w.@/]*", key):
            yield key.lstrip("+~"), value.strip("\"'")


def _option(name: str, value: Any) -> dict[str, list[str]]:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    words = text.strip("[]").replace(",", " ").split() if text.startswith("[") and "modules" in name else [text]
    return {"--" + name.lower().replace("_", "-"): words}


# --- configurations -----------------------------------------------------------------------------------------------
def read_modelzoo(body: Mapping[str, Any], settings: Mapping[str, str], where: str) -> Options:
    """Return the options of a YAML of Megatron-MoE-ModelZoo; ``--set`` gives what its runtime configuration gives."""
    values: dict[str, list[str]] = {}
    for name, value in body["MODEL_ARGS"].items():
        text = fill_variables(str(value).lower() if isinstance(value, bool) else str(value), settings)
        if re.fullmatch(r"--[A-Za-z][\w-]*", str(name)):
            values |= {str(name): [text] if " " not in text or "(" in text else text.split()}
    options = Options(where, settle_switches(values), stack="modelzoo")
    if body.get("MODE") == "rl":
        options.remarks.append("MODE: rl: the training alone is priced; the rollout and a reference are not")
    for name, key in (("NNODES", "--nnodes"), ("GPUS_PER_NODE", "--nproc-per-node")):
        if name in settings:
            options.values[key] = [settings[name]]
    if not any(k in options.values for k in ("--fp16", "--bf16")):
        options.values["--bf16"] = []
    return options


def fill_variables(text: str, settings: Mapping[str, str]) -> str:
    """Return a text with ``${NAME}`` filled in where the name is known."""
    return re.sub(r"\$\{(\w+)\}", lambda m: settings.get(m[1], m[0]), text)


def primus_trainer(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the module of Primus' YAML that trains."""
    return next((m for m in body["modules"].values() if isinstance(m, Mapping)), {})


def primus_changes(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a YAML of Primus changes in its model's file."""
    changes = primus_trainer(body).get("overrides")
    return changes if isinstance(changes, Mapping) else {}


def primus_framework(body: Mapping[str, Any]) -> str:
    """Return the framework below Primus."""
    return str(primus_trainer(body).get("framework", "megatron"))


def read_primus(body: Mapping[str, Any], base: Mapping[str, Any], settings: Mapping[str, str], where: str) -> Options:
    """Return the options of Primus' YAML; ``base`` is the model's own file where it lies beside, else empty.

    Raises FormatError for another framework than Megatron below Primus.
    """
    trainer = primus_trainer(body)
    if (framework := primus_framework(body)) != "megatron":
        raise FormatError(
            f"{where}: a configuration of Primus for {framework}; read are those for megatron, torchtitan and megatron_bridge"
        )
    overrides = primus_changes(body)
    values: dict[str, list[str]] = dict(PRIMUS_DEFAULTS)
    for name, value in {**base, **overrides}.items():
        if value is not None and not isinstance(value, Mapping):
            text = primus_default(str(value), settings) if not isinstance(value, bool) else str(value).lower()
            values |= _option(PRIMUS_NAMES.get(name, name), text)
    options = Options(where, settle_switches(values), stack="primus")
    name = primus_default(str(trainer.get("model", "")), settings)
    if "--num-layers" not in options.values:
        _take_model(options, name.removesuffix(".yaml"), "model")
    return options


PRIMUS_NAMES = {"fp8": "fp8_format", "share_embeddings_and_output_weights": "share_embeddings"}


def primus_option(name: str) -> str:
    """Return the option of Megatron that an option of Primus' command line means.

    >>> primus_option("--fp8"), primus_option("--num-layers")
    ('--fp8-format', '--num-layers')
    """
    key = name[2:].replace("-", "_")
    return "--" + PRIMUS_NAMES.get(key, key).replace("_", "-")


def primus_default(text: str, settings: Mapping[str, str]) -> str:
    """Return a value of Primus' YAML with ``${NAME:default}`` filled in.

    >>> primus_default("${PRIMUS_MODEL:llama3_8B}.yaml", {})
    'llama3_8B.yaml'
    """
    return re.sub(r"\$\{(\w+):([^}]*)\}", lambda m: settings.get(m[1], m[2]), text)


# --- shared -------------------------------------------------------------------------------------------------------
def start_options(command: Command, script: Script) -> dict[str, list[str]]:
    """Return what the launcher before a program and the script's variables say of nodes and processes."""
    before = command.before or words_before(command.words)
    values = read_starter(before, script.directives)
    variables = {f"variable {k}": [v] for k, v in script.variables.items() if k in VARIABLES}
    return values | variables


VARIABLES = frozenset(
    ("NNODES", "NPROC_PER_NODE", "GPUS_PER_NODE", "NPUS_PER_NODE", "NUM_NODES", "WORLD_SIZE", "NGPU", "NGPUS", "N_GPUS_PER_NODE",
     "CUDA_VISIBLE_DEVICES", "ASCEND_RT_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "NUM_GPUS", "SLURM_NNODES",
     "SLURM_JOB_NUM_NODES", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_GPUS_PER_NODE")
)  # fmt: skip


def _take_model(options: Options, name: str, key: str) -> None:
    """Put the model that is named into some options.

    Raises FormatError for a name that is missing or not known.
    """
    if not name:
        raise FormatError(f"{options.where}: no {key}, which names the model; give it with --set model=NAME")
    entry = find_named_model(name)
    if entry is None and (model := find_in_file_name(PurePosixPath(options.where).stem)):
        options.remarks.append(f"the model is {model.name}, by the name of the file")
        entry = model, ""
    if entry is None:
        raise UnsupportedModelError(
            f"{options.where}: {key} is {name}, a model that the catalog does not have; give one of the same shape with"
            " --set model=NAME, or the path of its config.json"
        )
    options.model, remark = entry
    if remark:
        options.remarks.append(
            f"{remark}; what lies beside it (towers for images or sound) is left out: time and memory err low"
        )
