"""What a pipeline whose layers do not divide into its stages stands on: a framework must be told what each stage holds."""

from __future__ import annotations

from tianji.parallel.plan import Plan
from tianji.perf.holdings import stages_of


def describe_deal(plan: Plan) -> tuple[str, ...]:
    """Return how layers that do not divide were dealt out, and what a framework asks for then; nothing where they divide."""
    s = plan.strategy
    if s.pp == 1 or s.stages:
        return ()
    stages = stages_of(plan.job.model, s)
    layers = stages.layers
    if len(set(layers)) == 1:
        return ()
    return (
        f"{plan.job.model.num_layers} layers in chunks of {max(layers)} and {min(layers)}: Megatron-LM stops at layers that do"
        f" not divide, unless --pipeline-model-parallel-layout '{stages}' names what each stage holds, as `tianji export` writes",
    )
