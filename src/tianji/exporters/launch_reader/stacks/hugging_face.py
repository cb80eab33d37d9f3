"""Trainings by Hugging Face's Trainer under DeepSpeed or FSDP: ms-swift, LLaMA-Factory, accelerate, MindSpeed-LLM's fsdp2."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from tianji.errors import FormatError, UnsupportedModelError
from tianji.exporters.launch_reader.adapters import USUAL_RANK, read_targets
from tianji.exporters.launch_reader.named_models import find_in_file_name, find_named_model
from tianji.exporters.launch_reader.stacks.generated import GENERATING, read_lengths
from tianji.exporters.rules.tables import flatten_values
from tianji.parallel.strategy import Strategy
from tianji.workload import Formats, Job, Model, TrainingTask, find_precision, make_task

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
LOOPED = (
    "experts that transformers runs one by one (before release 5) are priced as one multiplication: time errs low, under"
    " DeepSpeed's ZeRO-3 up to twenty times (--zero-kind modules prices them)"
)
SWIFT_STAGES = {"zero0": 0, "zero1": 1, "zero2": 2, "zero3": 3, "zero2_offload": 2, "zero3_offload": 3}
"""Files that ms-swift has under these names."""
ReadFile = Callable[[str], Mapping[str, Any] | None]
"""Returns the content of a file that lies beside the one that is read, None where there is none."""


@dataclass(slots=True)
class TrainerSettings:
    """What Hugging Face's Trainer is told, with the defaults of the stack."""

    where: str
    stack: str
    model: str
    seq_len: int = 0
    micro_batch: int = 1
    accumulation: int = 1
    batch: int = 0
    chips: int = 0
    zero: int = 0
    zero_group: int = 0
    tp: int = 1
    cp: int = 1
    ep: int = 1
    recompute: str = "full"
    precision: str = "bf16"
    fused: bool = True
    offload: bool = False
    offload_weights: bool = False
    offload_activations: bool = False
    is_deepspeed: bool = False
    formats: Formats = field(default_factory=Formats)
    """What the stack keeps otherwise than Megatron does: its loss, gradients and master weights."""
    overlap: bool = True
    tokens: float = 0.0
    task: TrainingTask = field(default_factory=make_task)
    assumed: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    stated: Mapping[str, Any] = field(default_factory=dict)
    """What a file of DeepSpeed states, under the names of its rules."""

    def find_model(self) -> Model:
        """Return the model that is named.

        Raises FormatError for none, UnsupportedModelError for one that is not known.
        """
        if not self.model and not find_in_file_name(PurePosixPath(self.where).stem):
            raise FormatError(f"{self.where}: it names no model; give it with --set model=NAME")
        entry = find_named_model(self.model)
        if entry is None and (model := find_in_file_name(PurePosixPath(self.where).stem)):
            self.assumed.append(f"the model is {model.name}, by the name of the file")
            entry = model, ""
        if entry is None:
            raise UnsupportedModelError(
                f"{self.where}: the model {self.model} is not in the catalog; give one of the same shape with --set model=NAME"
            )
        if entry[1]:
            self.left_out.append(f"{entry[1]}; the towers for images or sound are left out: time and memory err low")
        return entry[0]

    def job(self) -> Job:
        """Return the job; the batch is what the replicas take in a step where nothing else is said."""
        model, dp = self.find_model(), self.replicas()
        seq_len = self.seq_len
        if not seq_len:
            seq_len = min(model.max_position_embeddings or 2048, 32768)
            self.assumed.append(f"sequences of {seq_len:,} tokens: the file leaves their length to the model")
        multiple = max(self.cp, 1)
        seq_len = max(seq_len // multiple * multiple, multiple)
        batch = self.batch or dp * self.micro_batch * self.accumulation
        if model.moe is not None and self.ep == 1:
            self.left_out.append(LOOPED)
        precision = self.find_formats().apply(find_precision(self.precision))
        return Job(model, seq_len, batch, precision, self.tokens, task=self.task)

    def find_formats(self) -> Formats:
        """Return what is kept otherwise than the recipe says: DeepSpeed's ZeRO-2 and 3 keep a 16-bit gradient beside its sum."""
        is_double = self.is_deepspeed and self.zero > 1 and self.precision != "fp32" and not self.formats.gradient_dtype
        return replace(self.formats, gradient_dtype="both") if is_double else self.formats

    def replicas(self) -> int:
        """Return the data-parallel degree.

        Raises FormatError where the chips are unknown or do not divide.
        """
        if not self.chips:
            raise FormatError(f"{self.where}: it does not say on how many chips it runs; give them with --chips N")
        dp, rest = divmod(self.chips, self.tp * self.cp)
        if rest or not dp:
            raise FormatError(
                f"{self.where}: {self.tp}·{self.cp} tensor and sequence ranks do not divide {self.chips:,} chips"
            )
        return dp

    def strategy(self) -> Strategy:
        """Return the strategy."""
        return Strategy(
            tp=self.tp, cp=self.cp, dp=self.replicas(), ep=self.ep, micro_batch_size=self.micro_batch, zero=self.zero,
            zero_kind="buckets" if self.is_deepspeed and self.zero else "layers",
            zero_group=self.zero_group if 0 < self.zero_group < self.replicas() * self.cp and self.zero == 3 else 0,
            recompute=self.recompute, cp_kind="ulysses", ep_kind="all_to_all",
            weight_gather="hidden" if self.zero == 3 else "exposed",
            overlap_dp=self.overlap, overlap_tp=False, overlap_pp=False, flash_attention=self.fused,
            offload_optimizer=float(self.offload), offload_weights=self.offload_weights,
            offload_activations=float(self.offload_activations), sequence_parallel=self.tp == 1,
        )  # fmt: skip


def truthy(value: Any) -> bool:
    """Return whether a value of YAML or of a command line means yes.

    >>> truthy("True"), truthy("false"), truthy(None)
    (True, False, False)
    """
    return str(value).strip().lower() in ("true", "1", "yes", "on")


def whole(value: Any, default: int = 0) -> int:
    """Return a whole number of YAML or of a command line, the default for anything else."""
    text = str(value).strip().replace("_", "").removesuffix(".0")
    return int(text) if re.fullmatch(r"\d{1,12}", text) else default


def apply_deepspeed(trainer: TrainerSettings, body: Mapping[str, Any]) -> None:
    """Take a file of DeepSpeed into a training; "auto" is what the Trainer says already."""
    zero = body.get("zero_optimization")
    zero = zero if isinstance(zero, Mapping) else {}
    trainer.zero, trainer.is_deepspeed = min(whole(zero.get("stage")), 3), True
    trainer.stated = flatten_values(body)
    _note_buckets(trainer, zero)
    for name in ("offload_optimizer", "offload_param"):
        part = zero.get(name)
        if isinstance(part, Mapping) and str(part.get("device", "none")) not in ("none", "null"):
            trainer.offload = trainer.offload or name == "offload_optimizer"
            trainer.offload_weights = trainer.offload_weights or name == "offload_param"
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


def _note_buckets(trainer: TrainerSettings, zero: Mapping[str, Any]) -> None:
    """Say where DeepSpeed's buckets are not of the size that is priced, its default."""
    size = str(zero.get("reduce_bucket_size", BUCKET))
    try:
        number = float(size)
    except ValueError:
        number = 0.0  # "auto": the square of the model's width
    if trainer.zero and number != BUCKET:
        errs = "low" if number > BUCKET else "high"
        trainer.left_out.append(
            f"reduce_bucket_size {size[:20]}: priced as the default of {BUCKET:g} elements: memory errs {errs}"
        )


def apply_fsdp(trainer: TrainerSettings, body: Mapping[str, Any], kind: str = "") -> None:
    """Take an FSDP configuration of accelerate or of Hugging Face into a training."""
    part = body.get("fsdp_config") if isinstance(body.get("fsdp_config"), Mapping) else body
    part = {str(k).removeprefix("fsdp_"): v for k, v in (part or {}).items()}
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
        trainer.offload = trainer.offload_weights = True
    trainer.offload_activations = truthy(part.get("activation_cpu_offload"))
    if truthy(part.get("activation_checkpointing")):
        trainer.recompute = "full"
    precision = str(body.get("mixed_precision", ""))
    if precision in ("bf16", "fp16"):
        trainer.precision = precision
    trainer.chips = trainer.chips or whole(body.get("num_processes"))


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


def take_adapters(
    trainer: TrainerSettings, kind: str, rank: Any = None, targets: Any = None, *, narrow: bool = False
) -> None:
    """Take adapters into a training; ``narrow`` is a base of 4 bits. Of other kinds than LoRA it is said that all is priced."""
    if kind == "lora":
        names = targets if isinstance(targets, list) else [targets or "all"]
        word = "qlora" if narrow else "lora"
        trainer.task = make_task(word, whole(rank, USUAL_RANK) or USUAL_RANK, read_targets(map(str, names)))
        trainer.assumed.append(f"{trainer.task.describe()} is trained, the base is frozen")
    elif kind and kind not in ("full", "False"):
        trainer.left_out.append(
            f"{kind}: adapters alone are trained, and the price is that of training all weights: memory and time err high"
        )


def read_swift_options(values: Mapping[str, list[str]], where: str, chips: int, read_file: ReadFile) -> TrainerSettings:
    """Return the training of ``swift sft`` and ``swift pt``.

    Defaults: ms-swift 3602360a (August 2026), swift/arguments.
    """
    get = {k[2:].replace("-", "_"): (v[0] if v else "true") for k, v in values.items()}
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
    return trainer


def read_llama_factory(body: Mapping[str, Any], where: str, chips: int, read_file: ReadFile) -> TrainerSettings:
    """Return the training of LLaMA-Factory's YAML.

    Defaults: LLaMA-Factory ff6d4d12 (August 2026), src/llamafactory/hparams, and transformers' TrainingArguments.

    Raises FormatError for a file that trains nothing.
    """
    if not truthy(body.get("do_train", "stage" in body)) or "export_dir" in body:
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
    if body.get("deepspeed"):
        find_deepspeed(trainer, body["deepspeed"], read_file)
    elif body.get("fsdp"):
        apply_fsdp(trainer, {k: v for k, v in body.items() if str(k).startswith("fsdp")}, str(body["fsdp"]))
    bits, kind = whole(body.get("quantization_bit")), str(body.get("finetuning_type", "lora"))
    take_adapters(trainer, kind, body.get("lora_rank"), body.get("lora_target"), narrow=bits == 4)
    if (bits or body.get("quantization_method")) and trainer.task.name != "qlora":
        trainer.left_out.append("weights of other than 4 bits are not priced: memory errs high")
    return trainer


def read_llama_factory_v1(body: Mapping[str, Any], where: str, chips: int, read_file: ReadFile) -> TrainerSettings:
    """Return the training of LLaMA-Factory's new YAML (``model_class``, ``dist_config``)."""
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
    trainer.offload = truthy(dist.get("offload_params"))
    trainer.recompute = "none" if body.get("gradient_checkpointing") is False else "full"
    peft = body.get("peft_config")
    quant = body.get("quant_config")
    bits = whole(quant.get("quantization_bit")) if isinstance(quant, Mapping) else 0
    if isinstance(peft, Mapping):
        kind = str(peft.get("name", "lora"))
        take_adapters(trainer, kind, peft.get("r"), peft.get("target_modules"), narrow=bits == 4)
    if isinstance(quant, Mapping) and trainer.task.name != "qlora":
        trainer.left_out.append("quantized weights are not priced: memory errs high")
    return trainer


def read_mindspeed_fsdp2(body: Mapping[str, Any], where: str, chips: int) -> TrainerSettings:
    """Return the training of MindSpeed-LLM's fsdp2 YAML with what its command line changes.

    Defaults: MindSpeed-LLM c77308a1 (August 2026), mindspeed_llm/fsdp2/utils/arguments.py.
    """

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
    return trainer
