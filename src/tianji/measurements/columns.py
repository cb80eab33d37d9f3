"""The columns of a table of measured runs: names, types, units and allowed words.

Everything that reads a cell asks here what may stand in it, and ``tianji validate --columns`` shows the same list.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches

from tianji.hardware.software import SWITCHES
from tianji.parallel.schedules import SCHEDULES
from tianji.parallel.strategy import CP_KINDS, EP_KINDS, OFFLOAD_UPDATES, RECOMPUTE, WEIGHT_GATHERS, ZERO_KINDS
from tianji.workload.precision import ALIASES, PRECISIONS
from tianji.workload.task import TARGETS

MODULES = (
    "core_attn", "mla_up_proj", "qkv", "out_proj", "mlpwo", "mlp", "moe", "layernorm", "moe_act",
)  # fmt: skip
"""Modules whose outputs can be recomputed. The last two are memory-bound."""

NARROW = ("fp4", "fp8", "mxfp8")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it is called, what may stand in a cell, and what the cell means."""

    name: str
    type: str
    """``text``, ``name``, ``count``, ``number``, ``fraction``, ``bandwidth``, ``switch``, ``word`` or ``words``."""
    meaning: str
    example: str = ""
    unit: str = ""
    words: tuple[str, ...] = ()
    """All that a ``word`` or one of some ``words`` may be."""
    empty: str = ""
    """What an empty cell means; "needed" where the row is skipped without it."""
    group: str = field(default="", compare=False)


TYPES = {
    "text": "any text",
    "name": "a name: letters, digits, dots, hyphens",
    "count": "a whole number from 1",
    "number": "a number above 0",
    "fraction": "a number above 0 and up to 1, or a fraction like 3/8",
    "bandwidth": "a number with its unit, like 400 Gbit/s or 50 GB/s",
    "switch": "true or false",
    "word": "one of the allowed words",
    "words": "some of the allowed words, with blanks between them",
}
"""What each type of cell holds, in words."""

_NEEDED = "needed"


def _group(title: str, *columns: Column) -> tuple[Column, ...]:
    return tuple(
        Column(c.name, c.type, c.meaning, c.example, c.unit, c.words, c.empty, title) for c in columns
    )  # fmt: skip


def _of_switch(name: str, meaning: str, example: str) -> Column:
    return Column(name, "word", meaning, example, words=SWITCHES[name], empty="as the framework's release does it")


RUN = _group(
    "The run",
    Column("id", "text", "Name of the row, once in a table", "run-1", empty="the number of its line"),
    Column("split", "text", "fit rows may set constants, check rows only report; --split names a word", "check",
           empty="may set constants"),
    Column("quality", "word", "A: all settings known; B: all but those of `missing`; C: a headline", "A", words=("A", "B", "C"),
           empty="counts as known"),
    Column("source", "text", "Who measured it; rows of one source share their habits", "our cluster, May"),
    Column("url", "text", "Where it was published"),
    Column("task", "word", "What was trained", "pretrain", words=("pretrain", "sft", "lora", "qlora"), empty="pretrain"),
    Column("lora_rank", "count", "Rank of the adapters", "16", empty="the framework's default"),
    Column("lora_targets", "words", "Matrices with adapters", "qkv proj", words=(*TARGETS, "all"),
           empty="the framework's default"),
)  # fmt: skip
MACHINE = _group(
    "The machine",
    Column("pool", "text", "A pool or a chip of the catalog; of a chip, its smallest pool", "hgx-h100", empty=_NEEDED),
    Column("n_chips", "count", "Chips of the run", "64", empty=_NEEDED),
    Column("chips_per_node", "count", "Chips of a node in use, where the pool has more", "8", empty="the pool's"),
    Column("scale_up", "bandwidth", "Link of one chip inside a node, one direction", "200 GB/s", empty="the pool's"),
    Column("scale_out", "bandwidth", "Link of one chip between nodes, one direction", "400 Gbit/s", empty="the pool's"),
)  # fmt: skip
SOFTWARE = _group(
    "The software",
    Column("framework", "name", "Training framework; its runs share effects on time", "megatron-lm", empty="not stated"),
    Column("release", "name", "Release of the framework", "0.8.0", empty="not stated"),
    _of_switch("launch", "How the host starts kernels", "full_graph"),
    _of_switch("dispatcher", "What moves tokens to experts", "deep_ep"),
    Column("dispatcher_sms", "count", "Streaming multiprocessors that it takes", "20", empty="not known"),
    _of_switch("ep_overlap", "What hides the dispatch", "one_f_one_b"),
    _of_switch("routing", "How tokens choose experts", "forced"),
    _of_switch("permute", "How tokens are sorted by expert", "fused"),
    _of_switch("experts", "How experts are multiplied", "grouped"),
    _of_switch("tp_overlap", "What splits matmuls beside tensor-parallel communication", "userbuffers"),
    _of_switch("matmul_library", "Whose kernels the matmuls are", "cublas"),
    _of_switch("attention_library", "Whose kernels attention is", "cudnn"),
    _of_switch("attention_dtype", "Format of attention's matmuls", "bf16"),
    _of_switch("head_dtype", "Format of the head's matmul", "bf16"),
    _of_switch("quantise", "How inputs of narrow matmuls are cast", "per_call"),
    _of_switch("loss", "Kernels of the cross entropy", "fused"),
    _of_switch("norms", "Kernels of norms and activations", "fused"),
    _of_switch("gradients", "How each micro-batch's gradients are put together", "fused"),
    _of_switch("update", "Kernels of the optimizer's update", "fused"),
    _of_switch("tp_gather", "Format in which tensor ranks gather inputs of narrow linear layers", "wide"),
    _of_switch("model_code", "Which of a framework's model codes ran", "mcore"),
    Column("optimizer", "word", "The optimizer", "adamw", words=("adamw", "muon", "lamb"), empty="not stated"),
    Column("offload", "words", "What moves to host memory", "activations", words=("activations", "optimizer", "weights"),
           empty="nothing"),
    Column("packed", "switch", "Short samples are packed into one sequence", "true", empty="not stated"),
    Column("proxy", "switch", "A truncated model stands for a larger one", "false", empty="not stated"),
    Column("regression", "switch", "The publisher calls this release's speed a known regression", "false", empty="not stated"),
)  # fmt: skip
MODEL = _group(
    "The model",
    Column("model", "text", "Name for people"),
    Column("arch_key", "text", "An architecture of the list below or a model of the catalog; the sizes override it", "llama3_8b",
           empty="the sizes below say all"),
    Column("params_total_b", "number", "Parameters, to choose between shapes", "8.03", "billion"),
    Column("layers", "count", "Layers", "32"),
    Column("hidden", "count", "Width", "4096"),
    Column("ffn", "count", "Width of a dense feed-forward layer", "14336"),
    Column("heads", "count", "Attention heads", "32"),
    Column("kv_heads", "count", "Heads of keys and values", "8", empty="as many as heads"),
    Column("head_dim", "count", "Width of a head", "128", empty="hidden over heads"),
    Column("vocab", "count", "Vocabulary", "128256"),
    Column("n_experts", "count", "Experts of a layer", "256", empty="a dense model"),
    Column("top_k", "count", "Experts that one token goes to", "8"),
    Column("moe_ffn", "count", "Width of an expert", "2048"),
    Column("shared_experts", "number", "Experts that all tokens go to", "1"),
    Column("mla", "text", "Whether attention is latent; the architecture gives its ranks", "True"),
)  # fmt: skip
JOB = _group(
    "The job",
    Column("seq_len", "count", "Tokens of a sequence", "8192", empty=_NEEDED),
    Column("global_batch_size", "count", "Sequences of a step", "512", empty=_NEEDED),
    Column("micro_batch_size", "count", "Sequences of a micro-batch on one replica", "1", empty=_NEEDED),
    Column("precision", "word", "Format of the linear layers", "bf16", words=(*PRECISIONS, *ALIASES), empty=_NEEDED),
    Column("scaling", "word", "What has a scale of its own in a narrow format", "block", words=SWITCHES["scaling"],
           empty="as the format has it"),
    Column("weight_gather_dtype", "word", "Format of weights on the wire", "fp8", words=("fp8",), empty="bf16"),
    Column("reduce_dtype", "word", "Format of gradients on the wire", "bf16", words=("bf16", "fp32"),
           empty="the framework's default"),
)  # fmt: skip
LAYOUT = _group(
    "The layout",
    Column("tp", "count", "Tensor parallel", "8", empty=_NEEDED),
    Column("pp", "count", "Pipeline parallel", "4", empty=_NEEDED),
    Column("vpp", "count", "Model chunks of a pipeline rank", "2", empty="1"),
    Column("cp", "count", "Context parallel", "2", empty="1"),
    Column("ep", "count", "Expert parallel", "8", empty="1"),
    Column("etp", "count", "Expert tensor parallel", "1", empty="tp, in some frameworks 1"),
    Column("dp", "count", "Data parallel; checked against n_chips/(tp·pp·cp)", "2"),
    Column("schedule", "word", "Pipeline schedule", "1f1b", words=tuple(SCHEDULES), empty="interleaved where vpp is above 1"),
    Column("stages", "text", "What each stage or chunk holds: layers, or a layout string of Megatron", "Et*3|(t*4|)*2t*3L",
           empty="dealt out evenly"),
    Column("zero", "word", "Sharded over data ranks: 0 nothing, 1 optimizer, 2 and gradients, 3 and weights", "1",
           words=("0", "1", "2", "3"), empty="needed where data or context ranks are more than one"),
    Column("zero_group", "count", "Ranks of one sharding group", "8", empty="all of them"),
    Column("zero_kind", "word", "What ZeRO gathers at once", "layers", words=ZERO_KINDS, empty="the framework's default"),
    Column("offload_num_layers", "count", "Layers of each model chunk whose activations move to host memory", "20",
           empty="all, where `offload` names them"),
    Column("offload_optimizer", "fraction", "Share of the optimizer's state in host memory", "1/2", empty="0"),
    Column("offload_update", "word", "Who updates offloaded state", "host", words=OFFLOAD_UPDATES, empty="host"),
    Column("offload_overlap", "switch", "Copies of an offloaded optimizer run beside its update", "true", empty="false"),
    Column("sequence_parallel", "switch", "Activations between matmuls are cut over tensor ranks", "true", empty="true"),
    Column("recompute", "word", "What the backward pass computes again", "full", words=RECOMPUTE, empty=_NEEDED),
    Column("recompute_share", "fraction", "Share of the layers that it applies to", "1/2", empty="1"),
    Column("recompute_num_layers", "count", "The same as layers of each model chunk (Megatron's option)", "4", empty="all"),
    Column("recompute_modules", "words", "The modules that are computed again, and nothing else", "core_attn", words=MODULES,
           empty="what `recompute` says"),
    Column("kept_modules", "words", "The modules that a full recomputation leaves out", "qkv out_proj", words=MODULES,
           empty="none"),
    Column("flash_attention", "switch", "Attention is one kernel that never stores the scores", "true",
           empty="the framework's default"),
    Column("cp_kind", "word", "How sequences are cut", "ring", words=CP_KINDS, empty="the framework's default"),
    Column("ep_kind", "word", "How tokens reach experts", "all_to_all", words=EP_KINDS, empty="as the dispatcher does it"),
    Column("weight_gather", "word", "When updated weights reach all ranks", "hidden", words=WEIGHT_GATHERS,
           empty="the framework's default"),
    Column("overlap_dp", "switch", "Gradients are reduced beside the backward pass", "true", empty="the framework's default"),
    Column("overlap_tp", "switch", "Tensor-parallel communication runs beside matmuls", "false", empty="false"),
    Column("overlap_pp", "switch", "Pipeline messages run beside computation", "true", empty="true"),
    Column("overlap_ep", "switch", "Expert dispatch and combine run beside other computation", "false", empty="false"),
)  # fmt: skip
MEASURED = _group(
    "What was measured",
    Column("step_time_s", "number", "Time of one step", "16.27", "s", empty="needed, or the tokens a second"),
    Column("tokens_per_s_per_chip", "number", "Tokens a second over chips", "1007", "tokens/s", empty="needed, or the step time"),
    Column("memory_gb_per_chip", "number", "Memory in use on the fullest chip", "61.5", "GiB", empty="not compared"),
    Column("model_tflops_per_chip", "number", "As printed; never compared", "408", "TFLOP/s"),
    Column("mfu", "number", "As printed; conventions differ, so it is never compared", "0.41"),
    Column("missing", "text", "What the publisher leaves out"),
    Column("notes", "text", "Anything else; never read"),
)  # fmt: skip
COLUMNS: dict[str, Column] = {c.name: c for c in (*RUN, *MACHINE, *SOFTWARE, *MODEL, *JOB, *LAYOUT, *MEASURED)}
"""Every column that is read or known, by name."""

AS_PUBLISHED = "as_published_"
"""Columns that begin so hold a publisher's own words; they are never read."""
NEEDED = ("id", "pool", "n_chips")
"""Columns without which a file is no table of measured runs."""


def suggest_columns(unknown: str) -> list[str]:
    """Return the names of columns that an unknown one may have meant."""
    return get_close_matches(unknown, COLUMNS, n=2, cutoff=0.75)
