"""``smallest``: on how few chips a model can be trained, task by task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from tianji.api.answer import Answer
from tianji.api.progress import show_progress
from tianji.api.quantities import Count, Quantity, read_margin
from tianji.api.requests import (
    CalibrationLike,
    ModelLike,
    PoolLike,
    Sizes,
    check_model,
    find_calibration,
    find_job,
    find_pool,
)
from tianji.comparison.smallest_size import Search, SmallestSize, fast_search, find_smallest_size
from tianji.errors import FormatError, UnknownNameError
from tianji.exporters.runnable import SPACES, plan_for_framework
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.report.documents.smallest_size import smallest_size_document
from tianji.result import Result
from tianji.search import SearchOptions
from tianji.units import parse_count
from tianji.workload import Job, Precision
from tianji.workload.task import ADAPTED

MOST = 4096
"""Chips that are tried at most, unless told otherwise."""
TASKS = "pretrain,sft,lora"


def smallest(
    model: ModelLike,
    *pools: PoolLike,
    tasks: str | Iterable[str] = TASKS,
    runs_on: str | Iterable[str] = (),
    batch: Count | None = None,
    seq: Count | None = None,
    precision: str | Precision | None = None,
    loss_kernel: str | None = None,
    lora_rank: Count | None = None,
    lora_targets: str | None = None,
    lengths: Count | None = None,
    margin: Quantity | None = None,
    most: Count = MOST,
    calibration: CalibrationLike = None,
) -> Answer[tuple[SmallestSize, ...]]:
    """Say on how few chips of each pool a model can be trained.

    For each of the ``tasks`` (any of pretrain, sft, lora, qlora, reward, embedding) the
    answer has the smallest number of chips, the memory that stays free on it, on twice
    and on four times as many, and what would be given up for fewer.

    * ``runs_on="megatron"`` adds the smallest number whose plan this framework runs
      exactly.
    * ``loss_kernel="torch"`` is the cross entropy that LLaMA-Factory and ms-swift compute.
    * ``margin="5 %"`` is the share of the usable memory that a plan must leave free;
      without it 3 %.

    Raises InputError for anything that cannot be used.

    >>> (size,) = smallest("llama-3.1-8b", "hgx-h100", tasks="lora").result
    >>> size.results[0].plan.strategy.chips
    1
    """
    check_model(model)
    if not pools:
        raise FormatError("POOL: expected at least one, like `tianji smallest llama-3.1-70b hgx-h100`")
    reserve = read_margin(margin)
    engines = _words(runs_on)
    for engine in engines:
        if engine not in SPACES:
            raise UnknownNameError("framework of --runs-on", engine, SPACES)
    constants, limit = find_calibration(calibration), parse_count(most, "--most")
    found: list[SmallestSize] = []
    with show_progress("Trying numbers of chips") as progress:
        for place in map(find_pool, pools):
            for task in _words(tasks):
                rank, targets = (lora_rank, lora_targets) if task in ADAPTED else (None, None)
                sizes = Sizes(
                    None, batch, seq, None, precision, loss_kernel=loss_kernel, task=task, lengths=lengths, lora_rank=rank,
                    lora_targets=targets,
                )  # fmt: skip
                job = find_job(model, sizes, place.node, (place.chip,))
                searches = {"": fast_search(constants, reserve)} | {
                    engine: framework_search(engine, constants, reserve) for engine in engines
                }
                for engine, search in searches.items():
                    found.append(find_smallest_size(job, place, search, limit, engine))
                    progress(len(found))
    made = "; ".join(_summarize(size) for size in found)
    return Answer(tuple(found), f"smallest: {made}", partial(smallest_size_document, found, reserve), constants)


def framework_search(framework: str, calibration: Calibration, margin: float) -> Search:
    """Return a search over the plans that a framework runs exactly."""

    def search(job: Job, pool: Pool, fixed: Mapping[str, Any]) -> Result:
        options = SearchOptions(fixed=fixed, top=1, leading=0, margin=margin)
        return plan_for_framework(framework, job, pool, calibration, options).outcome.best

    return search


def _words(words: str | Iterable[str]) -> tuple[str, ...]:
    parts = words.split(",") if isinstance(words, str) else [part for word in words for part in word.split(",")]
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _summarize(size: SmallestSize) -> str:
    chips = f"{size.results[0].plan.strategy.chips:,} chips" if size.results else "none"
    engine = f" under {size.runs_on}" if size.runs_on else ""
    return f"{size.job.task.name} on {size.pool.name}{engine}: {chips}"
