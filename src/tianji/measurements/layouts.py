"""How a measured run was cut: the strategy of a row, every switch of it set here."""

from __future__ import annotations

from tianji.errors import FormatError
from tianji.hardware import Pool
from tianji.measurements.cells import Cells
from tianji.measurements.frameworks import Habits
from tianji.measurements.recomputation import read_recompute
from tianji.parallel.schedules import SCHEDULES
from tianji.parallel.software_fields import ONCE_A_RANK
from tianji.parallel.stages import fill_chunks
from tianji.parallel.strategy import ON_OFF, Strategy
from tianji.workload import Model

ONE_CHUNK = ("gpipe", "zero-bubble", "dualpipe", "dualpipev", "zbv")
"""Schedules that no interleaving is added to."""
OVERLAPS = ("overlap_dp", "overlap_tp", "overlap_pp", "overlap_ep", "weight_gather")


def read_strategy(
    cells: Cells, model: Model, pool: Pool, habits: Habits, dispatcher: str = ""
) -> tuple[Strategy, tuple[str, ...]]:
    """Return the strategy of a row, and which parts of it had to be assumed.

    What is empty is as the framework does it; no field is left to the defaults of a strategy.

    Raises FormatError for what is missing, and for degrees that contradict each other.
    """
    tp, pp, cp, dp = _read_degrees(cells, model, pool)
    schedule, vpp = read_schedule(cells, pp)
    zero, group = _read_sharding(cells, dp, dp * cp, habits)
    fused = _switch(cells, "flash_attention", habits.flash_attention)
    recompute = read_recompute(cells, model, model.num_layers / pp / vpp, fused)
    parts = cells.words("offload")
    strategy = Strategy(
        tp=tp, pp=pp, vpp=vpp, cp=cp, ep=cells.count("ep", default=1), etp=_read_etp(cells, model, tp, habits), dp=dp,
        micro_batch_size=cells.count("micro_batch_size"),
        zero=zero, zero_group=group, zero_kind=cells.word("zero_kind") or habits.zero_kind,
        offload_optimizer=_read_share(cells, parts),
        offload_activations=_read_offloaded(cells, parts, model.num_layers / pp / vpp),
        offload_weights="weights" in parts, offload_update=cells.word("offload_update") or "host",
        offload_overlap=_switch(cells, "offload_overlap", False),
        # Every recipe with tensor parallelism since Korthikanti et al. 2022 has it.
        sequence_parallel=_switch(cells, "sequence_parallel", True),
        recompute=recompute.kind, recompute_layers=recompute.share, recompute_modules=recompute.modules,
        schedule=schedule, stages=_read_stages(cells, model, pp, SCHEDULES[schedule].num_chunks(pp, vpp)),
        cp_kind=cells.word("cp_kind") or habits.cp_kind,
        ep_kind=_read_ep_kind(cells, habits, dispatcher),
        weight_gather=cells.word("weight_gather") or habits.weight_gather,
        overlap_dp=_switch(cells, "overlap_dp", habits.overlap_dp),
        overlap_tp=_switch(cells, "overlap_tp", False),
        overlap_pp=_switch(cells, "overlap_pp", True),
        overlap_ep=_switch(cells, "overlap_ep", False),
        flash_attention=fused, placement="dp-inside",
    )  # fmt: skip
    assumed = {
        "overlap": not any(cells.text(name) for name in OVERLAPS),
        "etp": model.moe is not None and tp > 1 and not cells.text("etp"),
        "sequence_parallel": tp > 1 and not cells.text("sequence_parallel"),
    }
    return strategy, tuple(name for name, is_assumed in assumed.items() if is_assumed)


def _read_share(cells: Cells, parts: tuple[str, ...]) -> float:
    """Return how much of the optimizer lives in host memory: the stated share, or all where it is among what moves there."""
    stated = cells.text("offload_optimizer").lower()
    return (
        float(ON_OFF[stated]) if stated in ON_OFF else cells.fraction("offload_optimizer", float("optimizer" in parts))
    )


def _read_stages(cells: Cells, model: Model, pp: int, chunks: int) -> str:
    """Return the stages of a pipeline: those that are stated, or those that more chunks than layers ask for."""
    return (cells.text("stages") or str(fill_chunks(model.num_layers, chunks) or "")) if pp > 1 else ""


def _read_offloaded(cells: Cells, parts: tuple[str, ...], chunk: float) -> float:
    """Return the share of a chunk's layers whose activations live in host memory."""
    if "activations" not in parts:
        return 0.0
    return min(1.0, cells.count("offload_num_layers") / chunk) if cells.text("offload_num_layers") else 1.0


def _switch(cells: Cells, column: str, default: bool) -> bool:
    stated = cells.switch(column)
    return default if stated is None else stated


def _read_degrees(cells: Cells, model: Model, pool: Pool) -> tuple[int, int, int, int]:
    tp, pp, cp = cells.count("tp"), cells.count("pp"), cells.count("cp", default=1)
    dp, rest = divmod(pool.chips, tp * pp * cp)
    if rest:
        raise FormatError(f"tp·pp·cp = {tp}·{pp}·{cp} does not divide n_chips")
    if cells.text("dp") and cells.count("dp") != dp:
        raise FormatError("dp is not n_chips/(tp·pp·cp)")
    if pp > model.num_layers:
        raise FormatError(f"pp={pp} for only {model.num_layers} layers")
    return tp, pp, cp, dp


def read_schedule(cells: Cells, pp: int) -> tuple[str, int]:
    """Return the pipeline schedule and the model chunks of each rank; without a pipeline there is nothing to interleave."""
    stated, chunks = cells.word("schedule"), cells.count("vpp", default=1)
    if pp == 1:
        return "1f1b", 1
    if stated in ONE_CHUNK:
        return stated, 1
    return ("interleaved", chunks) if chunks > 1 else ("1f1b", 1)


def _read_sharding(cells: Cells, dp: int, ranks: int, habits: Habits) -> tuple[int, int]:
    """Return the ZeRO level and the ranks of one group, 0 where all of them are in it."""
    if not cells.word("zero") and ranks > 1:
        raise FormatError("zero is not stated")
    zero = int(cells.word("zero") or "0")
    single = cells.count("global_batch_size") == dp * cells.count("micro_batch_size")
    if zero == 1 and single and habits.scatters_gradients:
        zero = 2
    group = cells.count("zero_group", default=ranks)
    return zero, 0 if group >= ranks else group


def _read_etp(cells: Cells, model: Model, tp: int, habits: Habits) -> int:
    if model.moe is None:
        return 1
    return cells.count("etp", default=tp if habits.cuts_experts else 1)


def _read_ep_kind(cells: Cells, habits: Habits, dispatcher: str) -> str:
    if stated := cells.word("ep_kind"):
        return stated
    return "deduplicated" if dispatcher in ONCE_A_RANK else habits.ep_kind
