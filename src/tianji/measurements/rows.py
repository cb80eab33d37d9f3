"""One row of a table of measured runs: its setup, as a job and a strategy, and what was measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from tianji.catalog.architectures import ROW_COLUMNS, model_from_row
from tianji.catalog.software import complete_software
from tianji.errors import FormatError
from tianji.hardware import Figure, Pool
from tianji.hardware.calibration import mixture_trait
from tianji.hardware.software import Software
from tianji.measurements.cells import Cells
from tianji.measurements.frameworks import find_habits, read_precision, read_task
from tianji.measurements.layouts import read_strategy
from tianji.measurements.machines import read_pool
from tianji.measurements.software import read_software
from tianji.parallel.legality import describe_misfit
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.units import Bytes, Seconds
from tianji.workload import Job, Model

SIZES = (
    "layers", "hidden", "ffn", "heads", "kv_heads", "head_dim", "vocab", "n_experts", "top_k", "moe_ffn",
)  # fmt: skip
"""Columns of the model that hold a whole number or nothing."""


NATURAL_IMBALANCE = 1.12
"""Load of the busiest expert rank over the mean when the router decides: natural routing is 4 to 20 % slower than forced
balance in the publications that have both."""


FREE_LINK = Figure(
    1e30, "assumed: the run hid its copies", "estimate", "Nobody published this chip's link to its host."
)


@dataclass(frozen=True, slots=True)
class Setup:
    """One run as a job on a pool under a strategy, with the software that ran it."""

    job: Job
    pool: Pool
    strategy: Strategy
    software: Software
    architecture: str = ""
    """Name of the model's architecture in the catalog, where the row gives one."""

    @property
    def plan(self) -> Plan:
        """The run as a plan."""
        return Plan(self.job, self.pool, self.strategy)

    @property
    def traits(self) -> tuple[str, ...]:
        """Traits of the software that ran: its framework, its release, its switches, and what one mixture takes under it."""
        recipe = (mixture_trait(self.software.framework, self.architecture),) if self.job.model.moe else ()
        return (*self.software.traits(), *recipe)


@dataclass(frozen=True, slots=True)
class Row:
    """One measured run: what ran, and what was measured."""

    id: str
    split: str
    """``fit`` rows may set constants, ``check`` rows only report; empty in a user's own table."""
    quality: str
    source: str
    task: str
    setup: Setup
    measured_step_time: Seconds
    measured_memory: Bytes | None = None

    @property
    def job(self) -> Job:
        """What was trained."""
        return self.setup.job

    @property
    def pool(self) -> Pool:
        """What it ran on."""
        return self.setup.pool

    @property
    def strategy(self) -> Strategy:
        """How it was cut."""
        return self.setup.strategy

    @property
    def software(self) -> Software:
        """What ran it."""
        return self.setup.software

    @property
    def plan(self) -> Plan:
        """The run as a plan."""
        return self.setup.plan

    @property
    def traits(self) -> tuple[str, ...]:
        """Traits of the software that ran."""
        return self.setup.traits

    @property
    def arch_key(self) -> str:
        """Name of the model's architecture in the catalog."""
        return self.setup.architecture


def read_row(cells: Cells, name: str) -> Row:
    """Return one row.

    Raises an InputError that says what is missing, unknown or contradictory.
    """
    setup = read_setup(cells)
    return Row(
        id=name,
        split=cells.text("split"),
        quality=cells.word("quality"),
        source=cells.text("source"),
        task=cells.word("task") or "pretrain",
        setup=setup,
        measured_step_time=_read_step_time(cells, setup.job, setup.pool),
        measured_memory=_read_memory(cells, setup.software),
    )


def read_setup(cells: Cells) -> Setup:
    """Return what a row ran, without what was measured.

    Raises an InputError that says what is missing, unknown or contradictory.
    """
    model, pool = _read_model(cells), read_pool(cells)
    software = _complete(read_software(cells), pool.chip.ecosystem)
    precision = read_precision(cells, software.framework, software.release)
    strategy, assumed = read_strategy(cells, model, pool, find_habits(software.framework), software.dispatcher)
    software = _overlap(software, strategy.overlap_ep)
    if strategy.offload_activations and pool.chip.host_bandwidth is None:
        # Of some chips nobody published the link to the host; a run that was measured there hid its copies.
        pool = replace(pool, chip=replace(pool.chip, host_bandwidth=FREE_LINK))
        assumed = (*assumed, "offload")
    batch = cells.count("global_batch_size")
    if batch % (strategy.dp * strategy.micro_batch_size):
        raise FormatError("global_batch_size does not divide by dp·micro_batch_size")
    if model.moe and (strategy.tp * strategy.cp * strategy.dp) % (strategy.ep * strategy.etp):
        raise FormatError("ep·etp does not divide tp·cp·dp")
    # Experts that are not spread over ranks leave nothing to balance.
    natural = model.moe is not None and strategy.ep > 1 and software.routing == "natural"
    job = Job(
        model=model,
        seq_len=cells.count("seq_len"),
        global_batch_size=batch,
        precision=precision,
        moe_imbalance=NATURAL_IMBALANCE if natural else 1.0,
        assumed=assumed,
        task=read_task(cells, software.framework),
    )
    if strategy.stages and (misfit := describe_misfit(strategy, job)):
        raise FormatError(misfit)
    return Setup(job, pool, strategy, software, cells.text("arch_key"))


@lru_cache(maxsize=512)
def _complete(software: Software, ecosystem: str) -> Software:
    return complete_software(software, ecosystem)


@lru_cache(maxsize=512)
def _overlap(software: Software, overlaps: bool) -> Software:
    return replace(software, ep_overlap="one_f_one_b" if overlaps else "none")


def _read_model(cells: Cells) -> Model:
    return _find_model(cells.raw(ROW_COLUMNS))


@lru_cache(maxsize=4096)
def _find_model(raw: tuple[str, ...]) -> Model:
    """Return the model that the columns of a row state; most rows of a table have the model of another row."""
    cells = Cells(dict(zip(ROW_COLUMNS, raw, strict=True)), 0)
    stated = {column: cells.text(column) for column in ROW_COLUMNS}
    for column in SIZES:
        cells.count(column, default=1)
    return model_from_row(stated)


def _read_step_time(cells: Cells, job: Job, pool: Pool) -> Seconds:
    """Return seconds of a step, as printed or from tokens a second; a printed MFU has too many conventions to be one."""
    step = cells.number("step_time_s")
    if step is not None:
        return step
    rate = cells.number("tokens_per_s_per_chip")
    if rate is None:
        raise FormatError("neither step_time_s nor tokens_per_s_per_chip is stated")
    return job.tokens_per_step / (rate * pool.chips)


def _read_memory(cells: Cells, software: Software) -> Bytes | None:
    stated = cells.number("memory_gb_per_chip")
    return None if stated is None else stated * find_habits(software.framework).memory_unit
