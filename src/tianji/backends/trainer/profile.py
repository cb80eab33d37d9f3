"""One profiled step: the trace of this rank as PyTorch writes it, and what it sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch.profiler import ProfilerActivity, profile, record_function

from tianji.backends.trainer.accelerator import Accelerator
from tianji.backends.trainer.traffic import TrafficCounter, name_pipeline_waits

STEP = "tianji::step"
"""The bar of the trace that spans the step."""


def profile_step(step: Callable[[], object], accelerator: Accelerator, counter: TrafficCounter, path: Path) -> None:
    """Run one step under the profiler, with each communication named by its axis, and write its trace."""
    activities = [ProfilerActivity.CPU]
    if accelerator.kind == "cuda":
        activities.append(ProfilerActivity.CUDA)
    options: dict[str, Any] = {"acc_events": True}
    with profile(activities=activities, **options) as profiler, name_pipeline_waits(), counter, record_function(STEP):
        step()
        accelerator.synchronize()
    profiler.export_chrome_trace(str(path))
