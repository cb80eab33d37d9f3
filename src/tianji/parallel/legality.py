"""Which strategies are legal: every rule has its one home here, with its reason.

A rule is checked on a whole grid for the search, and on one strategy to explain a refusal. What only one pipeline schedule
demands stands in that schedule's file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from tianji.errors import IllegalStrategyError
from tianji.hardware import Pool
from tianji.identity import remember
from tianji.parallel.grid import Grid
from tianji.parallel.schedules import SCHEDULES, PipelineSchedule, ScheduleRule
from tianji.parallel.stages import fill_chunks, read_stages
from tianji.parallel.strategy import CHOICES, Strategy
from tianji.units import Array
from tianji.workload import Job
from tianji.workload.task import PRETRAIN


@dataclass(frozen=True, slots=True)
class Rule:
    """One condition: where it holds on a grid, and why, in words with the figures filled in."""

    name: str
    holds: Callable[[Grid, Job, Pool], Array]
    reason: Callable[[Strategy, Job, Pool], str]


def _divides(divisor: Array, value: Array | int) -> Array:
    divides: Array = np.equal(np.mod(value, divisor), 0)
    return divides


def _microbatches(g: Grid, job: Job) -> Array:
    count: Array = job.global_batch_size // np.maximum(g.dp * g.micro_batch_size, 1)
    return count


def _expert_width(job: Job) -> int:
    return job.model.moe.intermediate_size if job.model.moe else 1


def _num_experts(job: Job) -> int:
    return job.model.moe.num_experts if job.model.moe else 1


def _block_widths(job: Job) -> set[int]:
    """Return what a tensor cut must divide in layers of all kinds: heads, and widths of matrices that are cut."""
    widths: set[int] = set()
    for parts in job.model.block_parts:
        cut = [m.k if m.cut == "row" else m.n for m in parts.layer.matmuls if m.cut == "row"]
        widths |= {*parts.heads, *cut}
    return widths


def _block_groups(job: Job) -> set[int]:
    """Return the groups of heads in layers of all kinds: key-value heads, and inputs and outputs of Mamba-2."""
    return {groups for parts in job.model.block_parts for groups in parts.groups}


def _on_stages(g: Grid, holds: Callable[[Strategy], bool]) -> Array:
    """Return where something holds of a pipeline whose stages are named; everywhere where none are."""
    if not np.any(g.stages != ""):
        return np.asarray(True)
    columns = np.broadcast_arrays(g.pp, g.vpp, g.schedule, g.stages)
    words = CHOICES["schedule"]
    rows = [
        not stages or holds(Strategy(pp=pp, vpp=vpp, schedule=words[code], stages=stages))
        for pp, vpp, code, stages in zip(*(np.ravel(column).tolist() for column in columns), strict=True)
    ]
    return np.asarray(rows).reshape(columns[0].shape)


def describe_misfit(s: Strategy, job: Job) -> str:
    """Return why the stages that a strategy names do not fit its pipeline and the model; nothing where they do."""
    named, model = read_stages(s.stages), job.model
    chunks, layers = SCHEDULES[s.schedule].num_chunks(s.pp, s.vpp), sum(named.layers)
    if len(named.layers) != chunks:
        has = f"but pp={s.pp}, vpp={s.vpp} with schedule={s.schedule} has {chunks}"
        return f"stages={s.stages} names {len(named.layers)} chunks, {has} (stages=dealt names none)"
    if layers != model.num_layers:
        return f"stages={s.stages} holds {layers} layers, but the model has {model.num_layers}"
    if named.modules and named.num_modules != model.num_mtp_layers:
        modules = f"{named.num_modules} prediction modules, but the model has {model.num_mtp_layers}"
        return f"stages={s.stages} holds {modules}"
    if named.is_hollow:
        return f"stages={s.stages}: a chunk between the first and the last holds nothing"
    return ""


def _suggest_ends(s: Strategy, job: Job) -> str:
    """Return how the stages are named in which the embedding or the loss has a chunk of its own, where these are enough."""
    filled = fill_chunks(job.model.num_layers, SCHEDULES[s.schedule].num_chunks(s.pp, s.vpp))
    if job.model.num_mtp_layers or not filled:
        return ""
    alone = "the loss" if filled.layers[0] else "embedding and loss"
    return f" (with {alone} in a chunk of their own: stages={filled})"


def _of_schedule(schedule: PipelineSchedule, rule: ScheduleRule) -> Rule:
    return Rule(
        rule.name,
        lambda g, job, pool: ~g.among("schedule", schedule.name) | rule.holds(g.pp, _microbatches(g, job)),
        lambda s, job, pool: rule.reason(s.pp),
    )


_CHUNKED = [schedule.name for schedule in SCHEDULES.values() if schedule.is_chunked]

WHOLE_LAYERS_OVERLAP = ("cann",)
"""Ecosystems with a framework that hides the experts' exchange of layers recomputed whole (MindSpeed's --moe-fb-overlap)."""

_SHAPE = (
    "heads",
    "key-value heads",
    "width",
    "blocks",
    "groups of blocks",
    "ulysses heads",
    "layers",
    "experts",
    "expert width",
)
"""Rules that ask what a degree cuts of a model."""


def _watch(job: Job) -> tuple[Job, list[Rule]]:
    """Return the job of the teacher, and the rules that it must keep: it is cut as the student is."""
    teacher = job.task.teacher or job.model
    names = [name for name in _SHAPE if teacher.moe or not name.startswith("expert")]
    return replace(job, model=teacher, task=PRETRAIN), [rule for rule in RULES if rule.name in names]


def _teacher_holds(g: Grid, job: Job, pool: Pool) -> Array:
    if job.task.teacher is None:
        return np.asarray(True)
    watched, rules = _watch(job)
    holds: Array = np.asarray(True)
    for rule in rules:
        holds = holds & rule.holds(g, watched, pool)
    return holds


def _teacher_reason(s: Strategy, job: Job, pool: Pool) -> str:
    watched, rules = _watch(job)
    broken = [rule.reason(s, watched, pool) for rule in rules if not np.all(rule.holds(Grid.of(s), watched, pool))]
    return f"of the teacher {watched.model.name}: {'; '.join(broken)}"


RULES: tuple[Rule, ...] = (
    Rule(
        "chips",
        lambda g, job, pool: g.chips <= pool.chips,
        lambda s, job, pool: (
            f"tp·pp·cp·dp = {s.tp}·{s.pp}·{s.cp}·{s.dp} = {s.chips:,} chips, but the pool has {pool.chips:,}"
        ),
    ),
    Rule(
        "heads",
        lambda g, job, pool: _divides(g.tp, job.model.num_attention_heads),
        lambda s, job, pool: f"tp={s.tp} does not divide the {job.model.num_attention_heads} attention heads",
    ),
    Rule(
        "key-value heads",
        lambda g, job, pool: (
            _divides(g.tp, job.model.num_key_value_heads) | _divides(np.asarray(job.model.num_key_value_heads), g.tp)
        ),
        lambda s, job, pool: (
            f"tp={s.tp} and the {job.model.num_key_value_heads} key-value heads do not divide each other"
        ),
    ),
    Rule(
        "width",
        lambda g, job, pool: (
            _divides(g.tp, job.model.hidden_size)
            & (_divides(g.tp, job.model.intermediate_size) | np.equal(job.model.num_dense_layers, 0))
        ),
        lambda s, job, pool: (
            f"tp={s.tp} does not divide hidden_size {job.model.hidden_size} and intermediate_size {job.model.intermediate_size}"
        ),
    ),
    Rule(
        "blocks",
        lambda g, job, pool: (
            np.all([_divides(g.tp, width) for width in _block_widths(job)], axis=0)
            if job.model.blocks
            else np.asarray(True)
        ),
        lambda s, job, pool: (
            f"tp={s.tp} does not divide {min(w for w in _block_widths(job) if w % s.tp)}, a number of heads or a width of one "
            "kind of layer"
        ),
    ),
    Rule(
        "groups of blocks",
        lambda g, job, pool: np.all(
            [_divides(g.tp, n) | _divides(np.asarray(n), g.tp) for n in _block_groups(job)] or [np.asarray(True)],
            axis=0,
        ),
        lambda s, job, pool: (
            f"tp={s.tp} and {min(n for n in _block_groups(job) if n % s.tp and s.tp % n)} groups of heads (key-value heads, or "
            "inputs and outputs of Mamba-2) of one kind of layer do not divide each other"
        ),
    ),
    Rule(
        "ulysses heads",
        lambda g, job, pool: ~g.among("cp_kind", "ulysses") | _divides(g.tp * g.cp, job.model.num_attention_heads),
        lambda s, job, pool: (
            f"Ulysses divides heads: tp·cp = {s.tp * s.cp} must divide the {job.model.num_attention_heads} attention heads"
        ),
    ),
    Rule(
        "sequence",
        lambda g, job, pool: (
            _divides(np.where((g.cp > 1) & g.among("cp_kind", "ring"), 2 * g.cp, g.cp), job.seq_len)
            & (~g.sequence_parallel | _divides(g.tp * g.cp, job.seq_len))
        ),
        lambda s, job, pool: (
            f"a sequence of {job.seq_len} does not divide by cp={s.cp} (ring: by 2·cp, each rank takes an early and a late part)"
            f" and, with sequence parallelism, by tp·cp={s.tp * s.cp}"
        ),
    ),
    Rule(
        "layers",
        lambda g, job, pool: (
            (g.pp * g.by_schedule(lambda s: s.halves) * g.vpp <= job.model.num_layers) | (g.stages != "")
        ),
        lambda s, job, pool: (
            f"pp·vpp = {s.pp * s.vpp * SCHEDULES[s.schedule].halves} chunks for only {job.model.num_layers} layers"
            f"{_suggest_ends(s, job)}"
        ),
    ),
    Rule(
        "stages",
        lambda g, job, pool: _on_stages(g, lambda s: not describe_misfit(s, job)),
        lambda s, job, pool: describe_misfit(s, job),
    ),
    Rule(
        "interleaving",
        lambda g, job, pool: np.where(g.by_schedule(lambda s: s.is_chunked), (g.vpp > 1) & (g.pp > 1), g.vpp == 1),
        lambda s, job, pool: (
            f"vpp={s.vpp} with schedule={s.schedule}: {' or '.join(_CHUNKED)} needs vpp and pp above 1, the others vpp=1"
        ),
    ),
    *(_of_schedule(schedule, rule) for schedule in SCHEDULES.values() for rule in schedule.rules),
    Rule(
        "batch",
        lambda g, job, pool: _divides(g.dp * g.micro_batch_size, job.global_batch_size),
        lambda s, job, pool: (
            f"the global batch of {job.global_batch_size} sequences does not divide by dp·micro_batch_size ="
            f" {s.dp}·{s.micro_batch_size} = {s.dp * s.micro_batch_size}"
        ),
    ),
    Rule(
        "experts",
        lambda g, job, pool: _divides(g.ep, _num_experts(job)),
        lambda s, job, pool: (
            f"ep={s.ep} does not divide the {_num_experts(job)} experts"
            if job.model.moe
            else f"ep={s.ep}: the model has no experts"
        ),
    ),
    Rule(
        "expert width",
        lambda g, job, pool: _divides(g.etp, _expert_width(job)),
        lambda s, job, pool: (
            f"etp={s.etp} does not divide the experts' intermediate size {_expert_width(job)}"
            if job.model.moe
            else f"etp={s.etp}: the model has no experts"
        ),
    ),
    Rule(
        "expert ranks",
        lambda g, job, pool: _divides(g.ep * g.etp, g.tp * g.cp * g.dp),
        lambda s, job, pool: f"ep·etp = {s.ep * s.etp} does not divide tp·cp·dp = {s.tp * s.cp * s.dp}",
    ),
    Rule(
        "sharding group",
        lambda g, job, pool: (g.zero_group == 0) | _divides(np.maximum(g.zero_group, 1), g.cp * g.dp),
        lambda s, job, pool: f"zero_group={s.zero_group} does not divide the {s.cp * s.dp} data and context ranks",
    ),
    Rule(
        "offloaded weights",
        lambda g, job, pool: ~g.offload_weights | (g.zero == 3),
        lambda s, job, pool: (
            f"offload_weights with zero={s.zero}: only sharded weights (zero=3) can live in host memory"
        ),
    ),
    Rule(
        "sequence-parallel experts",
        lambda g, job, pool: g.sequence_parallel | (g.tp == 1) | (np.asarray(_num_experts(job)) == 1),
        lambda s, job, pool: "experts under tensor parallelism need sequence_parallel=on",
    ),
    Rule(
        "shared layers",
        lambda g, job, pool: (g.pp == 1) | np.asarray(not any(block.is_shared for block in job.model.blocks)),
        lambda s, job, pool: (
            f"pp={s.pp}: layers of {job.model.name} use the weights of earlier ones, which a pipeline would have to keep "
            "alike on several stages; take pp=1"
        ),
    ),
    Rule(
        "overlapped experts",
        lambda g, job, pool: (
            np.asarray(pool.chip.ecosystem in WHOLE_LAYERS_OVERLAP)
            | ~(g.overlap_ep & (g.ep > 1) & g.among("recompute", "full") & (g.recompute_layers > 0))
        ),
        lambda s, job, pool: (
            "overlap_ep with recompute=full: Megatron-LM stops at it (megatron/core/transformer/transformer_config.py); take"
            " recompute=selective or none, or overlap_ep=off"
        ),
    ),
    Rule("teacher", _teacher_holds, _teacher_reason),
)


OF_LAYOUTS = (
    "heads",
    "key-value heads",
    "width",
    "blocks",
    "groups of blocks",
    "ulysses heads",
    "sequence",
    "sequence-parallel experts",
)
"""Rules that ask for nothing but the cuts of one replica's tensors and sequences: ``tp``, ``cp``, ``cp_kind`` and
``sequence_parallel``."""


def has_legal_cuts(g: Grid, job: Job, pool: Pool) -> Array:
    """Return where the rules of OF_LAYOUTS hold: elsewhere nothing is legal, whatever the other fields are."""
    holds: Array = np.asarray(True)
    for rule in RULES:
        if rule.name in OF_LAYOUTS:
            holds = holds & rule.holds(g, job, pool)
    return holds


def is_legal(g: Grid, job: Job, pool: Pool) -> Array:
    """Return where all rules hold."""
    legal: Array = np.asarray(True)
    for rule in RULES:
        legal = legal & rule.holds(g, job, pool)
    return legal


def refusals(strategy: Strategy, job: Job, pool: Pool) -> list[str]:
    """Return the reason of every rule that a strategy breaks."""
    return list(_reasons(strategy, job, pool))


@remember(last=1)
def _reasons(strategy: Strategy, job: Job, pool: Pool) -> tuple[str, ...]:
    # One export target after the other asks this of the same plan.
    g = Grid.of(strategy)
    return tuple(rule.reason(strategy, job, pool) for rule in RULES if not np.all(rule.holds(g, job, pool)))


def check(strategy: Strategy, job: Job, pool: Pool) -> None:
    """Raise IllegalStrategyError, with every reason, unless the strategy is legal."""
    reasons = refusals(strategy, job, pool)
    if reasons:
        raise IllegalStrategyError("illegal strategy: " + "; ".join(reasons))
