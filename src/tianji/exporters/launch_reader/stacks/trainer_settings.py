"""What Hugging Face's Trainer is told, by whatever file: a job and a strategy with the defaults of the stack."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from tianji.errors import FormatError, UnsupportedModelError
from tianji.exporters.launch_reader.adapters import USUAL_RANK, read_targets
from tianji.exporters.launch_reader.named_models import find_in_file_name, find_named_model
from tianji.exporters.launch_reader.read_keys import ReadKeys, describe_unread
from tianji.parallel.strategy import Strategy
from tianji.workload import Formats, Job, Model, TrainingTask, find_precision, make_task

LOOPED = (
    "experts that transformers runs one by one (before release 5) are priced as one multiplication: time errs low, under"
    " DeepSpeed's ZeRO-3 up to twenty times (--zero-kind modules prices them)"
)


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
    offload: float = 0.0
    """Of the optimizer's state, in host memory."""
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
    ignored: list[str] = field(default_factory=list)
    """Keys of which nothing is known."""
    stated: Mapping[str, Any] = field(default_factory=dict)
    """What a file of DeepSpeed states, under the names of its rules."""

    def note_unread(self, body: ReadKeys) -> None:
        """Say what a configuration has that nobody asked for."""
        left_out, ignored = describe_unread(body.unread())
        self.left_out += left_out
        self.ignored += ignored

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
            offload_optimizer=self.offload, offload_weights=self.offload_weights,
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


def share(value: Any, default: float) -> float:
    """Return a fraction of YAML or JSON from 0 to 1, the default for anything else."""
    try:
        number = float(str(value))
    except ValueError:
        return default
    return number if 0.0 <= number <= 1.0 else default


OPTIMIZERS = (
    (r"galore|apollo|badam|lomo|adam_?mini|onebit|zeroone|lamb", ""),
    (r"8_?bit|bnb.*int8", "adamw-8bit"),
    (r"adafactor", "adafactor"),
    (r"lion", "lion"),
    (r"muon", "muon"),
    (r"sgd|rmsprop|momentum", "sgd"),
    (r"adam", "adamw"),
)
"""What names of optimizers mean; none of ours for those that keep something else for a parameter."""


def take_optimizer(trainer: TrainerSettings, name: str) -> None:
    """Take an optimizer by the name that a stack has for it into a training."""
    word = next((word for pattern, word in OPTIMIZERS if re.search(pattern, name.lower())), "adamw" if not name else "")
    if not word:
        trainer.left_out.append(f"the optimizer {name[:40]} is priced as AdamW: memory errs high")
    elif word != "adamw":
        trainer.formats = replace(trainer.formats, optimizer=word)
    if "paged" in name.lower():
        trainer.left_out.append(f"{name[:40]} may page its state out to the host: memory errs high")


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
