"""The smallest number of chips on which a job has a plan that fits, what more chips leave free, and what fewer would take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tianji.catalog.architectures import find_mixture
from tianji.errors import IllegalStrategyError, InfeasibleError, InputError, UnknownFigureError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.parallel.plan import Plan
from tianji.perf.memory import usable_memory
from tianji.prediction import predict
from tianji.result import Result
from tianji.search import SearchOptions
from tianji.search.coarse import find_fast
from tianji.search.exhaustive import explore
from tianji.search.refinement import refine_best
from tianji.units import Bytes
from tianji.workload import Formats, Job, make_task
from tianji.workload.adapters import num_trained

Search = Callable[[Job, Pool, Mapping[str, Any]], Result]
"""Returns the fastest plan on all chips of a pool, with some strategy fields held; raises InfeasibleError or
IllegalStrategyError where there is none, another InputError where no number of chips would help."""
TIMES = (1, 2, 4)
"""Multiples of the smallest number that are shown."""
FEW = 128
"""Chips up to which a saving is searched on the next smaller number."""


@dataclass(frozen=True, slots=True)
class Saving:
    """What would be given up for fewer chips, and the plan that it makes possible."""

    what: str
    chips: int
    result: Result | None
    reason: str = ""
    """Why there is no plan."""


@dataclass(frozen=True, slots=True)
class SmallestSize:
    """The smallest number of chips for one job on one kind of pool."""

    job: Job
    pool: Pool
    runs_on: str
    """The framework that runs the plans exactly; empty: any."""
    results: tuple[Result, ...]
    """The fastest plan on the smallest number, on twice and on four times as many; empty where none was found."""
    savings: tuple[Saving, ...] = ()
    reason: str = ""
    """Why there is none."""

    def __repr__(self) -> str:
        least = f"{self.results[0].plan.pool.chips:,} chips" if self.results else "none"
        return f"SmallestSize({self.job.task.name} of {self.job.model.name} on {self.pool.name}: {least})"


def fast_search(calibration: Calibration, margin: float) -> Search:
    """Return a search over all strategies that leaves a share of the usable memory free."""

    def search(job: Job, pool: Pool, fixed: Mapping[str, Any]) -> Result:
        constants, tight = (
            calibration.training(find_mixture(job.model)).constants(pool.chip),
            replace(pool, usable_memory=pool.usable_memory * (1 - margin)),
        )
        if fixed:
            explored = explore(job, tight, constants, SearchOptions(fixed=fixed, top=1, leading=0, uneven="noted"))
            best = explored.best[0] if explored.best else None
            best = refine_best(job, tight, constants, [explored.improvable], best.step_time) or best if best else None
        else:
            best = find_fast(job, tight, constants, names_stages=True)
        if best is None:
            raise InfeasibleError(f"no plan of {job.model.name} fits {pool.chips:,} chips")
        return predict(Plan(job, pool, best.strategy), calibration)

    return search


def find_smallest_size(job: Job, pool: Pool, search: Search, most: int, runs_on: str = "") -> SmallestSize:
    """Return the smallest number of chips of a pool's kind on which a search finds a plan.

    Args:
        job: The work.
        pool: The kind of pool; its number of chips is not looked at.
        search: Finds the fastest plan on one number of chips.
        most: Chips that are tried at most.
        runs_on: The framework that the search keeps to.

    Parts of a node are tried that divide it, then whole nodes: one, two, three, four, six, eight and so on.
    """
    reason, smaller = f"no plan fits up to {most:,} chips", 0
    for chips in ladder(pool, most):
        if chips * usable_memory(pool) < least_bytes(job):
            smaller = chips
            continue
        try:
            first = search(job, pool.with_chips(chips), {})
        except (InfeasibleError, IllegalStrategyError):
            smaller = chips
            continue
        except InputError as error:
            return SmallestSize(job, pool, runs_on, (), reason=str(error))
        results = [first, *_larger(job, pool, search, chips)]
        return SmallestSize(job, pool, runs_on, tuple(results), tuple(_savings(job, pool, search, smaller)))
    return SmallestSize(job, pool, runs_on, (), reason=reason)


def ladder(pool: Pool, most: int) -> Iterator[int]:
    """Yield the numbers of chips that are tried, ascending.

    >>> from tianji.catalog import load_pool
    >>> list(ladder(load_pool("hgx-h100"), 64))
    [1, 2, 4, 8, 16, 24, 32, 48, 64]
    """
    limit = min(most, pool.max_chips or most)
    yield from (n for n in range(1, pool.node) if pool.node % n == 0 and n <= limit)
    nodes = 1
    while pool.node * nodes <= limit:
        yield pool.node * nodes
        if nodes > 1 and pool.node * nodes * 3 // 2 <= limit:
            yield pool.node * nodes * 3 // 2
        nodes *= 2


def least_bytes(job: Job) -> Bytes:
    """Return bytes of the state of all chips together, where nothing is kept twice: fewer are never enough."""
    p, task = job.precision, job.task
    trained = num_trained(job.model, task) * (p.optimizer_size + p.gradient_size)
    frozen = job.model.num_parameters * (task.frozen_size or p.weight_size) if task.is_frozen else 0.0
    return trained + frozen


def _larger(job: Job, pool: Pool, search: Search, chips: int) -> Iterator[Result]:
    for times in TIMES[1:]:
        if pool.max_chips and chips * times > pool.max_chips:
            return
        try:
            yield search(job, pool.with_chips(chips * times), {})
        except InputError:
            continue


def _savings(job: Job, pool: Pool, search: Search, chips: int) -> Iterator[Saving]:
    """Yield what would bring the job to the next smaller number of chips, each alone."""
    if not 0 < chips <= FEW:
        return
    for what, changed, fixed in _changes(job):
        try:
            yield Saving(what, chips, search(changed, pool.with_chips(chips), fixed))
        except UnknownFigureError as error:
            yield Saving(what, chips, None, str(error))
        except InputError:
            yield Saving(what, chips, None, "no plan fits")


def _changes(job: Job) -> Iterator[tuple[str, Job, Mapping[str, Any]]]:
    if job.task.name == "lora":
        task = make_task("qlora", job.task.adapter_rank, job.task.adapter_targets)
        yield "a base of 4 bits (--task qlora)", replace(job, task=task), {}
        return
    if job.task.is_frozen:
        return
    yield "the optimizer in host memory (offload_optimizer=1)", job, {"offload_optimizer": 1.0}
    words = {"main_weights": "reused"}, {"optimizer": "adamw-8bit"}
    names = (
        "no master copy beside the bf16 weights (--main-weights reused)",
        "moments of 8 bits (--optimizer adamw-8bit)",
    )
    for name, word in zip(names, words, strict=True):
        yield name, replace(job, precision=Formats(**word).apply(job.precision)), {}
