"""Options that several commands share: the job, the pool, the strategy, the calibration, JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tianji.parallel.strategy import CHOICES, DEGREES, FIELDS, SHARES, Strategy

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout, nothing else.")


def add_options(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Return what puts options on a command, in their order."""

    def put_on(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return put_on


def workers_option(command: F) -> F:
    """Add ``--workers``, where a sweep is worked out, and refuse its old name, which now only launches."""
    command = click.option(
        "--workers", default="local", show_default=True, metavar="NAME",
        help="Where the sweep is worked out: local, or ray (all CPUs of the pool that is up or of RAY_ADDRESS).",
    )(command)  # fmt: skip
    return click.option("--engine", hidden=True, expose_value=False, callback=_refuse_engine, help="Now --workers.")(
        command
    )


def _refuse_engine(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        from tianji.errors import FormatError

        raise FormatError(
            f"--engine launches workers of a run (tianji run, tianji operate); a sweep takes --workers: write --workers {value}"
        )


calibration_option = click.option(
    "--calibration", default="default", show_default=True, metavar="NAME|FILE",
    help="Corrections to datasheet figures: a name of the catalog or a TOML file; none is pure datasheet physics.",
)  # fmt: skip

job_options = add_options(
    click.option("--chips", metavar="N", help="Chips of the pool to use.  [default: the pool's own count]"),
    click.option("--batch", metavar="N", help="Global batch, in sequences.  [default: as in the published run]"),
    click.option("--seq", metavar="N", help="Tokens of one sequence.  [default: as in the published run]"),
    click.option("--tokens", metavar="COUNT", help='Tokens of the whole run, like 15T: gives the days.'),
    click.option("--precision", metavar="NAME",
                 help="Number formats of the run: bf16, fp16, fp32, fp8, mxfp8 or fp4.  [default: as in the published run,"
                      " on chips that have it; else bf16]"),
    click.option("--optimizer-dtype", metavar="NAME",
                 help="Dtype of the optimizer's moments: fp32, bf16, fp16 or fp8.  [default: fp32]"),
    click.option("--moe-imbalance", metavar="X",
                 help="Load of the busiest expert rank over the mean; 1 is perfect balance.  [default: 1]"),
    calibration_option,
)  # fmt: skip
"""Adds the options that make a model on a pool a job."""
format_options = add_options(
    click.option("--optimizer", metavar="NAME",
                 help="adamw, adamw-8bit, lion, sgd, muon or adafactor.  [default: adamw]"),
    click.option("--main-weights", metavar="fp32|reused|none",
                 help="Master weights: of their own, their upper half reused as bf16 weights, or none (pure bf16)."),
    click.option("--gradient-dtype", metavar="fp32|bf16|both",
                 help="Gradients that are kept; both: bf16 beside an fp32 sum (DeepSpeed).  [default: fp32]"),
    click.option("--loss-kernel", metavar="NAME",
                 help="Cross entropy: plain, torch, fused, in-place, compiled or chunked.  [default: plain]"),
)  # fmt: skip
"""Adds the options of what a run keeps in which format."""

task_options = add_options(
    click.option("--task", metavar="NAME",
                 help="What is trained: pretrain, sft, lora, qlora, reward, embedding or distill.  [default: pretrain]"),
    click.option("--lora-rank", metavar="R", help="Rank of the adapters of --task lora or qlora.  [default: 16]"),
    click.option("--lora-targets", metavar="NAMES",
                 help="Matrices with adapters, joined by commas: qkv, proj, mlp, experts or all.  [default: all]"),
    click.option("--teacher", metavar="MODEL", help="The frozen model that --task distill learns from."),
    click.option("--lengths", metavar="TOKENS|FILE",
                 help="Samples packed into each sequence: 2048, 512:0.7,4096:0.3, or a file of lengths.  [default: one]"),
)  # fmt: skip
"""Adds the options that say what is trained of the model, and on which samples."""


def _software_options(*spellings: str) -> Callable[[F], F]:
    """Return what adds the options of the software; ``spellings`` are those of the option that sets switches."""
    return add_options(
        click.option(
            "--software", multiple=True, metavar="[CHIP=]NAME[@RELEASE]",
            help="What runs the job, like megatron-bridge@26.08 or in-house; for some of the pools as CHIP=NAME, with a chip or"
            " an ecosystem.  [default: the newest that is known of the chip's ecosystem]",
        ),
        click.option(
            *spellings, multiple=True, metavar="SWITCH,...",
            help="Switches that the software has on, like full-graph,hybridep or tp-overlap=none; `tianji browse software`"
            " lists them.",
        ),
        click.option("--without", multiple=True, metavar="SWITCH,...", help="Switches that the software has off."),
    )  # fmt: skip


software_options = _software_options("--with", "with_")
"""Adds the options of the software that runs."""
replaced_software_options = _software_options("--switch", "switch")
"""The same for a command whose ``--with`` is a pool."""


# --- failures -------------------------------------------------------------------------------------------------
loss_options = add_options(
    click.option("--loss", default="job", show_default=True, metavar="job|replica",
                 help="What a failure stops: the whole job, or one data-parallel replica."),
    click.option("--replica-chips", metavar="N",
                 help="Chips of one replica that fails alone, at least a copy of the model.  [default: a pod]"),
)  # fmt: skip
"""Adds the options of what a failure stops."""


# --- strategies -----------------------------------------------------------------------------------------------
_HELP = {
    "tp": "Tensor parallel degree.",
    "pp": "Pipeline stages.",
    "vpp": "Model chunks of each pipeline rank; above 1 means interleaving.",
    "cp": "Context parallel degree.",
    "ep": "Expert parallel degree, over ranks of tp·cp·dp.",
    "etp": "Expert tensor parallel degree.",
    "dp": "Data parallel replicas.  [default: what tp·pp·cp leave of the chips]",
    "micro_batch_size": "Sequences of one micro-batch.",
    "zero": "What data-parallel ranks share out: 0 nothing, 1 optimizer state, 2 gradients too, 3 weights too.",
    "zero_group": "Ranks of one sharding group (HSDP); 0: all of them.",
    "zero_kind": "What ZeRO gathers at once: layers (FSDP), matrices (XLA), buckets (DeepSpeed), modules (its looped experts).",
    "sequence_parallel": "Cut the activations between the matmuls too.",
    "recompute": "Activations computed again in the backward pass.",
    "recompute_layers": "Fraction of the layers that are recomputed.",
    "recompute_modules": "Under selective: these modules and no others, like core_attn+moe_act.",
    "schedule": "Pipeline schedule.",
    "stages": "Layers of each stage or chunk: 3,4,4,3, or Megatron's layout, like 'Et*3|(t*4|)*2t*3L'.",
    "cp_kind": "How attention is cut under context parallelism.",
    "overlap_dp": "Hide data-parallel communication.",
    "ep_kind": "How tokens reach their experts.",
    "weight_gather": "How updated weights reach all ranks (ZeRO-1 and 2).",
    "overlap_tp": "Hide tensor-parallel communication behind split matmuls.",
    "overlap_pp": "Hide pipeline sends.",
    "overlap_ep": "Hide expert dispatch behind another micro-batch.",
    "flash_attention": "Fused attention that never stores the scores.",
    "offload_optimizer": "Fraction of the optimizer's state in host memory; without X all of it.",
    "offload_activations": "Fraction of the layers whose kept activations wait in host memory; without X all.",
    "offload_weights": "Under ZeRO-3 keep shards of weights, gradients and optimizer in host memory.",
    "offload_overlap": "Copies of an offloaded optimizer run beside its update.",
    "offload_update": "Who updates offloaded state: the host's processors, or the chip by swapping.",
    "placement": "Which axis lies next to the tensor axis.",
}


OFFLOADED = ("offload_optimizer", "offload_activations")
"""Options whose bare name means all of it."""


def strategy_options(command: F) -> F:
    """Add one option for each field of a strategy, from the same table that the files are read by."""
    defaults = Strategy()
    for name in reversed(FIELDS):
        dashed = name.replace("_", "-")
        if isinstance(getattr(defaults, name), bool):
            option = click.option(f"--{dashed}/--no-{dashed}", default=None, help=_HELP[name])
        else:
            kinds = {**dict.fromkeys(SHARES, "X"), "recompute_modules": "NAMES", "stages": "LAYOUT"}
            words = "|".join(CHOICES[name]) if name in CHOICES else kinds.get(name, "N")
            whole: dict[str, Any] = {"is_flag": False, "flag_value": "on"} if name in OFFLOADED else {}
            option = click.option(f"--{dashed}", metavar=words, help=_HELP[name], **whole)
        command = option(command)
    return command


assert set(_HELP) == set(FIELDS), "every strategy field is an option"
assert set(DEGREES) <= set(FIELDS)
