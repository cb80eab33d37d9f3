"""What each stage holds by the options of a launch, as Megatron-LM and MindSpeed deal layers out.

Read in ``transformer_block.get_num_layers_to_build`` and ``pipeline_parallel_layer_layout`` of NVIDIA/Megatron-LM d98e8a64 and in
``num_layer_list.py`` and ``noop_layers.py`` of MindSpeed-LLM c77308a1 (August 2026).
"""

from __future__ import annotations

import re
from dataclasses import replace

from tianji.errors import FormatError
from tianji.exporters.launch_reader.options import Options
from tianji.parallel.schedules import SCHEDULES
from tianji.parallel.stages import Stages, read_stages
from tianji.parallel.strategy import Strategy
from tianji.perf.holdings import stages_of
from tianji.workload import Model

LAYOUT = "--pipeline-model-parallel-layout"


def name_stages(model: Model, strategy: Strategy, stages: Stages | None) -> Strategy:
    """Return a strategy with the stages of a launch; none are named where they are as they are dealt out here."""
    if stages is None or strategy.pp == 1:
        return strategy
    whole = stages.complete(model.num_mtp_layers)
    is_dealt = len(whole.layers) <= model.num_layers and whole == stages_of(model, strategy)
    return strategy if is_dealt else replace(strategy, stages=str(whole))


def read_layout_option(options: Options) -> Stages | None:
    """Return the stages that a launch names letter by letter."""
    text = options.text(LAYOUT)
    return None if text is None else read_stages(text.strip("'\""), f"{options.where}: {LAYOUT}")


def read_stage_options(options: Options, model: Model, strategy: Strategy) -> Stages | None:
    """Return the stages of a launch; None where the framework refuses the layers, or deals them by a pattern."""
    named, empty = read_layout_option(options), _read_empty(options)
    total = model.num_layers + len(empty)
    sizes = _read_list(options, strategy.pp, total) or (
        _read_ends(options, strategy, total) if strategy.pp > 1 else None
    )
    if named is not None or strategy.pp == 1:
        return named
    if options.has("--hybrid-layer-pattern", "--hybrid-override-pattern"):
        return None
    sizes = sizes or _read_even(options, strategy, total)
    if sizes is None or sum(sizes) != total or min(sizes) < 0:
        return None
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    return Stages(tuple(n - sum(end - n <= layer < end for layer in empty) for n, end in zip(sizes, ends, strict=True)))


def _read_empty(options: Options) -> set[int]:
    """Return the numbers, from 0, of layers that compute nothing."""
    words = re.split(r"[,\s]+", options.text("--noop-layers") or "")
    return {int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 6}


def _read_list(options: Options, pp: int, total: int) -> list[int] | None:
    """Return the layers of each stage that MindSpeed's list names, ``total`` in all."""
    text = options.text("--num-layer-list")
    if text is None:
        return None
    where = f"{options.where}: --num-layer-list"
    sizes = list(read_stages(text.strip("'\""), where).layers)
    if len(sizes) != pp:
        raise FormatError(f"{where} {text[:60]} names {len(sizes)} stages; the pipeline has {pp}")
    if sum(sizes) != total:
        raise FormatError(
            f"{where} {text[:60]} names {sum(sizes)} layers, which MindSpeed builds; the model has {total}"
        )
    return sizes


def _read_ends(options: Options, strategy: Strategy, total: int) -> list[int] | None:
    """Return the chunks where the first or the last stage has a number of layers of its own; the others share the rest evenly."""
    ends = [
        options.count(f"--decoder-{end}-pipeline-num-layers", 0, least=0) if options.has(name) else None
        for end, name in ((end, f"--decoder-{end}-pipeline-num-layers") for end in ("first", "last"))
    ]
    first, last = ends
    if (first, last) == (None, None):
        return None
    ranks = strategy.pp - sum(end is not None for end in ends)
    middle, rest = divmod(total - (first or 0) - (last or 0), max(ranks, 1))
    if rest or middle < 0:
        raise FormatError(
            f"{options.where}: {total} layers with {first or 'as many as others'} on the first and"
            f" {last or 'as many as others'} on the last of {strategy.pp} stages leave no even share for the others"
        )
    sizes = [*([] if first is None else [first]), *[middle] * ranks, *([] if last is None else [last])]
    return _cut_ranks(sizes, strategy.vpp)


def _cut_ranks(sizes: list[int], vpp: int) -> list[int] | None:
    """Return the chunks of ranks that hold so many layers each, all chunks of a rank alike."""
    return None if any(n % vpp for n in sizes) else [n // vpp for _ in range(vpp) for n in sizes]


def _read_even(options: Options, strategy: Strategy, total: int) -> list[int] | None:
    """Return the chunks of an even division, in which embedding and loss may count as a layer each."""
    chunks = SCHEDULES[strategy.schedule].num_chunks(strategy.pp, strategy.vpp)
    embedding = int(options.has("--account-for-embedding-in-pipeline-split"))
    loss = int(options.has("--account-for-loss-in-pipeline-split"))
    each, rest = divmod(total + embedding + loss, chunks)
    if rest:
        return None
    sizes = [each] * chunks
    sizes[0] -= embedding
    sizes[-1] -= loss
    return sizes
