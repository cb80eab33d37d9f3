"""A table of measured training runs, read into rows that can be predicted.

The columns are those of the published measurements that come with Tianji (``catalog/data/measurements``). A row that lacks
what a prediction needs, or that describes what the model does not know, is skipped with the reason.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tianji.catalog import load_chip
from tianji.catalog.architectures import model_from_row
from tianji.errors import FormatError, InputError
from tianji.hardware import Chip, Pool
from tianji.measurements.cells import Cells, read_cells
from tianji.measurements.layouts import (
    read_cp_kind,
    read_ep_kind,
    read_overlap,
    read_recompute,
    read_schedule,
    read_sharding,
)
from tianji.measurements.machines import find_machine
from tianji.measurements.recipes import find_family, read_precision, read_software, state_switches, uses_flash_attention
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.units import GIB, KB, MIB, Bytes, Seconds
from tianji.workload import Job, Model, Precision

SIZES = (
    "layers", "hidden", "ffn", "heads", "kv_heads", "head_dim", "vocab", "n_experts", "top_k", "moe_ffn",
)  # fmt: skip
"""Columns of the model that hold a whole number or nothing."""

SCHEDULES = ("dualpipe", "gpipe", "afab", "zb", "zero-bubble")
"""Words that the column of chunks may hold in place of a number."""

NATURAL_IMBALANCE = 1.12
"""Load of the busiest expert rank over the mean when the router decides: natural routing is 4 to 20 % slower than forced
balance in the publications that have both."""

TAGS: tuple[tuple[str, str], ...] = (
    ("proxy", r"\bproxy\b"),
    ("no-overlap", r"no gradient bucketing overlap|no dp overlap|grad/param overlap off|none in script|none stated"),
    ("async-tp", r"async tp"),
    ("launch-blocking", r"cuda_launch_blocking=1"),
    ("deepep", r"\bdeepep\b"),
    ("hybridep", r"\bhybridep\b"),
    ("cuda-graph", r"cuda_graph=(?!none|full_iteration|local scope=full_iteration)"),
    ("full-graph", r"cuda_graph=(?:local scope=)?full_iteration"),
    ("known-regression", r"known regression"),
    ("token-drop", r"token[- ]drop \(|capacity factor"),
    ("natural-routing", r"natural routing|router (aux_loss|group_limited_greedy)"),
    ("activation-offload", r"activation offload|swap-attention"),
    ("eager", r"torch\.compile=false"),
    ("compiled", r"torch\.compile(?!=false)"),
    ("muon", r"\bmuon\b"),
    ("packed", r"\bpacked\b|pack_sample_into_one=true"),
    ("rowwise", r"\browwise\b"),
    ("legacy", r"\(legacy\)"),
    ("mlperf", r"\bmlperf"),
)
"""What sets a row apart and no field of a job or strategy holds, with the pattern that tells it in the row's texts."""


MODES = (
    "launch-blocking", "deepep", "hybridep", "cuda-graph", "full-graph", "known-regression", "token-drop", "natural-routing",
    "activation-offload", "eager", "compiled", "legacy", "rowwise",
)  # fmt: skip
"""Tags that are modes of running the same software: a calibration may hold an effect on time for each."""


def find_traits(software: str, tags: tuple[str, ...], model: str = "", chip: str = "") -> tuple[str, ...]:
    """Return the traits of a software generation: family, release (where it has one), modes, recipe and port.

    The recipe is how well the family runs one mixture of experts (dense models need none), the port how well it runs on one
    generation of chips.

    >>> find_traits("megatron-bridge-26.04", ("deepep", "packed"), "deepseek_v3", "b200")
    ('megatron-bridge', 'megatron-bridge-26.04', 'deepep', 'megatron-bridge/deepseek_v3', 'megatron-bridge@b200')
    """
    family = find_family(software)
    release = () if software == family else (software,)
    recipe = (f"{family}/{model}",) if model else ()
    port = (f"{family}@{chip}",) if chip else ()
    return (family, *release, *(tag for tag in tags if tag in MODES), *recipe, *port)


def find_generation(chip: Chip) -> str:
    """Return the name of a chip's generation: that of the relative at the end of its line."""
    return _find_root(chip.relative) if chip.relative else chip.name


@lru_cache(maxsize=256)
def _find_root(name: str) -> str:
    chip = load_chip(name)
    return _find_root(chip.relative) if chip.relative and chip.relative != name else name


@dataclass(frozen=True, slots=True)
class Row:
    """One measured run as a job on a pool under a strategy, with what was measured."""

    id: str
    split: str
    """``fit`` rows may set constants, ``check`` rows only report; empty in a user's own table."""
    quality: str
    source: str
    framework: str
    software: str
    chip_text: str
    arch_key: str
    task: str
    job: Job
    pool: Pool
    strategy: Strategy
    measured_step_time: Seconds
    measured_memory: Bytes | None = None
    tags: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan:
        """The run as a plan."""
        return Plan(self.job, self.pool, self.strategy)

    @property
    def traits(self) -> tuple[str, ...]:
        """Traits of the software that ran: its framework, its release, modes of running it, its recipe and its port."""
        model = self.arch_key if self.job.model.moe else ""
        return find_traits(self.software, self.tags, model, find_generation(self.pool.chip))


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that cannot be predicted, and why."""

    id: str
    reason: str
    split: str = ""
    quality: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a table, and those that were left out."""

    rows: tuple[Row, ...]
    skipped: tuple[Skipped, ...]

    def reasons(self) -> Counter[str]:
        """Return how many rows were skipped for each reason."""
        return Counter(skip.reason for skip in self.skipped)


def read_table(path: str | os.PathLike[str]) -> Table:
    """Return the rows of a table of measured runs.

    Raises FormatError when the file is no table of comma-separated values with named columns. A row that cannot be used
    never raises: it is skipped with the reason.
    """
    rows: list[Row] = []
    skipped: list[Skipped] = []
    seen: set[str] = set()
    for cells in read_cells(Path(path)):
        name = cells.text("id") or f"line {cells.line}"
        try:
            if name in seen:
                raise FormatError("id: another row has the same")
            rows.append(read_row(cells, name))
        except InputError as error:
            reason = str(error).removeprefix("row ?: ")
            skipped.append(Skipped(name, reason, cells.text("split"), cells.text("quality")))
        seen.add(name)
    return Table(tuple(rows), tuple(skipped))


def read_row(cells: Cells, name: str) -> Row:
    """Return one row.

    Raises an InputError that says what is missing, unknown or contradictory.
    """
    task = cells.text("task") or "pretrain"
    if task == "lora":
        raise FormatError("task: LoRA is not modelled; its frozen weights need no gradients")
    software = read_software(cells.text("framework"), cells.text("source"), cells.text("notes"))
    cells = _state_switches(cells)
    model = _read_model(cells)
    pool = _read_pool(cells)
    precision = read_precision(cells.require("precision"), software, cells.text("notes"))
    strategy, assumed = _read_strategy(cells, model, pool, precision, software)
    job = _read_job(cells, model, strategy, precision, assumed)
    return Row(
        id=name,
        split=cells.text("split"),
        quality=cells.text("quality"),
        source=cells.text("source"),
        framework=cells.text("framework"),
        software=software,
        chip_text=cells.text("chip"),
        arch_key=cells.text("arch_key"),
        task=task,
        job=job,
        pool=pool,
        strategy=strategy,
        measured_step_time=_read_step_time(cells, job, pool),
        measured_memory=_read_memory(cells, software),
        tags=_read_tags(cells),
    )


def _state_switches(cells: Cells) -> Cells:
    overlap, notes = state_switches(cells.text("overlap"), cells.text("notes"))
    return Cells({**cells.row, "overlap": overlap, "notes": notes}, cells.line)


def _read_model(cells: Cells) -> Model:
    for column in SIZES:
        cells.count(column, default=1)
    stated: Mapping[str, str] = {column: cells.text(column) for column in cells.row} | {"id": ""}
    return model_from_row(stated)


def _read_pool(cells: Cells) -> Pool:
    chips = cells.count("n_chips")
    per_node = cells.count("chips_per_node", default=1) if cells.text("chips_per_node") else 0
    return find_machine(cells.require("chip"), per_node, cells.text("interconnect_scale_out")).with_chips(chips)


def _read_strategy(
    cells: Cells, model: Model, pool: Pool, precision: Precision, software: str
) -> tuple[Strategy, tuple[str, ...]]:
    assumed: list[str] = []
    notes, overlaps = cells.text("notes"), cells.text("overlap")
    tp, pp = cells.count("tp"), cells.count("pp")
    cp, ep = cells.count("cp", default=1), cells.count("ep", default=1)
    inner = tp * pp * cp
    if pool.chips % inner:
        raise FormatError(f"tp·pp·cp = {tp}·{pp}·{cp} does not divide n_chips")
    dp = pool.chips // inner
    if cells.text("dp") and cells.count("dp") != dp:
        raise FormatError("dp is not n_chips/(tp·pp·cp)")
    if pp > model.num_layers:
        raise FormatError(f"pp={pp} for only {model.num_layers} layers")
    if not overlaps:
        assumed.append("overlap")
    named = cells.text("vp").lower() in SCHEDULES
    chunks = 1 if named else cells.count("vp", default=1)
    schedule, vpp = read_schedule(cells.text("vp") if named else "", overlaps, pp, chunks)
    sharding = read_sharding(cells.text("fsdp_zero"), dp * cp, pool.node)
    fused = uses_flash_attention(cells.text("framework"), cells.text("source"), notes)
    layers = model.num_layers / pp
    recompute = read_recompute(cells.text("recompute"), model, cells.count("seq_len"), layers, layers / vpp, fused)
    overlap = read_overlap(overlaps, software, notes, precision.linear)
    return Strategy(
        tp=tp, pp=pp, vpp=vpp, cp=cp, ep=ep, dp=dp,
        etp=_read_etp(cells, model, tp, software, assumed),
        micro_batch_size=cells.count("micro_batch_size"),
        zero=_read_zero(cells, sharding.zero, dp, software), zero_group=sharding.group, offload_optimizer=sharding.offload,
        sequence_parallel=_read_sequence_parallel(cells, tp, assumed),
        recompute=recompute.kind, recompute_layers=recompute.share,
        schedule=schedule,
        cp_kind=read_cp_kind(overlaps, software, notes),
        ep_kind=read_ep_kind(f"{overlaps} {notes}", software), weight_gather=overlap.gather,
        overlap_dp=overlap.dp, overlap_tp=overlap.tp, overlap_pp=overlap.pp, overlap_ep=overlap.ep,
        flash_attention=fused, placement="dp-inside",
    ), tuple(assumed)  # fmt: skip


def _read_zero(cells: Cells, zero: int, dp: int, software: str) -> int:
    """MindSpore's optimizer parallelism scatters gradients as they come, so with one micro-batch none is kept whole."""
    single = cells.count("global_batch_size") == dp * cells.count("micro_batch_size")
    return 2 if zero == 1 and single and software.startswith("mindformers") else zero


def _read_etp(cells: Cells, model: Model, tp: int, software: str, assumed: list[str]) -> int:
    """An expert is cut over the tensor ranks unless told otherwise in Megatron's family and in MindFormers."""
    if model.moe is None:
        return 1
    if cells.text("etp"):
        return cells.count("etp")
    if tp > 1:
        assumed.append("etp")
    return 1 if software.startswith(("torchtitan", "automodel", "maxtext", "hai-llm", "xtuner")) else tp


def _read_sequence_parallel(cells: Cells, tp: int, assumed: list[str]) -> bool:
    """Every recipe with tensor parallelism since Korthikanti et al. 2022 has it, so it is on where nothing is stated."""
    stated = cells.switch("sequence_parallel")
    if stated is None and tp > 1:
        assumed.append("sequence_parallel")
    return True if stated is None else stated


def _read_job(cells: Cells, model: Model, strategy: Strategy, precision: Precision, assumed: tuple[str, ...]) -> Job:
    batch = cells.count("global_batch_size")
    if batch % (strategy.dp * strategy.micro_batch_size):
        raise FormatError("global_batch_size does not divide by dp·micro_batch_size")
    if model.moe and (strategy.tp * strategy.cp * strategy.dp) % (strategy.ep * strategy.etp):
        raise FormatError("ep·etp does not divide tp·cp·dp")
    # Experts that are not spread over ranks leave nothing to balance.
    natural = model.moe is not None and strategy.ep > 1 and "natural-routing" in _read_tags(cells)
    return Job(
        model=model,
        seq_len=cells.count("seq_len"),
        global_batch_size=batch,
        precision=precision,
        moe_imbalance=NATURAL_IMBALANCE if natural else 1.0,
        assumed=assumed,
    )


def _read_step_time(cells: Cells, job: Job, pool: Pool) -> Seconds:
    """Return seconds of a step, as printed or from tokens a second; a printed MFU has too many conventions to be one."""
    step = cells.number("step_time_s")
    if step is not None:
        return step
    rate = cells.number("tokens_per_s_per_chip")
    if rate is None:
        raise FormatError("neither step_time_s nor tokens_per_s_per_chip is stated")
    return job.tokens_per_step / (rate * pool.chips)


def _read_memory(cells: Cells, software: str) -> Bytes | None:
    """Return bytes on the fullest chip.

    Allocators print GiB (torchtitan, SimuMax, nanotron, FlagPerf, Colossal-AI). BLOOM's chronicles give the GB that somebody
    read off nvidia-smi, which prints MiB: thousands of MiB. That lies between GB and GiB, within 2.4 % and 4.9 % of them.
    """
    stated = cells.number("memory_gb_per_chip")
    if stated is None:
        return None
    return stated * (KB * MIB if software == "bigscience" else GIB)


def _read_tags(cells: Cells) -> tuple[str, ...]:
    texts = " | ".join(
        cells.text(column) for column in ("framework", "source", "overlap", "precision", "notes")
    ).lower()
    found = [tag for tag, pattern in TAGS if re.search(pattern, texts)]
    return (*found, "sft") if cells.text("task") == "sft" else tuple(found)
