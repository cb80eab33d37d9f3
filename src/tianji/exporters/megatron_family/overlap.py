"""What runs beside the computation, as options of Megatron's family."""

from __future__ import annotations

from tianji.exporters.contract import Limits
from tianji.exporters.formats.arguments import Argument, Tree
from tianji.exporters.megatron_family.dialect import Dialect
from tianji.parallel.plan import Plan


def overlap_arguments(plan: Plan, limits: Limits, dialect: Dialect) -> Tree:
    """Return the options of what runs beside the computation."""
    s = plan.strategy
    arguments: list[Argument] = []
    if s.overlap_dp:
        arguments.append(Argument("--overlap-grad-reduce"))
        if s.zero and s.weight_gather == "hidden":
            arguments.append(Argument("--overlap-param-gather"))
    if plan.hides_tensor_links:
        arguments.append(dialect.overlap_tp)
    if s.pp > 1 and not s.overlap_pp:
        arguments.append(Argument("--no-overlap-p2p-communication"))
    if s.pp > 1 and s.overlap_pp and s.vpp == 1:
        limits.note(
            "Without interleaving it sends activations between stages without overlap; the plan counts overlap."
        )
    if s.overlap_ep and s.ep > 1:
        arguments.append(dialect.overlap_ep)
    return tuple(arguments)
