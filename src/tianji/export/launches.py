"""A Megatron or MindSpeed launch script as a job and a strategy: the way back from :mod:`tianji.export.megatron`."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from tianji.errors import FormatError
from tianji.export.launch_models import read_model
from tianji.export.launch_options import Options, read_options
from tianji.export.launch_strategies import read_strategy_options
from tianji.export.megatron_precision import MOMENTS
from tianji.parallel.strategy import Strategy
from tianji.workload import Job, Precision, find_precision


@dataclass(frozen=True, slots=True)
class Launch:
    """What a script starts. ``told`` says what was assumed where it is silent, ``ignored`` which options were not needed."""

    job: Job
    strategy: Strategy
    chips: int
    node: int
    """Processes on each node; 0 where the script does not say."""
    engine: str
    told: tuple[str, ...]
    ignored: tuple[str, ...]


def read_launch(path: str | os.PathLike[str], chips: int | None = None) -> Launch:
    """Return the job and the strategy of a launch script; ``chips`` counts where the script does not say how many.

    Raises FormatError for what cannot be read, naming the option that is missing or wrong.
    """
    options = read_options(str(path))
    told: list[str] = []
    name = Path(path).stem or "model"
    engine = "mindspeed" if is_mindspeed(options) else "megatron"
    model = read_model(options, name, told)
    node, world = _count_chips(options, chips)
    strategy = read_strategy_options(options, model, world, engine, told)
    batch = options.count("--global-batch-size", strategy.dp * strategy.micro_batch_size)
    if not options.has("--global-batch-size"):
        told.append(f"--global-batch-size: {batch:,}, one micro-batch on each replica, the engine's default")
    seq_len = options.count("--seq-length")
    job = Job(model, seq_len, batch, _read_precision(options), _count_tokens(options, batch, seq_len))
    contested = sorted(options.contested)
    if contested:
        told.append(f"branches of the script set {', '.join(contested[:6])}: the last value counts")
    return Launch(job, strategy, strategy.chips, node, engine, tuple(told), options.ignored)


def is_mindspeed(options: Options) -> bool:
    """Return whether a script's options or variables are MindSpeed's."""
    own = ("--use-ascend-mc2", "--use-ascend-coc", "--context-parallel-algo", "--use-fused-rmsnorm", "--swap-optimizer")
    more = ("--moe-fb-overlap", "--num-layer-list", "--tokenizer-name-or-path", "--moe-tp-extend-ep", "--noop-layers")
    return any(n in options.values for n in (*own, *more, "--use-fused-swiglu", "variable NPUS_PER_NODE"))


def _count_chips(options: Options, chips: int | None) -> tuple[int, int]:
    node = _first_count(options, "--nproc-per-node", "variable GPUS_PER_NODE", "variable NPUS_PER_NODE")
    nodes = _first_count(options, "--nnodes", "variable NNODES", "variable NUM_NODES")
    if chips is not None:
        return node, chips
    if node and nodes:
        return node, node * nodes
    missing = "--nproc-per-node" if not node else "--nnodes"
    raise FormatError(
        f"{options.where}: the option {missing} is missing or hangs on the environment, so the number of chips is unknown;"
        " give it with --chips N"
    )


def _first_count(options: Options, *names: str) -> int:
    for name in names:
        text = options.text(name)
        if text is not None and text.isascii() and text.isdigit() and int(text[:9]) > 0:
            return int(text[:9])
    return 0


def _count_tokens(options: Options, batch: int, seq_len: int) -> float:
    for name, size in (("--train-iters", batch * seq_len), ("--train-samples", seq_len)):
        text = options.text(name)
        if text is not None and text.isascii() and text.isdigit():
            return float(int(text[:15]) * size)
    return 0.0


def _read_precision(options: Options) -> Precision:
    fp8, fp4 = options.text("--fp8-format"), options.text("--fp4-format")
    recipe = options.text("--fp8-recipe", "delayed")
    is_half = options.has("--fp16")
    narrow = options.has("--bf16") or is_half
    options.has("--fp4-recipe")
    if fp4:
        found = find_precision("fp4")
    elif fp8 and recipe == "mxfp8":
        found = find_precision("mxfp8")
    elif fp8:
        found = find_precision("fp8")
        if recipe == "blockwise":
            found = replace(found, name="fp8-block", block_scaled=True)
    else:
        found = find_precision("fp16" if is_half else "bf16" if narrow else "fp32")
    keeps_full = options.has("--accumulate-allreduce-grads-in-fp32")
    if options.has("--grad-reduce-in-bf16") or (found.linear == "fp16" and not keeps_full):
        found = replace(found, gradient_size=2.0, gradient_wire=2.0)
    moment = options.text("--exp-avg-dtype", "fp32")
    options.has("--exp-avg-sq-dtype", "--use-precision-aware-optimizer")
    sizes = {dtype: size for size, dtype in MOMENTS.items()}
    if moment != "fp32" and moment in sizes and found.linear != "fp32":
        found = replace(found, optimizer_size=sizes[moment])
    return found
