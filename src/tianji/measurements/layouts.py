"""How a measured run was cut, as tables describe it in words: sharding, recomputation, overlap, schedule."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tianji.errors import FormatError
from tianji.measurements.cells import NO, YES
from tianji.workload import Model
from tianji.workload.ops import Layer, Role, dense_layer, moe_layer


@dataclass(frozen=True, slots=True)
class Sharding:
    """A ZeRO level, the ranks of one group (0: all of them), and whether the optimizer lives in host memory."""

    zero: int
    group: int = 0
    offload: bool = False


def read_sharding(text: str, ranks: int, chips_per_node: int = 8) -> Sharding:
    """Return how state was sharded over ``ranks`` data and context ranks.

    ``none`` is plain data parallelism. MindSpore's optimizer parallel (level 1) splits weights and optimizer state, and
    gathers the weights once a step: that is ZeRO-1. ``FSDP 128 x DP 4``, ``ZeRO-1 over 8 ranks``, ``shard 32`` and ``within
    node`` name a group; where all ranks are in it, it is no group.

    >>> read_sharding("FSDP 128 x DP 4 (ZeRO-3 within FSDP group)", 512)
    Sharding(zero=3, group=128, offload=False)

    Raises FormatError for a text that says none of this.
    """
    words = text.lower()
    if not words and ranks == 1:
        return Sharding(0)
    if not words:
        raise FormatError("fsdp_zero is not stated")
    level = re.search(r"zero[ -]?([0-3])\b", words)
    if re.search(r"distributed optimizer|optimizer parallel", words) or words == "zero":
        zero = 1
    elif level:
        zero = int(level[1])
    elif re.search(r"fsdp|fully sharded", words):
        zero = 3
    elif words.startswith(("none", "ddp", "dp")) or words in NO:
        zero = 0
    else:
        raise FormatError(f"fsdp_zero: {text!r} names no sharding; write none, ZeRO-1, ZeRO-2, ZeRO-3 or FSDP")
    # FSDP1 and FSDP2 are versions, FSDP256 and FSDP 8 are groups.
    stated = re.search(r"\bfsdp (\d+)\b|\bfsdp(\d{2,})\b|\bover (\d+) ranks", words)
    shard = re.search(r"\bshard (\d+)\b", words)
    group = int(shard[1]) if shard else int(next(n for n in stated.groups() if n)) if stated else 0
    if not group and re.search(r"within (a )?node|intra-node", words):
        group = chips_per_node
    return Sharding(zero, 0 if group >= ranks else group, "offload" in words and "no offload" not in words)


# --- recomputation ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Recompute:
    """What is computed again in the backward pass, and the share of it."""

    kind: str
    share: float = 1.0


MODULES = {
    "core_attn": ("core attention",),
    "mla_up_proj": ("mla up-projection",),
    "qkv": (),
    "out_proj": (),
    "mlpwo": (),
    "mlp": (),
    "moe": (),
    "layernorm": ("rmsnorm", "norm"),
    "moe_act": ("act", "activation"),
}
"""Modules whose outputs can be recomputed, with other spellings. The last two are memory-bound."""


def read_recompute(text: str, model: Model, seq_len: int, layers: float, chunk: float, fused: bool) -> Recompute:
    """Return what is recomputed; ``layers`` are those of a pipeline stage, ``chunk`` those of a model chunk.

    The strategy knows ``full`` and ``selective`` (the memory-bound ops, what MLA expands, and the scores where attention is not
    fused) for a share of the layers. Other descriptions become the nearest of these in time:

    * ``block, N layers``: full, in N of the layers of each model chunk (Megatron counts them there);
    * a list of layers for each stage: its largest entry, because the slowest stage sets the pace;
    * ``every Nth layer``: full, 1/N; torchtitan's op-level rule saves every second matmul and all attention and
      reductions, recomputes the rest: full, 1/2;
    * selective with no modules listed: nothing (Megatron-Core recomputes core attention only where the list is not given; the
      recipes of Megatron-Bridge that this is said of give an empty one);
    * named modules: full, for their share of the layers' forward FLOPs (``saved`` modules: for the rest's share), because
      a matmul or a fused attention computed again costs that part of a full recompute; norms and activation functions
      alone: selective.

    Raises FormatError for an empty text and for one that says none of this.
    """
    words = " ".join(text.lower().split())
    if not words:
        raise FormatError("recompute is not stated")
    if words in NO or words.startswith("none"):
        return Recompute("none")
    kind = "full" if words in YES or words.startswith(("full", "uniform", "block")) else "selective"
    if kind == "selective" and not words.startswith("selective"):
        raise FormatError(f"recompute: {text!r} is not understood; write none, selective or full")
    if "no modules listed" in words:
        return Recompute("none")
    if listed := re.search(r"\[([\d, ]+)\]", words):
        most = max((int(n) for n in re.findall(r"\d+", listed[1])), default=0)
        return Recompute(kind, min(1.0, most / layers))
    if kind == "full":
        block = None if "uniform" in words else re.search(r"num_layers ?= ?(\d+)|(\d+) layers", words)
        return Recompute(kind, min(1.0, int(block[1] or block[2]) / chunk) if block else 1.0)
    if nth := re.search(r"every (\d+)(?:st|nd|rd|th) layer", words):
        return Recompute("full", 1.0 / max(int(nth[1]), 1))
    if re.search(r"op-level|\bsac\b", words):
        return Recompute("full", 0.5)
    if "select_recompute" in words:
        return Recompute("selective")
    return _read_modules(text, words, model, seq_len, fused)


def _read_modules(text: str, words: str, model: Model, seq_len: int, fused: bool) -> Recompute:
    named = [name for name, others in MODULES.items() if any(_names(words, w) for w in (name, *others))]
    if words == "selective":
        named = ["core_attn"]
    if not named:
        raise FormatError(f"recompute: {text!r} names no module; known: {', '.join(MODULES)}")
    if (not fused and "core_attn" in named) or {"mla_up_proj", "layernorm"} <= set(named):
        return Recompute("selective")
    flops = _module_flops(model, seq_len)
    again = sum(flops.get(name, 0.0) for name in named)
    if "saved" in words:
        again = flops["all"] - again
    return Recompute("full", min(1.0, again / flops["all"])) if again else Recompute("selective")


def _names(words: str, word: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", words) is not None


def _module_flops(model: Model, seq_len: int) -> dict[str, float]:
    """Return forward FLOPs of a token in all layers, by module."""
    found = dict.fromkeys((*MODULES, "all"), 0.0)
    for count, layer in ((model.num_dense_layers, dense_layer(model)), (model.num_moe_layers, moe_layer(model))):
        if not count:
            continue
        experts = layer.experts.flops if layer.experts else 0.0
        found["core_attn"] += count * sum(share * a.flops(seq_len, True) for share, a in layer.attention)
        found["mla_up_proj"] += count * _matmul_flops(layer, Role.EXPANSION)
        found["qkv"] += count * _matmul_flops(layer, Role.PROJECTION, Role.EXPANSION)
        found["out_proj"] += count * _matmul_flops(layer, Role.ATTENTION_OUTPUT)
        found["mlp"] += count * _matmul_flops(layer, Role.MLP_IN, Role.MLP_OUT)
        found["mlpwo"] += count * _matmul_flops(layer, Role.MLP_OUT)
        found["moe"] += count * (experts + _matmul_flops(layer, Role.ROUTER, Role.SHARED_EXPERT))
        found["all"] += count * layer.flops(seq_len, True)
    return found


def _matmul_flops(layer: Layer, *roles: Role) -> float:
    return sum(m.flops for m in layer.matmuls if m.role in roles)


# --- overlap and schedule -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Overlap:
    """Which communication runs beside computation."""

    dp: bool = True
    gather: str = "hidden"
    tp: bool = False
    pp: bool = True
    ep: bool = False


def read_overlap(text: str, software: str, notes: str = "", precision: str = "") -> Overlap:
    """Return which communication was overlapped.

    A description that leaves data parallelism out means the framework's default, which overlaps it; but MindSpeed's rows
    list the switches of a script, and Megatron's default is off. DeepSpeed's pipeline with ZeRO-1 reduces after the last
    backward pass. MC2 (Ascend), async TP (torchtitan) and user buffers (NVIDIA) split matmuls to overlap tensor
    parallelism, as does MindSpore's interleaving of two or more copies of a micro-batch.

    Where a row lists switches, weights are gathered behind the forward pass only if it says so (Megatron's
    ``--overlap-param-gather``). InternEvo's configurations reduce beside the backward pass, but broadcast the updated weights
    of each rank in turn and wait (``overlap_sync_grad=True, overlap_sync_param=False``; ``broadcast_params`` of its hybrid
    ZeRO optimizer). DeepSpeed's ZeRO-1 and 2 gather inside the step.

    >>> read_overlap("overlap-grad-reduce, MC2 (TP comm overlap)", "mindspeed-1.0.rc3")
    Overlap(dp=True, gather='exposed', tp=True, pp=True, ep=False)
    """
    words = text.lower()
    listed = software.startswith(("mindspeed", "bigscience", "vtrain"))
    dp = not listed or bool(re.search(r"grad[- ]reduce|param[- ]gather|dp\b[^;,]*overlap", words))
    if re.search(r"^none|no dp overlap|no gradient bucketing|(grad/param|dp) overlap (is )?(off|false)", words):
        dp = False
    gather = "broadcasts" if software.startswith("internevo") else "hidden"
    if software.startswith("deepspeed") or (listed and "param" not in words):
        gather = "exposed"
    tp = bool(re.search(r"\bmc2\b|async tp|tp[- ]comm[- ]overlap|\btp(/sp)?\b[^;:]*\boverlap|tp\(ub\)", words))
    if re.search(r"no tp comm overlap|tp comm overlap (is )?(false|off)\b|vanilla tp|no tp overlap", words):
        tp = False
    if "off for fp4" in words and precision == "fp4":
        tp = False
    copies = re.search(r"micro_batch_interleave_num ?= ?(\d+)", notes.lower())
    if copies and int(copies[1]) > 1:
        tp = True
    ep = bool(re.search(r"\b(a2a|all-to-all|ep)\b[^;,]*\boverlap", words))
    pp = not re.search(r"pp_comm_async ?= ?false|no p2p overlap", f"{words} {notes.lower()}")
    return Overlap(dp, gather, tp, pp, ep)


def read_schedule(vp: str, text: str, pp: int, chunks: int) -> tuple[str, int]:
    """Return the pipeline schedule and the model chunks of each rank.

    ``vp`` may name a schedule in place of a number; ``text`` (the overlap column) may say ``schedule=ZB-2p``. More than one
    chunk means interleaving; without a pipeline there is nothing to interleave.

    >>> read_schedule("8", "", 4, 8)
    ('interleaved', 8)
    """
    words = f"{vp} {text}".lower()
    if pp == 1:
        return "1f1b", 1
    if "dualpipe" in words:
        return "dualpipe", 1
    if re.search(r"schedule ?= ?zb|^zb\b|zero[- ]bubble", words):
        return "zero-bubble", 1
    if "gpipe" in words or "afab" in words:
        return "gpipe", 1
    return ("interleaved", chunks) if chunks > 1 else ("1f1b", 1)


def read_cp_kind(text: str, software: str, notes: str = "") -> str:
    """Return how sequences were cut: by heads (Ulysses, an all_to_all) or in a ring, which is Megatron's default.

    >>> read_cp_kind("grad/param overlap off; CP a2a", "megatron-lm")
    'ulysses'
    """
    words = f"{text} {notes} {software}".lower()
    return "ulysses" if re.search(r"\bcp a2a|ulysses|xtuner", words) else "ring"


def read_ep_kind(text: str, software: str) -> str:
    """Return how tokens reached their experts: once for each node where DeepEP, HybridEP or DeepSeek's own kernels did it.

    The dispatchers that frameworks bring along are an all_to_all of every copy.

    >>> read_ep_kind("DeepEP; cuda_graph=None", "megatron-bridge-26.04")
    'deduplicated'
    """
    found = software.startswith("hai-llm") or re.search(r"\bdeepep\b|\bhybridep\b", text.lower())
    return "deduplicated" if found else "all_to_all"
