"""Published runs of the very job that is planned."""

from __future__ import annotations

from functools import lru_cache

from tianji.errors import InputError
from tianji.measurements.cells import Cells
from tianji.measurements.rows import Row, read_row
from tianji.measurements.table import read_published
from tianji.parallel.plan import Plan
from tianji.validation.verdict import find_tables

MOST = 3
"""Published runs that are shown, fastest first."""


@lru_cache(maxsize=1)
def read_shipped() -> tuple[Cells, ...]:
    """Return the rows of the shipped tables in typed columns, read once."""
    return tuple(cells for path in find_tables() for cells in read_published(path))


def find_precedents(plan: Plan) -> list[Row]:
    """Return the published runs of a plan's job on as many of the same chips, fastest first.

    The same job has the same model sizes, sequence length, batch and dtype of the linear layers, and trains all weights or not.
    """
    rows = []
    for cells in (cells for cells in read_shipped() if _may_be(plan, cells)):
        try:
            row = read_row(cells, cells.text("id"))
        except InputError:
            continue
        same_chip = row.pool.chip.name == plan.pool.chip.name
        same_work = row.job.task.is_frozen == plan.job.task.is_frozen and row.job.samples == plan.job.samples
        if same_chip and same_work and row.job.precision.linear == plan.job.precision.linear:
            rows.append(row)
    return sorted(rows, key=lambda row: row.measured_step_time)[:MOST]


def _may_be(plan: Plan, cells: Cells) -> bool:
    """Return whether a row is of the same job by its plainest cells; most rows end here, before they are read."""
    model, job = plan.job.model, plan.job
    wanted = {
        "n_chips": plan.strategy.chips,
        "seq_len": job.seq_len,
        "global_batch_size": job.global_batch_size,
        "layers": model.num_layers,
        "hidden": model.hidden_size,
        "heads": model.num_attention_heads,
    }
    experts = str(model.moe.num_experts) if model.moe else ""
    return all(cells.text(k) == str(v) for k, v in wanted.items()) and cells.text("n_experts") in (
        experts,
        experts or "0",
    )
