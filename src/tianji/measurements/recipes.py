"""What a framework computes in which format, as measurement tables describe it: precision, gradients, attention kernels."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from tianji.errors import FormatError
from tianji.workload import Precision
from tianji.workload.precision import PRECISIONS

FORMATS: tuple[tuple[str, str], ...] = (
    (r"^(nvfp4|mxfp4|fp4|float4)\b", "fp4"),
    (r"^mxfp8\b|^fp8[ -]?mx\b|^mx[ -]?fp8\b", "mxfp8"),
    (r"^(fp8|float8|hif8)\b", "fp8"),
    (r"^(amp_)?(bf16|bfloat16)\b", "bf16"),
    (r"^(amp_)?(fp16|float16|half)\b", "fp16"),
    (r"^(fp32|float32|tf32)\b", "fp32"),
)


@lru_cache(maxsize=4096)
def read_software(framework: str, source: str, notes: str = "") -> str:
    """Return the key of a software generation: the framework's family and, where one is stated, its version.

    Versions of a benchmark suite stand for the software that it pins.

    >>> read_software("Megatron-Bridge / Megatron-Core", "NVIDIA Megatron-Bridge performance summary 26.04.01")
    'megatron-bridge-26.04.01'
    >>> read_software("MindSpeed-LLM v1.0.RC3.0 (Mcore)", "Ascend MindSpeed-LLM (ModelLink) README v1.0.RC3.0")
    'mindspeed-1.0.rc3'
    """
    family = next((key for pattern, key in FAMILIES if re.search(pattern, f"{framework} | {source}".lower())), "")
    if not family:
        # A framework that nobody has named here: its own first word, so that its rows stay together.
        family = "-".join(re.findall(r"[a-z0-9]+", framework.lower().split("/")[0].split("(")[0])[:2]) or "unknown"
    if family in UNVERSIONED:
        return family
    # A framework states its generation ("NeMo 2.0") where its source states the release.
    stated = [v for text in (source, framework) for v in _VERSION.findall(text)] + _CONTAINER.findall(notes)
    version = re.sub(r"(rc\d+)\.0$", r"\1", stated[0].lower()) if stated else ""
    suite = next((f"{name}-" for name in ("dgxc", "mlperf") if name in source.lower()), "")
    return f"{family}-{suite}{version}" if version else family


FAMILIES: tuple[tuple[str, str], ...] = (
    (r"megatron-bridge", "megatron-bridge"),
    (r"maxtext", "maxtext"),
    (r"pax", "pax"),
    (r"automodel", "automodel"),
    (r"\bnemo\b|nemo[- ]framework", "nemo"),
    (r"mindspeed|modellink", "mindspeed"),
    (r"mindformers|mindspore", "mindformers"),
    (r"llm-foundry|mosaicml", "llm-foundry"),
    (r"internevo", "internevo"),
    (r"bigscience", "bigscience"),
    (r"vtrain", "vtrain"),
    (r"torchtitan", "torchtitan"),
    (r"nanotron", "nanotron"),
    (r"fms-fsdp", "fms-fsdp"),
    (r"zero[- ]bubble", "zero-bubble"),
    (r"sc21", "megatron-lm-2021"),
    (r"megascale", "megascale"),
    (r"simumax", "megatron-lm"),
    (r"xtuner", "xtuner"),
    (r"flagscale|flagperf", "flagscale"),
    (r"colossal", "colossal-ai"),
    (r"hai-llm", "hai-llm"),
    (r"deepspeed", "deepspeed"),
    (r"megatron", "megatron-lm"),
)
"""Pattern in framework and source, lower case, and the family it belongs to; the first that is found counts."""


@lru_cache(maxsize=1024)
def find_family(software: str) -> str:
    """Return the family of a software generation: its key without the release.

    >>> find_family("nemo-dgxc-25.04.01"), find_family("someones-1.2")
    ('nemo', 'someones')
    """
    known = sorted({family for _, family in FAMILIES}, key=len, reverse=True)
    found = next((f for f in known if software == f or software.startswith(f"{f}-")), "")
    return found or re.sub(r"-\d[\w.]*$", "", software)


UNVERSIONED = (
    "bigscience", "vtrain", "llm-foundry", "internevo", "megatron-lm-2021", "zero-bubble", "megascale", "torchtitan",
    "nanotron", "fms-fsdp",
)  # fmt: skip
"""Families that state no version; the other numbers of their sources are not one."""

_VERSION = re.compile(r"\bv?r?(\d{1,2}\.\d{1,2}(?:\.(?:\d{1,2}|RC\d(?:\.\d)?|rc\d(?:\.\d)?))*)\b(?!\s*[GTM]?B)")
_CONTAINER = re.compile(r"(?:NeMo ?|ngc)(\d\d\.\d\d(?:\.\d\d)?)")


_FULL_ITERATION = re.compile(r"\b(?:DEEPSEEK_V3|GPT_OSS_120B|QWEN3_\w+)_PRETRAIN_\d+GPU_GB[23]00_FP8MX_CONFIG@v0\.6\.0")
"""Recipes of Megatron-Bridge 26.08 that turn on HybridEP, graphs of a whole iteration and the overlap of their all_to_all
in functions that they call (``perf_recipes/*/common.py``), where tables of their own settings do not show them."""
_REGRESSION = re.compile(r"\bGPT_OSS_120B_\w+@v0\.5\.1")
"""The same job took 1.6 times as long in 26.06.01 as in 26.06 and 26.08: the publisher's footnote calls it a known regression
(NVIDIA/cudnn-frontend, issue 256)."""

_OLDER = re.compile(r"NeMo container 25\.09\..*token-drop.*?(MoE dispatcher=(?:hybridep|deepep);?)")
"""Rows of 25.09 were matched to the recipes of the release after. Its own scripts (v0.1.0, run_script.py) know no HybridEP, and
turn DeepEP off where tokens are dropped."""


def state_switches(overlap: str, notes: str) -> tuple[str, str]:
    """Return a row's overlap and notes with what its publisher states in another place than the table.

    >>> state_switches("DP overlap", "GPT_OSS_120B_PRETRAIN_64GPU_GB200_FP8MX_CONFIG@v0.6.0 (exact)")[0]
    'moe a2a overlap; DP overlap'
    """
    if _REGRESSION.search(notes):
        return overlap, f"{notes} Known regression."
    if older := _OLDER.search(notes):
        return overlap, notes.replace(older[1], "")
    if not _FULL_ITERATION.search(notes):
        return overlap, notes
    rest = re.sub(r"cuda_graph=transformer_engine scope=\[[^]]*\]", "", notes)
    return f"moe a2a overlap; {overlap}", f"{rest} MoE dispatcher=hybridep; cuda_graph=full_iteration"


def uses_flash_attention(framework: str, source: str, notes: str = "") -> bool:
    """Return whether attention ran as one fused kernel that never stores the scores.

    It does in all current frameworks. It does not in what was measured before FlashAttention (May 2022) had reached the
    framework: the Megatron-DeepSpeed of BLOOM (February 2022) and of vTrain, and the Megatron-LM of Narayanan et al. (2021);
    nor in the paper on zero-bubble pipelines, whose printed memory of 30 GB (1.5B, micro-batch 6, 1F1B) holds
    the scores; nor where the row's notes say that the script leaves the switch out.
    """
    where = f"{framework} | {source}".lower()
    if re.search(r"no flash|flash[ -]?att\w* (?:is )?(?:off|not)|use-flash-attn not in", notes.lower()):
        return False
    return not re.search(r"^megatron-deepspeed|bigscience|vtrain|sc21|zero[- ]bubble", where)


def read_precision(text: str, software: str, notes: str = "") -> Precision:
    """Return the number formats of a run.

    The text names the dtype of the linear layers, with details after it or in brackets. Of two joined by a slash
    the first counts where both have the same rate (``fp16/bf16``). Gradients follow the framework (see
    :func:`gradient_sizes`).

    Raises FormatError for a text that names no known recipe, or several.
    """
    words = " ".join(text.lower().split())
    # What stands in brackets explains, unless it makes the recipe depend on the configuration.
    bare = re.sub(r"\([^)]*\)", "", words).strip()
    kinds = {_find_format(part) for part in bare.split("/")}
    if "where config" in words or (len(kinds) > 1 and kinds != {"bf16", "fp16"}):
        raise FormatError(f"precision: {text!r} leaves open which recipe ran")
    found = PRECISIONS[_find_format(bare.split("/")[0])]
    if found.quantized and re.search(r"fine-grained|block|128x128|1x128", words):
        found = replace(found, name=f"{found.name}-block", block_scaled=True)
    if found.quantized and software.startswith(("torchtitan", "fms", "automodel")):
        # Their converted layers keep the input in high precision and quantise it again for the weight gradient.
        found = replace(found, name=f"{found.name}-torch", linear_input_size=2.0)
    if "float8 all-gather" in words or "fp8 all-gather" in words:
        found = replace(found, name=f"{found.name}-gather", weight_wire=1.0)
    size, wire = gradient_sizes(found, software, notes)
    return resize_buffers(replace(found, gradient_size=size, gradient_wire=wire), software)


def _find_format(text: str) -> str:
    for pattern, name in FORMATS:
        if re.search(pattern, text.strip()):
            return name
    raise FormatError(f"precision: {text.strip()!r} is none of fp32, bf16, fp16, fp8, mxfp8, nvfp4")


HALF_GRADIENTS = (
    # The performance recipes set grad_reduce_in_fp32 = False.
    "megatron-bridge", "nemo-mlperf", "nemo-25.", "nemo-dgxc-25.04", "nemo-dgxc-25.05",
    # The optimizer reduces the gradients in the dtype that the parameters are computed in.
    "internevo", "colossal-ai",
)  # fmt: skip


def gradient_sizes(precision: Precision, software: str, notes: str = "") -> tuple[float, float]:
    """Return bytes of a gradient in memory and on the wire of the reduction.

    Megatron accumulates and reduces in fp32 under bf16, and in half precision under fp16; DeepSpeed reduces in the compute
    dtype (its BF16 optimizer, which BLOOM used, in fp32); NeMo 1 reduces in fp32 unless told otherwise, NVIDIA's
    performance recipes since NeMo 2 in bf16. Composer's FSDP reduces in fp32 (mixed_precision=DEFAULT) or in the compute
    dtype (PURE), and keeps the sharded sum in fp32, as PyTorch's FSDP does; torchtitan's default reduces in fp32, the
    policy of fms-fsdp in bf16. MindSpore keeps fp32 parameters, and so fp32 gradients.
    """
    if "mixed_precision=pure" in notes.lower() or software.startswith("fms-fsdp"):
        return precision.gradient_size, 2.0
    if software.startswith(HALF_GRADIENTS):
        return 2.0, 2.0
    if precision.linear == "fp16" and not software.startswith("mindformers"):
        return 2.0, 2.0
    if software.startswith(("deepspeed", "xtuner")) and precision.linear == "bf16":
        return 2.0, 2.0
    return precision.gradient_size, precision.gradient_wire


def resize_buffers(precision: Precision, software: str) -> Precision:
    """Return the formats with the copies that a framework keeps beside them.

    DeepSpeed's BF16 optimizer sums in fp32 what backward passes leave in bf16, and keeps both; its fp16 ZeRO-1 copies a
    rank's share of the gradients to fp32 for the step. PyTorch's own cross entropy, which torchtitan and AutoModel call, makes
    three fp32 copies of the logits (their cast, the log-softmax and its gradient) beside the bf16 ones; FlashAttention's, which
    llm-foundry calls, writes the gradient in place of the bf16 logits.
    """
    if software.startswith("llm-foundry"):
        return replace(precision, logit_size=4.0)
    if software.startswith(("bigscience", "vtrain", "deepspeed")) and precision.linear == "bf16":
        return replace(precision, gradient_size=6.0)
    if software.startswith(("bigscience", "vtrain", "deepspeed")) and precision.linear == "fp16":
        return replace(precision, optimizer_size=precision.optimizer_size + 4.0)
    if software.startswith(("torchtitan", "automodel", "fms")):
        return replace(precision, logit_size=14.0)
    return precision
