"""``compare``, ``replace`` and ``size``: pool against pool."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

from tianji.api.answer import Answer
from tianji.api.cases import SizedPool, Work, choose_for_cases, read_assumptions, read_cases, require_pool, share_site
from tianji.api.progress import show_progress
from tianji.api.quantities import Batches, Count, Pairs, Quantity, read_batches, read_days, read_money
from tianji.api.requests import CalibrationLike, File, ModelLike
from tianji.api.software import SoftwareLike, SoftwareOptions, Words
from tianji.backends.mapping import open_mapper
from tianji.comparison import Assumptions, Comparison, Replacement, Sizing, replace_by_mixture, replace_pool, size_pool
from tianji.comparison import compare as compare_pools
from tianji.comparison.replacement import describe_answer
from tianji.errors import FormatError
from tianji.hardware.calibration import Calibration
from tianji.hardware.mixture import Mixture
from tianji.report.documents.comparison import comparison_document, replacement_document, sizing_document
from tianji.units import parse_count
from tianji.validation.near_errors import NearErrors
from tianji.workload import Model, Precision


def compare(
    model: ModelLike,
    *pools: SizedPool,
    batch: Batches | None = None,
    seq: Count | None = None,
    tokens: Quantity | None = None,
    precision: str | Precision | None = None,
    task: str | None = None,
    lora_rank: Count | None = None,
    lora_targets: str | None = None,
    teacher: File | Model | None = None,
    lengths: Count | None = None,
    site: str | None = None,
    rent: Pairs = (),
    buy: bool = False,
    chip_price: Pairs = (),
    unit_price: Pairs = (),
    quotes: File | None = None,
    power: Pairs = (),
    electricity: Quantity | None = None,
    pue: Quantity | None = None,
    loss: str = "job",
    replica_chips: Count | None = None,
    calibration: CalibrationLike = None,
    software: SoftwareLike | None = None,
    with_: Words = (),
    without: Words = (),
) -> Answer[Comparison]:
    """Set the best plan on each pool side by side, for the same work.

    A pool is an object, a name or a file; ``"1024xhgx-h100"`` says how many chips,
    ``"hgx-h800@fp8"`` its own number formats, ``"64xhgx-a100+64xhgx-h100"`` is a
    mixture. Each figure has a low, a nominal and a
    high case. There is no verdict where ranges overlap.

    * ``batch="768, 1024"`` sets other batches beside the first; without a list the
      round ones around it are.
    * ``rent={"h800": 2}``: dollars of a chip-hour; ``buy=True`` owns the pools instead,
      at ``chip_price={"h800": 30000}``, or a whole unit at
      ``unit_price={"cloudmatrix384": 8e6}``; ``quotes="quotes.toml"`` has firm ones.
    * ``power={"h800": "1.3 kW"}``: of one chip with its share of all that serves it.
    * ``site``, ``electricity`` (dollars of 1 kWh) and ``pue`` say where all pools
      stand, without them at the first one's home; ``site="home"``: each at its own.
    * ``loss="replica"``: a failure stops one replica, not the whole job.
    * ``software="megatron-bridge@26.08"``, ``with_="full-graph"``, ``without=``: what
      runs on pools of its ecosystem; ``{"h800": "nemo@25.04"}`` says it by chip.

    What you leave out is the catalog's. Raises InfeasibleError where nothing fits.
    """
    work, (batch, batches) = Work(task, lora_rank, lora_targets, teacher, lengths), read_batches(batch)
    cases = read_cases(
        model,
        pools,
        batch=batch,
        seq=seq,
        tokens=tokens,
        precision=precision,
        work=work,
    )
    cases, site = share_site(cases, site)
    assumptions = read_assumptions(
        site=site, rent=rent, buy=buy, chip_price=chip_price, unit_price=unit_price, quotes=quotes, power=power,
        electricity=electricity, pue=pue, loss=loss, replica_chips=replica_chips,
    )  # fmt: skip
    cases, constants = choose_for_cases(cases, calibration, SoftwareOptions(software, with_, without))
    assumptions = _with_errors(assumptions, constants)
    with show_progress("Pricing strategies") as progress:
        comparison = compare_pools(cases, constants, assumptions, progress, batches=batches)
    names = ", ".join(a.name.replace("×", "x") for a in comparison.assessments)
    summary = f"comparison of {names}: {comparison.verdicts[0]}"
    return Answer(comparison, summary, partial(comparison_document, comparison, constants), constants)


def replace(
    model: ModelLike,
    from_: SizedPool,
    with_: SizedPool,
    *,
    match: str = "throughput",
    days: Quantity | None = None,
    points: Count = 12,
    batch: Batches | None = None,
    seq: Count | None = None,
    tokens: Quantity | None = None,
    precision: str | Precision | None = None,
    task: str | None = None,
    lora_rank: Count | None = None,
    lora_targets: str | None = None,
    teacher: File | Model | None = None,
    lengths: Count | None = None,
    site: str | None = None,
    rent: Pairs = (),
    buy: bool = False,
    chip_price: Pairs = (),
    unit_price: Pairs = (),
    quotes: File | None = None,
    power: Pairs = (),
    electricity: Quantity | None = None,
    pue: Quantity | None = None,
    loss: str = "job",
    replica_chips: Count | None = None,
    calibration: CalibrationLike = None,
    workers: str = "local",
    software: SoftwareLike | None = None,
    switch: Words = (),
    without: Words = (),
) -> Answer[Replacement]:
    """Say how many chips of the pool ``with_`` replace the pool ``from_``.

    Every size has its own best strategy; the parts of a mixture grow alike. The answer
    comes with its range, the curves of both pools with their knees, and the
    assumptions that would flip it.

    ``match`` says what is to be equal: throughput (useful tokens, after failures),
    cost, power or deadline (in ``days``; default: the days of the first pool).
    ``points`` sizes draw each curve. The other options are those of ``tianji.compare``;
    switches that it takes as ``with_`` are ``switch`` here.

    Raises InfeasibleError where no size is enough, UnknownFigureError where a price or
    a power is needed that nobody published.
    """
    work, (batch, batches) = Work(task, lora_rank, lora_targets, teacher, lengths), read_batches(batch)
    cases = read_cases(model, (from_, with_), batch=batch, seq=seq, tokens=tokens, precision=precision, work=work)
    cases, site = share_site(cases, site)
    assumptions = read_assumptions(
        site=site, rent=rent, buy=buy, chip_price=chip_price, unit_price=unit_price, quotes=quotes, power=power,
        electricity=electricity, pue=pue, loss=loss, replica_chips=replica_chips,
    )  # fmt: skip
    (first, other), constants = choose_for_cases(
        cases, calibration, SoftwareOptions(software, switch, without, "--switch")
    )
    assumptions = _with_errors(assumptions, constants)
    sizes = parse_count(points, "--points")
    if not 2 <= sizes <= 100:
        raise FormatError(f"--points: expected 2 to 100 sizes, got {points}")
    if days is not None and match != "deadline":
        raise FormatError("--days counts only with --match deadline; give both, or neither")
    limit = None if days is None else read_days(days)
    job, place = other
    with open_mapper(workers) as mapper:
        how: Any = {"match": match, "days": limit, "points": sizes, "batches": batches, "mapper": mapper}
        replacement = (
            replace_by_mixture(first, (job, place), constants, assumptions, **how)
            if isinstance(place, Mixture)
            else replace_pool(first, (job, place), constants, assumptions, **how)
        )
    summary = f"replacement: {describe_answer(replacement)}"
    return Answer(replacement, summary, partial(replacement_document, replacement, constants), constants)


def size(
    model: ModelLike,
    pool: SizedPool,
    *,
    days: Quantity,
    budget: Quantity | None = None,
    batch: Batches | None = None,
    seq: Count | None = None,
    tokens: Quantity | None = None,
    precision: str | Precision | None = None,
    task: str | None = None,
    lora_rank: Count | None = None,
    lora_targets: str | None = None,
    teacher: File | Model | None = None,
    lengths: Count | None = None,
    site: str | None = None,
    rent: Pairs = (),
    buy: bool = False,
    chip_price: Pairs = (),
    unit_price: Pairs = (),
    quotes: File | None = None,
    power: Pairs = (),
    electricity: Quantity | None = None,
    pue: Quantity | None = None,
    loss: str = "job",
    replica_chips: Count | None = None,
    calibration: CalibrationLike = None,
    software: SoftwareLike | None = None,
    with_: Words = (),
    without: Words = (),
) -> Answer[Sizing]:
    """Say how many chips of a pool train ``tokens`` in ``days``, failures included.

    ``budget`` is in dollars. What binds is said when it cannot be done. The other
    options are those of ``tianji.compare``.

    Raises FormatError without tokens, InfeasibleError where the model fits no number of
    chips, UnknownFigureError where a budget needs a price that nobody published.
    """
    work, (batch, batches) = Work(task, lora_rank, lora_targets, teacher, lengths), read_batches(batch)
    cases = read_cases(model, (pool,), batch=batch, seq=seq, tokens=tokens, precision=precision, work=work)
    cases, site = share_site(cases, site)
    assumptions = read_assumptions(
        site=site, rent=rent, buy=buy, chip_price=chip_price, unit_price=unit_price, quotes=quotes, power=power,
        electricity=electricity, pue=pue, loss=loss, replica_chips=replica_chips,
    )  # fmt: skip
    (case,), constants = choose_for_cases(cases, calibration, SoftwareOptions(software, with_, without))
    job, place = require_pool(case, "size", "`tianji plan MODEL MIXTURE --tokens` says how many days it takes")
    assumptions = _with_errors(assumptions, constants)
    limit = None if budget is None else read_money(budget, "--budget")
    sizing = size_pool(job, place, constants, read_days(days), assumptions, budget=limit, batches=batches)
    chips = f"{sizing.best.pool.chips:,} chips of {sizing.best.pool.name}"
    outcome = f"{chips} finish in" if sizing.is_met else f"at best {chips}, {sizing.binding[0]}; asked for"
    return Answer(
        sizing, f"size: {outcome} {sizing.days:g} days", partial(sizing_document, sizing, constants), constants
    )


def _with_errors(assumptions: Assumptions, calibration: Calibration) -> Assumptions:
    """Return the assumptions with what moves the ranges of all pools: the errors of the nearest runs."""
    return dataclasses.replace(assumptions, move_range=NearErrors(calibration))
