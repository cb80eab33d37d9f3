"""What a training framework does where a row states nothing: overlap, kernels, and the formats that it keeps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from tianji.measurements.cells import Cells
from tianji.units import GIB, KB, MIB, Bytes
from tianji.workload import Precision, TrainingTask, make_task
from tianji.workload.formats import LOSSES
from tianji.workload.precision import ALIASES, PRECISIONS
from tianji.workload.task import ADAPTED


@dataclass(frozen=True, slots=True)
class Habits:
    """The switches that a framework sets by itself."""

    overlap_dp: bool = True
    """Off in MindSpeed's and Megatron-DeepSpeed's scripts, which list what they turn on."""
    weight_gather: str = "hidden"
    flash_attention: bool = True
    """Off in what was measured before FlashAttention (May 2022) had reached the framework, and in the paper on zero-bubble
    pipelines, whose printed memory of 30 GB (1.5B, micro-batch 6, 1F1B) holds the scores."""
    cp_kind: str = "ring"
    ep_kind: str = "all_to_all"
    """DeepSeek's own kernels carry a token to a node once; so do DeepEP and HybridEP under any framework."""
    cuts_experts: bool = True
    """An expert is cut over the tensor ranks unless told otherwise: so in Megatron's family and in MindFormers."""
    scatters_gradients: bool = False
    """MindSpore's optimizer parallelism scatters gradients as they come: with one micro-batch none is kept whole."""
    zero_kind: str = "layers"
    """What fully sharded training gathers at once."""
    adapters: tuple[int, str] = (16, "all")
    """Rank and targets of LoRA in its recipes."""
    memory_unit: Bytes = GIB
    """Allocators print GiB. BLOOM's chronicles give the GB that somebody read off nvidia-smi, which prints MiB: thousands of
    MiB. That lies between GB and GiB, within 2.4 % and 4.9 % of them."""


_LISTED = Habits(overlap_dp=False, weight_gather="exposed")
_WHOLE_EXPERTS = Habits(cuts_experts=False)
HABITS: dict[str, Habits] = {
    "mindspeed": _LISTED,
    "bigscience": replace(_LISTED, flash_attention=False, memory_unit=KB * MIB),
    "vtrain": replace(_LISTED, flash_attention=False),
    # ZeRO-1 and 2 gather inside the step.
    "deepspeed": Habits(weight_gather="exposed"),
    # overlap_sync_grad=True, overlap_sync_param=False: `broadcast_params` of its hybrid ZeRO optimizer waits for each rank.
    "internevo": Habits(weight_gather="broadcasts"),
    "megatron-lm-2021": Habits(flash_attention=False),
    "zero-bubble": Habits(flash_attention=False),
    "mindformers": Habits(scatters_gradients=True),
    "torchtitan": _WHOLE_EXPERTS,
    # match_all_linear, dim 8 in its examples; LoRA.dim and target_modules of Megatron-Bridge; lora_tuning of NeMo 1 and 2.
    "automodel": replace(_WHOLE_EXPERTS, adapters=(8, "all")),
    "megatron-bridge": Habits(adapters=(32, "all")),
    "nemo": Habits(adapters=(32, "qkv")),
    "maxtext": replace(_WHOLE_EXPERTS, zero_kind="matrices"),
    "hai-llm": replace(_WHOLE_EXPERTS, ep_kind="deduplicated"),
    "xtuner": replace(_WHOLE_EXPERTS, cp_kind="ulysses"),
}
"""By framework; the others do as most do."""


def find_habits(framework: str) -> Habits:
    """Return what a framework does where nothing is stated."""
    return HABITS.get(framework, Habits())


def read_task(cells: Cells, framework: str) -> TrainingTask:
    """Return what a row trained; of adapters that it does not describe, those of the framework's recipes."""
    word = cells.word("task") or "pretrain"
    if word not in ADAPTED:
        return make_task(word)
    rank, targets = find_habits(framework).adapters
    stated = tuple(cells.words("lora_targets"))
    return make_task(word, cells.count("lora_rank", default=rank), stated or targets)


FORMATS = ("precision", "scaling", "weight_gather_dtype", "reduce_dtype")
"""Columns of number formats."""


# --- formats ------------------------------------------------------------------------------------------------------
def read_precision(cells: Cells, framework: str, release: str) -> Precision:
    """Return the number formats of a row: its recipe, with the copies and the wire formats of its framework.

    Raises FormatError when no recipe is stated.
    """
    return _read_precision(cells.raw(FORMATS), framework, release)


@lru_cache(maxsize=512)
def _read_precision(raw: tuple[str, ...], framework: str, release: str) -> Precision:
    """Return the formats of the rows that have these cells: most have those of another row."""
    cells = Cells(dict(zip(FORMATS, raw, strict=True)), 0)
    cells.require("precision")
    word = cells.word("precision")
    precision = PRECISIONS[ALIASES.get(word, word)]
    if precision.quantized and cells.word("scaling") == "block":
        precision = replace(precision, name=f"{precision.name}-block", block_scaled=True)
    if precision.quantized and framework in ("torchtitan", "fms-fsdp", "automodel"):
        # Their converted layers keep the input in high precision and quantise it again for the weight gradient.
        precision = replace(precision, name=f"{precision.name}-torch", linear_input_size=2.0)
    if cells.word("weight_gather_dtype") == "fp8":
        precision = replace(precision, name=f"{precision.name}-gather", weight_wire=1.0)
    size, wire = gradient_sizes(precision, framework, release, cells.word("reduce_dtype"))
    return resize_buffers(replace(precision, gradient_size=size, gradient_wire=wire), framework)


def gradient_sizes(
    precision: Precision, framework: str, release: str = "", reduce_dtype: str = ""
) -> tuple[float, float]:
    """Return bytes of a gradient in memory and on the wire of the reduction.

    Megatron accumulates and reduces in fp32 under bf16, and in half precision under fp16; DeepSpeed reduces in the compute
    dtype (its BF16 optimizer, which BLOOM used, in fp32); NeMo 1 reduces in fp32 unless told otherwise, NVIDIA's
    performance recipes since NeMo 2 in bf16. Composer's FSDP reduces in fp32 (mixed_precision=DEFAULT) or in the compute
    dtype (PURE), and keeps the sharded sum in fp32, as PyTorch's FSDP does; torchtitan's default reduces in fp32, the
    policy of fms-fsdp in bf16. MindSpore keeps fp32 parameters, and so fp32 gradients.
    """
    if reduce_dtype:
        return precision.gradient_size, 2.0 if reduce_dtype == "bf16" else 4.0
    if framework == "fms-fsdp":
        return precision.gradient_size, 2.0
    if _reduces_in_half(framework, release):
        return 2.0, 2.0
    if precision.linear == "fp16" and framework != "mindformers":
        return 2.0, 2.0
    if framework in ("deepspeed", "xtuner") and precision.linear == "bf16":
        return 2.0, 2.0
    return precision.gradient_size, precision.gradient_wire


def _reduces_in_half(framework: str, release: str) -> bool:
    """The performance recipes set grad_reduce_in_fp32 = False; InternEvo and Colossal-AI reduce in the compute dtype."""
    recipes = ("mlperf", "25.", "dgxc-25.04", "dgxc-25.05")
    return framework in ("megatron-bridge", "internevo", "colossal-ai") or (
        framework == "nemo" and release.startswith(recipes)
    )


def resize_buffers(precision: Precision, framework: str) -> Precision:
    """Return the formats with the copies that a framework keeps beside them.

    DeepSpeed's BF16 optimizer sums in fp32 what backward passes leave in bf16, and keeps both; its fp16 ZeRO-1 copies a
    rank's share of the gradients to fp32 for the step. PyTorch's own cross entropy, which torchtitan and AutoModel call, makes
    three fp32 copies of the logits (their cast, the log-softmax and its gradient) beside the bf16 ones; FlashAttention's, which
    llm-foundry calls, writes the gradient in place of the bf16 logits. XLA, under MaxText, never writes the softmax.
    """
    if framework == "maxtext":
        return replace(precision, logit_size=LOSSES["compiled"], loss="compiled")
    if framework == "llm-foundry":
        return replace(precision, logit_size=4.0)
    if framework in ("bigscience", "vtrain", "deepspeed") and precision.linear == "bf16":
        return replace(precision, gradient_size=6.0)
    if framework in ("bigscience", "vtrain", "deepspeed") and precision.linear == "fp16":
        return replace(precision, optimizer_size=precision.optimizer_size + 4.0)
    if framework in ("torchtitan", "automodel", "fms-fsdp"):
        return replace(precision, logit_size=14.0)
    return precision
