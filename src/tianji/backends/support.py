"""What the trainer cannot run, each with the reason and what to do instead: checked before a process starts."""

from __future__ import annotations

from collections.abc import Callable

from tianji.backends.trained_parts import lacking_cuts, lacking_parts
from tianji.errors import IllegalStrategyError, InputError, UnsupportedModelError
from tianji.parallel import Strategy
from tianji.parallel.legality import check
from tianji.parallel.plan import Plan
from tianji.parallel.stages import read_stages
from tianji.workload import Model

DTYPES = ("fp32", "bf16")

MODEL_LIMITS: tuple[tuple[Callable[[Model], bool], str], ...] = (
    (lambda m: m.num_mtp_layers > 0, "multi-token-prediction modules (set num_nextn_predict_layers to 0)"),
    (lambda m: m.learned_positions > 0, "a learned position table"),
    (lambda m: m.norm_bias, "LayerNorm with a bias"),
    (lambda m: m.embedding_norm, "a norm on the embedding"),
    (lambda m: m.embedding_size > 0, "a token table of another width"),
    (lambda m: m.stem_width > 0, "a stem in place of a token table"),
    (lambda m: m.outputs is not None or m.head_width > 0, "head other than logits"),
    (lambda m: m.embedding_extra > 0 or m.head_extra > 0, "parameters beside token table and head"),
)

SPLIT = ("zero-bubble", "zbv", "dualpipe", "dualpipev")
"""Schedules that compute the gradients of inputs and of weights apart."""

V_SHAPED = ("zbv", "dualpipe", "dualpipev")
"""Two chunks a rank: the first ranks hold the first and the last layers."""

STRATEGY_LIMITS: tuple[tuple[Callable[[Strategy, Model], bool], str], ...] = (
    (lambda s, m: s.etp > 1, "etp above 1: an expert lies whole on a rank here; take a larger ep"),
    (
        lambda s, m: bool(s.recompute_modules),
        "recompute_modules={s.recompute_modules}: norms and activations are recomputed here, or whole layers",
    ),
    (lambda s, m: s.zero > 0 and s.zero_kind != "layers", "zero_kind={s.zero_kind}: whole layers are gathered here"),
    (
        lambda s, m: s.offload_optimizer > 0 or s.offload_activations > 0 or s.offload_weights,
        "offload_optimizer, offload_activations and offload_weights: all stays on the chip here",
    ),
    (lambda s, m: m.tied_embeddings and s.pp > 1, "a tied embedding over pipeline stages; take pp=1"),
    (lambda s, m: m.vocab_size % s.tp != 0, "a vocabulary that tp does not divide; pad vocab_size or take another tp"),
    (
        lambda s, m: s.pp > 1 and s.zero == 2,
        "zero=2 under a pipeline: PyTorch's schedules reduce the gradients once a step; take zero=1 or 3",
    ),
    (
        lambda s, m: s.pp > 1 and s.schedule in SPLIT and s.zero == 3,
        "zero=3 under a schedule that splits the backward pass: weights dropped after the forward pass lose their"
        " gradients in PyTorch's split; take zero=1, or the schedule 1f1b or interleaved",
    ),
    (
        lambda s, m: s.pp > 1 and s.schedule in SPLIT and s.recompute == "selective",
        "selective recomputation under a schedule that splits the backward pass: PyTorch runs what is kept backward once"
        " only; take recompute=full or none, or the schedule 1f1b or interleaved",
    ),
    (
        lambda s, m: s.pp > 1 and s.schedule in V_SHAPED and 2 * s.pp > m.num_layers,
        "a V-shaped schedule, which needs two layers on each pipeline rank",
    ),
    (
        lambda s, m: bool(s.stages) and s.schedule == "dualpipe" and s.pp > 1,
        "stages={s.stages} under DualPipe: it runs in its V-shaped form here, with twice as many chunks; take schedule=dualpipev",
    ),
    (
        lambda s, m: s.pp > 1 and bool(s.stages) and 0 in read_stages(s.stages).layers,
        "stages={s.stages}: a stage without a layer; give each stage at least one",
    ),
)


def _schedule_limits(plan: Plan) -> list[str]:
    """Return what PyTorch's schedules ask of the number of micro-batches, as far as the plan does not keep it."""
    s, count = plan.strategy, plan.num_microbatches
    if s.pp > 1 and s.schedule == "1f1b" and count < s.pp:
        return [
            f"schedule=1f1b with fewer micro-batches ({count}) than stages ({s.pp}); take a smaller micro_batch_size, or gpipe"
        ]
    rounds = max(count // s.pp, 1)
    if s.pp > 1 and s.schedule == "zero-bubble" and count % rounds:
        return [
            f"schedule=zero-bubble with {count} micro-batches, which are no multiple of their {rounds} rounds through pp={s.pp}"
        ]
    return []


def check_support(plan: Plan) -> None:
    """Raise InputError, with every reason, unless the trainer can train a plan's model as its strategy says."""
    check(plan.strategy, plan.job, plan.pool)
    model = plan.job.model
    lacking = [what for is_so, what in MODEL_LIMITS if is_so(model)] + list(lacking_parts(model))
    if lacking:
        raise UnsupportedModelError(f"{model.name}: the trainer has no {'; no '.join(lacking)}")
    reasons = [what.format(s=plan.strategy) for is_so, what in STRATEGY_LIMITS if is_so(plan.strategy, model)]
    pieces = plan.strategy.cp * (2 if plan.strategy.cp > 1 and plan.strategy.cp_kind == "ring" else 1)
    reasons += [*_schedule_limits(plan), *lacking_cuts(model, plan.strategy.tp, plan.job.seq_len // pieces)]
    if reasons:
        raise IllegalStrategyError("the trainer does not run this strategy: " + "; ".join(reasons))
    if not plan.job.task.trains_all or plan.job.sample_lengths:
        what = "packed samples" if plan.job.task.trains_all else f"task {plan.job.task.describe()}"
        raise InputError(f"the trainer trains all weights on whole sequences, and the plan is for {what}")
    if not plan.job.causal:
        raise UnsupportedModelError(f"{model.name}: the trainer knows causal attention only")
    if plan.job.precision.linear not in DTYPES:
        raise InputError(
            f"the trainer runs {' and '.join(DTYPES)}, but the plan is for {plan.job.precision.name};"
            " make it with --precision bf16 or fp32"
        )
