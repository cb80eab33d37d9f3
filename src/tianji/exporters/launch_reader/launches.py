"""A launch script of Megatron's family as a job and a strategy: the way back from :mod:`tianji.exporters.megatron_family`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tianji.errors import FormatError
from tianji.exporters.frameworks.megatron import MEGATRON
from tianji.exporters.frameworks.mindspeed import MINDSPEED
from tianji.exporters.launch_reader.models import read_model
from tianji.exporters.launch_reader.options import Options, read_options
from tianji.exporters.launch_reader.precisions import read_precision
from tianji.exporters.launch_reader.strategies import read_strategy_options
from tianji.parallel.strategy import Strategy
from tianji.workload import Job

DIALECTS = {"megatron": MEGATRON, "mindspeed": MINDSPEED}


@dataclass(frozen=True, slots=True)
class Launch:
    """What a script starts. ``assumed`` says what was taken where it is silent, ``ignored`` which options were not needed."""

    job: Job
    strategy: Strategy
    chips: int
    node: int
    """Processes on each node; 0 where the script does not say."""
    framework: str
    assumed: tuple[str, ...]
    ignored: tuple[str, ...]


def read_launch(path: str | os.PathLike[str], chips: int | None = None) -> Launch:
    """Return the job and the strategy of a launch script; ``chips`` counts where the script does not say how many.

    Raises FormatError for what cannot be read, naming the option that is missing or wrong.
    """
    options = read_options(str(path))
    assumed: list[str] = []
    name = Path(path).stem or "model"
    framework = find_framework(options)
    model = read_model(options, name, assumed)
    node, world = _count_chips(options, chips)
    strategy = read_strategy_options(options, model, world, DIALECTS[framework], assumed)
    batch = options.count("--global-batch-size", strategy.dp * strategy.micro_batch_size)
    if not options.has("--global-batch-size"):
        assumed.append(f"--global-batch-size: {batch:,}, one micro-batch on each replica, the framework's default")
    seq_len = options.count("--seq-length")
    job = Job(model, seq_len, batch, read_precision(options), _count_tokens(options, batch, seq_len))
    contested = sorted(options.contested)
    if contested:
        assumed.append(f"branches of the script set {', '.join(contested[:6])}: the last value counts")
    return Launch(job, strategy, strategy.chips, node, framework, tuple(assumed), options.ignored)


def find_framework(options: Options) -> str:
    """Return whose script it is, by the options and variables that only one framework has; else Megatron-LM's."""
    marked = (name for name, dialect in DIALECTS.items() if any(mark in options.values for mark in dialect.marks))
    return next(marked, "megatron")


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
