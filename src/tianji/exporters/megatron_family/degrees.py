"""The degrees of a strategy and the order of ranks as options of Megatron's family."""

from __future__ import annotations

from tianji.exporters.formats.arguments import Argument, Tree
from tianji.exporters.megatron_family.dialect import Dialect
from tianji.exporters.plan_facts.layers import is_even
from tianji.parallel.plan import Plan


def degree_arguments(plan: Plan, dialect: Dialect) -> Tree:
    """Return the options of the degrees and of the order of ranks."""
    s = plan.strategy
    return (
        Argument("--tensor-model-parallel-size", s.tp),
        Argument("--pipeline-model-parallel-size", s.pp),
        *_chunks(plan, dialect),
        Argument("--context-parallel-size", s.cp),
        *([dialect.context[s.cp_kind]] if s.cp > 1 else []),
        *(_experts(plan) if plan.job.model.moe else []),
        *([Argument("--sequence-parallel")] if s.sequence_parallel and s.tp > 1 else []),
        *(
            [Argument("--use-tp-pp-dp-mapping", None, "pipeline ranks beside the tensor group, data outermost")]
            if s.placement == "pp-inside"
            else []
        ),
    )


def _experts(plan: Plan) -> Tree:
    return (
        Argument("--expert-model-parallel-size", plan.strategy.ep),
        Argument("--expert-tensor-parallel-size", plan.strategy.etp),
    )


def _chunks(plan: Plan, dialect: Dialect) -> Tree:
    """Return the option of chunks or of uneven stages; none where each stage is one equal share of the layers."""
    s = plan.strategy
    if s.pp > 1 and not is_even(plan):
        return (dialect.uneven_stages(plan),)
    if s.schedule == "dualpipev" and s.pp > 1:
        return (Argument("--schedules-method", "dualpipev", "two chunks on each pipeline rank, in a V"),)
    if s.vpp == 1:
        return ()
    layers = plan.job.model.num_layers // (s.pp * s.vpp)
    return (Argument("--num-layers-per-virtual-pipeline-stage", layers, f"{s.vpp} chunks on each pipeline rank"),)
