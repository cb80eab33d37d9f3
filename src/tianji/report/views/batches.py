"""The same question at other batches, in a view: a curve for each pool and a table."""

from __future__ import annotations

from collections.abc import Iterator

from tianji.report.charts import ChartPoint, ChartSeries, CurveChart
from tianji.report.documents.batches import AtBatchDocument, OtherBatchesDocument, PoolAtBatchDocument
from tianji.report.view import Cell, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of, ranged, ranged_or, share_of, time_of

BESIDE = "At other batches"
UNFIT = "nothing fits"


def batches_lead(batches: OtherBatchesDocument | None) -> tuple[str, ...]:
    """Return the sentence on other batches, where there is one."""
    return (batches["says"],) if batches and batches["says"] else ()


def batches_section(batches: OtherBatchesDocument | None, of_chips: bool = False) -> Iterator[ViewSection]:
    """Yield the section on other batches; ``of_chips``: each has its own number of chips, which the curve shows."""
    if batches is None:
        return
    yield ViewSection(BESIDE, (_curve(batches["points"], of_chips), _table(batches["points"])))


def _curve(points: list[AtBatchDocument], of_chips: bool) -> CurveChart:
    places = range(max(len(point["pools"]) for point in points))
    every = [_series(points, place, of_chips) for place in places]
    # What is the same at each batch is no curve.
    series = tuple(s for s in every if s.points and (not of_chips or len({p.y for p in s.points}) > 1)) or tuple(every)
    y_axis, what = ("chips", "Chips") if of_chips else ("useful tokens/s", "Useful tokens/s")
    title = f"{what} against the batch, each with its own best strategy"
    return CurveChart("batches", title, "sequences of a step", y_axis, series, is_log=True)


def _series(points: list[AtBatchDocument], place: int, of_chips: bool) -> ChartSeries:
    known = [(point, pool) for point in points if (pool := point["pools"][place]) is not None]
    made = []
    for point, pool in known:
        useful, batch = pool["useful_tokens_per_s"], point["batch"]
        text = f"{batch:,} sequences, {pool['pool']}: {ranged(useful, '{:,.0f}'.format).words} useful tokens/s"
        height = float(pool["chips"]) if of_chips else useful["nominal"]
        low, high = (None, None) if of_chips else (useful["low"], useful["high"])
        made.append(ChartPoint(float(batch), height, text, low, high, point["is_answer"]))
    name = known[-1][1]["pool"] if known else ""
    return ChartSeries(name.rpartition(" × ")[2] if of_chips else name, tuple(made))


def _table(points: list[AtBatchDocument]) -> ViewTable:
    several = len(points[0]["pools"]) > 1
    columns = (
        ViewColumn("sequences"), ViewColumn("pool"), ViewColumn("step", "s", rank=3),
        ViewColumn("useful tokens/s", is_ranged=True), ViewColumn("MFU", "1", rank=2), ViewColumn("layout", rank=1),
        *((ViewColumn("over the first", is_ranged=True),) if several else ()),
    )  # fmt: skip
    rows = [_row(point["batch"], pool, several) for point in points for pool in point["pools"]]
    places = [point["is_answer"] for point in points for _ in point["pools"]]
    best = places.index(True) if not several and True in places else None
    note = "Each with its own best strategy; useful: after failures."
    return ViewTable("batches", "", columns, tuple(rows), note, best=best, keys=2 if several else 1)


def _row(batch: int, pool: PoolAtBatchDocument | None, several: bool) -> tuple[Cell, ...]:
    if pool is None:
        return (count_of(batch), UNFIT, "", "", "", "", *(("",) if several else ()))
    cells: tuple[Cell, ...] = (
        count_of(batch),
        pool["pool"],
        time_of(pool["step_time_s"]),
        ranged(pool["useful_tokens_per_s"], "{:,.0f}".format),
        "" if pool["mfu"] is None else share_of(pool["mfu"]),
        pool["layout"],
    )
    return (*cells, ranged_or(pool["over_first"], "{:.2f}".format, "")) if several else cells
