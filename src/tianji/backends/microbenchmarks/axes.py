"""What each axis of parallelism costs beside its bytes: steps of a tiny model that is cut along one axis over all ranks."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import torch.distributed as dist

from tianji.backends.microbenchmarks.chip import Probe
from tianji.backends.microbenchmarks.tiny_models import axis_plans
from tianji.backends.options import RunOptions
from tianji.backends.trainer.accelerator import Accelerator
from tianji.backends.trainer.loop import Trainer


def axis_probes(accelerator: Accelerator, out: str) -> Iterator[Probe]:
    """Yield one tiny step for each axis that the ranks can be cut along; where a rank is alone, a step of its own."""
    for axis, plan in axis_plans(dist.get_world_size()).items():
        trainer = Trainer(plan, dist.get_rank(), accelerator, RunOptions(out=out))
        yield "step", {"axis": axis}, functools.partial(trainer.step, 0)
