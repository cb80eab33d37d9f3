"""What each axis of parallelism costs beside its bytes: steps of a tiny model that is cut along one axis over all ranks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch.distributed as dist

from tianji.backends.options import RunOptions
from tianji.backends.probes.chip import EXPERTS, TINY, Probe, model_of
from tianji.backends.trainer.accelerator import Accelerator
from tianji.backends.trainer.loop import Trainer
from tianji.catalog import load_pool
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.workload import Job, find_precision

LENGTH = 32


def axis_probes(accelerator: Accelerator, out: str) -> Iterator[Probe]:
    """Yield one tiny step for each axis that the ranks can be cut along; nothing where a rank is alone."""
    world = dist.get_world_size()
    if world == 1:
        return
    wide: dict[str, Any] = TINY | {"num_attention_heads": 8, "num_key_value_heads": 8, "num_hidden_layers": 8}
    sparse = wide | EXPERTS | {"head_dim": 8, "moe_intermediate_size": 64}
    axes = (
        ("dp", wide, Strategy(dp=world, zero=1)),
        ("zero3", wide, Strategy(dp=world, zero=3)),
        ("tp", wide, Strategy(tp=world, sequence_parallel=True)),
        ("pp", wide, Strategy(pp=world)),
        ("ep", sparse, Strategy(dp=world, ep=world)),
    )
    for axis, config, strategy in axes:
        plan = _plan(config, strategy)
        trainer = Trainer(plan, dist.get_rank(), accelerator, RunOptions(out=out))
        yield "step", {"axis": axis, "config": repr(config)}, lambda trainer=trainer: trainer.step(0)


def _plan(config: dict[str, Any], strategy: Strategy) -> Plan:
    """Eight sequences, whatever the cut: the pool is of no account to a trainer."""
    pool = load_pool("hgx-h100").with_chips(strategy.chips)
    return Plan(Job(model_of(config), LENGTH, 8, find_precision("fp32")), pool, strategy)
