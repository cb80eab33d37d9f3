"""What no framework of Megatron's family runs as it is priced."""

from __future__ import annotations

from tianji.exporters.contract import Refusal

PIPELINES = ("1f1b", "interleaved")
"""Schedules that every framework of the family has."""

FAMILY_REFUSALS = (
    Refusal(
        lambda s, plan: s.offload_optimizer > 0 and s.zero == 0,
        "offload_optimizer with zero=0: it offloads the state of the distributed optimizer only",
    ),
    Refusal(
        lambda s, plan: 0 < s.zero_group < s.cp * s.dp and s.zero > 1,
        "zero_group={s.zero_group} with zero={s.zero}: its hybrid sharding repeats the optimizer too",
    ),
    Refusal(
        lambda s, plan: s.recompute == "selective" and 0 < s.recompute_layers < 1,
        "selective recomputation of {s.recompute_layers:.0%} of the layers: it takes all of them",
    ),
    Refusal(
        lambda s, plan: s.zero in (1, 2) and s.weight_gather == "broadcasts",
        "weight_gather=broadcasts: it gathers weights from all ranks at once",
    ),
    Refusal(
        lambda s, plan: plan.hides_tensor_links and not s.sequence_parallel,
        "overlap_tp without sequence_parallel: it overlaps the gather and scatter of sequences",
    ),
    Refusal(
        lambda s, plan: s.overlap_ep and s.ep > 1 and s.pp > 1 and s.vpp == 1,
        "overlap_ep in a pipeline without interleaving: it needs vpp above 1",
    ),
)
