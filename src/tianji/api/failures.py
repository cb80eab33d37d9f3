"""``goodput``: how much of a plan's time lasts when chips fail, where the rest goes, and what each remedy is worth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from tianji.api.answer import Answer
from tianji.api.mixtures import find_mixed_outcome, refuse_options
from tianji.api.quantities import Count, Quantity, read_count, read_money, read_optional, read_quantity
from tianji.api.requests import (
    CalibrationLike,
    File,
    ModelLike,
    PlanLike,
    PoolLike,
    Sizes,
    StrategyLike,
    find_calibration,
    find_mixture,
    find_plan,
    find_strategy_fields,
)
from tianji.api.software import NOTHING_SAID
from tianji.catalog import load_failures
from tianji.errors import FormatError
from tianji.formatting import format_percent
from tianji.hardware.calibration import Calibration
from tianji.hardware.failure_profile import FailureProfile
from tianji.hardware.mixture import Mixture
from tianji.parallel.plan import Plan
from tianji.prediction import predict
from tianji.prediction.goodput import Goodput, expect_goodput
from tianji.prediction.remedies import weigh_choices, weigh_intervals, weigh_spares
from tianji.reliability import Reliability
from tianji.report.documents.goodput import Remedies, goodput_document
from tianji.report.documents.mixed_goodput import mixed_goodput_document
from tianji.result import Result
from tianji.search.mixed_goodput import expect_mixed_goodput
from tianji.units import Dollars, parse_count
from tianji.validation.near_errors import NearErrors
from tianji.workload import Precision


def read_loss(loss: str, replica_chips: Count | None) -> Reliability:
    """Return the usual choices of a run under failures, but for what a failure stops.

    Raises InputError for a word or a count that cannot be used.
    """
    if replica_chips is not None and loss == "job":
        raise FormatError("--replica-chips counts only with --loss replica; give both, or neither")
    return Reliability(loss=loss, replica_chips=read_count(replica_chips, "--replica-chips"))


def goodput(
    model_or_plan: ModelLike | PlanLike,
    pool: PoolLike | Mixture | None = None,
    strategy: StrategyLike | None = None,
    *,
    failures: File | FailureProfile | None = None,
    loss: str = "job",
    replica_chips: Count | None = None,
    recovery: str = "job",
    replacement: str = "spare",
    store: str | Iterable[str] = (),
    asynchronous: bool = True,
    interval: Quantity | None = None,
    save_time: Quantity | None = None,
    recovery_time: Quantity | None = None,
    storage_bandwidth: Quantity | None = None,
    repair_time: Quantity | None = None,
    spares: Count | None = None,
    confidence: Quantity = 0.99,
    straggle: Quantity | None = None,
    corruption: bool = True,
    shape: Quantity = 1,
    recovery_spread: Quantity = 0,
    horizon: Quantity = "30 d",
    method: str = "auto",
    runs: Count = 1000,
    seed: int = 0,
    price: Quantity | None = None,
    chips: Count | None = None,
    batch: Count | None = None,
    seq: Count | None = None,
    tokens: Quantity | None = None,
    precision: str | Precision | None = None,
    optimizer_dtype: str | None = None,
    moe_imbalance: Quantity | None = None,
    calibration: CalibrationLike = None,
    **fields: Any,
) -> Answer[Goodput]:
    """Say how much of a plan's time becomes lasting progress, and where the rest goes.

    Takes a plan, or a model and a pool with a strategy, as ``tianji.predict`` does.
    Failure rates, recovery times and bandwidths that you leave out are those of
    ``failures``, a profile of the catalog (default: the chip's own). On a mixture of
    unlike chips the plan that ``tianji.plan`` takes counts.

    * ``loss="replica"``: a failure stops one data-parallel replica, not the whole job.
    * ``recovery`` is the fastest rung in use: in-process, process, pod or job.
    * ``store="peer"``: checkpoints also in another node's memory (``local``: the own
      host's).
    * Times are texts like ``"30 min"`` or seconds; ``storage_bandwidth`` is bytes a
      second.
    * ``method="montecarlo"`` samples ``runs`` runs where the formulas do not hold.
    * ``price="2 USD"`` of a chip-hour says what each remedy is worth in money.

    >>> answer = goodput("llama-3.1-70b", "hgx-h100", chips=1024, tp=8, pp=4)
    >>> 0.9 < answer.nominal.goodput < 1
    True
    """
    reliability = Reliability(
        profile=failures if failures is None or isinstance(failures, FailureProfile) else load_failures(failures),
        loss=loss,
        replica_chips=read_count(replica_chips, "--replica-chips"),
        recovery=recovery,
        replacement=replacement,
        stores=(*((store,) if isinstance(store, str) else store), "storage"),
        asynchronous=asynchronous,
        interval=read_optional(interval, "time", "--interval"),
        save_time=read_optional(save_time, "time", "--save-time"),
        recovery_time=read_optional(recovery_time, "time", "--recovery-time"),
        storage_bandwidth=read_optional(storage_bandwidth, "bandwidth", "--storage-bandwidth"),
        repair_time=read_optional(repair_time, "time", "--repair-time"),
        spare_nodes=None if spares is None else 0 if str(spares).strip() == "0" else parse_count(spares, "--spares"),
        confidence=read_quantity(confidence, "ratio", "--confidence"),
        straggle=read_optional(straggle, "ratio", "--straggle"),
        corruption=corruption,
        shape=read_quantity(shape, "count", "--shape"),
        recovery_spread=read_quantity(recovery_spread, "count", "--recovery-spread"),
        horizon=read_quantity(horizon, "time", "--horizon"),
    )
    dollars = None if price is None else read_money(price, "--price")
    if pool is not None and (mixture := find_mixture(pool)) is not None:
        refuse_options({"--chips": chips, "--method": method == "montecarlo"}, mixture)
        fixed = find_strategy_fields(strategy, fields)
        sizes = Sizes(None, batch, seq, tokens, precision, optimizer_dtype, moe_imbalance)
        assert not isinstance(model_or_plan, (Plan, Result, Answer)), "a plan holds its own pool"
        return _of_mixture(model_or_plan, mixture, sizes, fixed, find_calibration(calibration), reliability, dollars)
    how: dict[str, Any] = {"method": method, "jobs": parse_count(runs, "--runs"), "seed": seed}
    sizes = Sizes(chips, batch, seq, tokens, precision, optimizer_dtype, moe_imbalance)
    assert not isinstance(pool, Mixture)
    plan, constants = find_plan("goodput", model_or_plan, pool, strategy, fields, sizes, calibration)
    result = NearErrors(constants)(predict(plan, constants))
    expected = expect_goodput(result, reliability, **how)
    remedies = Remedies(
        choices=weigh_choices(result, reliability, **how),
        intervals=weigh_intervals(result, reliability, **how),
        spares=weigh_spares(result, reliability, **how),
    )
    share = expected.goodput
    summary = (
        f"goodput of {plan.job.model.name} on {plan.strategy.chips:,} chips of {plan.pool.name}: {format_percent(share.nominal)}"
        f" ({format_percent(share.low)} to {format_percent(share.high)})"
    )
    return Answer(
        expected, summary, partial(goodput_document, result, expected, remedies, constants, dollars), constants
    )


def _of_mixture(
    model: ModelLike, mixture: Mixture, sizes: Sizes, fixed: Mapping[str, Any], calibration: Calibration,
    reliability: Reliability, price: Dollars | None,
) -> Answer[Goodput]:  # fmt: skip
    """Return the goodput of what is taken of a mixture: failures of all parts together, by the closed forms."""
    outcome, calibration = find_mixed_outcome(model, mixture, sizes, fixed, calibration, NOTHING_SAID)
    expected = expect_mixed_goodput(outcome, reliability)
    remedies = Remedies(
        choices=weigh_choices(outcome, reliability, expect=expect_mixed_goodput),
        intervals=weigh_intervals(outcome, reliability, expect=expect_mixed_goodput),
        spares={},
    )
    share = expected.goodput
    summary = (
        f"goodput of {outcome.job.model.name} on the mixture {mixture.name}: {format_percent(share.nominal)}"
        f" ({format_percent(share.low)} to {format_percent(share.high)})"
    )
    make_document = partial(mixed_goodput_document, outcome, expected, remedies, calibration, price)
    return Answer(expected, summary, make_document, calibration)
