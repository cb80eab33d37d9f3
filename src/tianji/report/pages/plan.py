"""The pages of a search and of one prediction, made from their JSON documents: a page cannot say another number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tianji.report.pages.basis import Document, basis_section
from tianji.report.pages.charts import Curves, Point, Series, Swing, Swings
from tianji.report.pages.parts import Cell, Column, Facts, Number, Page, Part, Section, Table
from tianji.report.pages.step import (
    breakdown_chart,
    breakdown_table,
    memory_chart,
    memory_table,
    ranged,
    shorten_layout,
    tiles,
)
from tianji.report.wording import KINDS, count, duration, explain_gain, size
from tianji.units import GB, show

NEGLIGIBLE = 1e-3
"""Share of a step below which the difference of a term is left out of a chart."""


def plan_page(document: Document) -> Page:
    """Return the page of ``outcome_document``."""
    best = document["plans"][0]
    search = document["search"]
    looked = f"Best of {search['candidates']:,} legal strategies, of which {search['feasible']:,} fit the memory."
    idle = [document["idle"]["reason"] + "."] if document["idle"]["reason"] else []
    plans = (plans_table(document["plans"]), breakdown_chart(best, "Where a step of plan 1 goes"), memory_chart(best))
    sections = [
        Section("The fastest plans", plans),
        Section("Time against memory", (front_chart(document), front_table(document["front"]))),
        Section("What binds plan 1", tuple(document["binding"])),
        *_published(document),
        *_against(document),
        Section("Every term", (breakdown_table(best), memory_table(best))),
        Section("What was asked", (Facts(tuple(request_facts(document))),)),
        basis_section(document),
    ]
    return Page(_title("Plan", document), (_layout(best), looked, *idle), tiles(best), tuple(sections))


def prediction_page(document: Document) -> Page:
    """Return the page of ``prediction_document``."""
    best = document["plans"][0]
    sections = (
        Section("Where time and memory go", (breakdown_chart(best, "Where a step goes"), memory_chart(best))),
        Section("Every term", (breakdown_table(best), memory_table(best))),
        Section("What was asked", (Facts(tuple(request_facts(document))),)),
        basis_section(document),
    )
    return Page(_title("Prediction", document), (_layout(best), *_beside_best(document)), tiles(best), sections)


def _published(document: Document) -> list[Section]:
    """Return what published runs of this job took, and what plan 1 promises over them."""
    told = []
    for run in document.get("published", []):
        measured, predicted = duration(run["measured_step_time_s"]), f"{run['error']:+.1%}"
        why = explain_gain(run["gain_promised"], run["saved_mostly_s"].items(), run["is_doubtful"])
        told.append(
            f"{run['source']} ({run['id']}): {measured} a step with {run['layout']}, predicted {predicted}. "
            f"Plan 1 promises {run['gain_promised']:+.1%} tokens/s{why}."
        )
    return [Section("Published runs of this job", tuple(told))] if told else []


def _beside_best(document: Document) -> list[str]:
    """Return how far the plan of a launch script is from the best one."""
    best = document.get("best")
    if best is None:
        return []
    if "reason" in best:
        return [f"There is no best plan to compare it with: {best['reason']}"]
    times = 1.0 + best["slower_by"]
    layout, seconds = shorten_layout(best["strategy"]), duration(best["step_time"])
    return [f"The best plan, {layout}, takes {seconds}: this one {times:.3g} times that."]


def _title(what: str, document: Document) -> str:
    return f"{what}: {document['model']['name']} on {document['pool']['chips']:,} x {document['pool']['name']}"


def _layout(plan: Document) -> str:
    lasting = plan["lasting"]
    loss = f" Under failures: {lasting['loss_in_words']}." if lasting.get("replicas", 1) > 1 else ""
    text = f"{shorten_layout(plan['strategy'])} on {plan['chips']:,} chips, {plan['num_microbatches']:,} micro-batches a step."
    return text + loss


def request_facts(document: Document) -> list[tuple[str, str]]:
    """Return what was asked: the model, the work, the pool."""
    model, job, pool = document["model"], document["job"], document["pool"]
    active = model["num_active_parameters"]
    sizes = f"{count(model['num_parameters'])} parameters"
    sizes += f", {count(active)} active" if active != model["num_parameters"] else ""
    tokens = f"; {count(job['tokens'])} tokens in all" if job["tokens"] else ""
    work = f"{job['global_batch_size']:,} sequences of {job['seq_len']:,} tokens a step, in {job['precision']}{tokens}"
    tiers = [
        f"{t['name']}: {t['topology']} of {t['span']:,} chips, "
        + (show(t["bandwidth_bytes_per_s"], "bandwidth") if t["bandwidth_bytes_per_s"] else "bandwidth unknown")
        for t in pool["tiers"]
    ]
    chip = f"{pool['chips']:,} x {pool['chip']}" + (
        f" ({pool['chip_status']})" if pool["chip_status"] != "shipping" else ""
    )
    return [
        ("Model", f"{model['name']}, {sizes}; {model['source']}".strip("; ")),
        ("Work", work),
        ("Pool", f"{pool['title'] or pool['name']}: {chip}"),
        *((("Beyond", pool["beyond_unit"]),) if pool["beyond_unit"] else ()),
        *(("Tier", text) for text in tiers),
    ]


def plans_table(plans: Sequence[Document]) -> Table:
    """Return the fastest plans, best first."""
    has_days = plans[0]["days"] is not None
    columns = [
        Column("#"), Column("layout"), Column("step", "s", is_ranged=True), Column("tokens/s"),
        Column("tokens/s of a chip"), Column("MFU", "1"), Column("memory", "bytes"), Column("left", "bytes"),
    ]  # fmt: skip
    columns += [Column("days", "days", is_ranged=True)] if has_days else []
    rows = [_plan_row(plan, place, has_days) for place, plan in enumerate(plans, 1)]
    return Table("plans", "Fastest plans, with 80 % ranges", tuple(columns), tuple(rows), best=0)


def _plan_row(plan: Document, place: int, has_days: bool) -> tuple[Cell, ...]:
    left = plan["memory_limit_bytes"] - plan["memory_total_bytes"]
    cells: list[Cell] = [
        str(place),
        shorten_layout(plan["strategy"]),
        ranged(plan["step_time_range"], duration),
        Number(plan["tokens_per_s"], f"{plan['tokens_per_s']:,.0f}"),
        Number(plan["tokens_per_s_per_chip"], f"{plan['tokens_per_s_per_chip']:,.0f}"),
        Number(plan["mfu"], f"{plan['mfu']:.1%}"),
        Number(plan["memory_total_bytes"], size(plan["memory_total_bytes"])),
        Number(left, size(left)),
    ]
    if has_days:
        cells.append(ranged({"nominal": plan["days"], **plan["days_range"]}, lambda days: f"{days:,.1f}"))
    return tuple(cells)


def front_chart(document: Document) -> Curves:
    """Return the plans that none beats in both time and memory, with those that are set against the best."""
    series = [Series("no plan is both faster and smaller", tuple(map(_front_point, reversed(document["front"]))))]
    others = {"naive": "rule of thumb", "explained": "your layout"}
    for key, label in others.items():
        if document.get(key):
            series.append(Series(label, (_front_point(document[key]),), is_line=False))
    limit = document["plans"][0]["memory_limit_bytes"] / GB
    return Curves(
        "front", "What less memory costs in time", "memory of the fullest chip, GB", "step, s", tuple(series),
        from_zero=False, marks=((0, limit, "usable"),),
    )  # fmt: skip


def _front_point(plan: Document) -> Point:
    text = f"{shorten_layout(plan['strategy'])}: {duration(plan['step_time_s'])}, {size(plan['memory_total_bytes'])}"
    return Point(plan["memory_total_bytes"] / GB, plan["step_time_s"], text)


def front_table(front: Sequence[Document]) -> Table:
    """Return the Pareto front as a table."""
    columns = (Column("layout"), Column("step", "s"), Column("memory", "bytes"), Column("of the usable", "1"))
    return Table(
        "front", "Time against memory: none is both faster and smaller", columns, tuple(map(_front_row, front))
    )


def _front_row(plan: Document) -> tuple[Cell, ...]:
    total = plan["memory_total_bytes"]
    share = total / plan["memory_limit_bytes"]
    step = Number(plan["step_time_s"], duration(plan["step_time_s"]))
    return (shorten_layout(plan["strategy"]), step, Number(total, size(total)), Number(share, f"{share:.0%}"))


def _against(document: Document) -> list[Section]:
    best = document["plans"][0]
    found = []
    if document.get("explained"):
        found.append(_against_section(document["explained"], best, "explained", "Your layout against plan 1"))
    if document["naive"]:
        title = "Why not the rule of thumb (tp fills the node, smallest pp that fits)"
        found.append(_against_section(document["naive"], best, "naive", title))
    return found


def _against_section(other: Document, best: Document, name: str, title: str) -> Section:
    step = best["step_time_s"]
    lost = sorted(other["breakdown_difference"].items(), key=lambda pair: -abs(pair[1]))
    shown = [(kind, seconds) for kind, seconds in lost if abs(seconds) > NEGLIGIBLE * step]
    swings = tuple(_difference(KINDS.get(kind, kind), seconds) for kind, seconds in shown)
    chart = Swings(f"{name}-difference", "Seconds of a step that each term takes more or less than in plan 1",
                   "difference, s", swings, (0.0, "plan 1"), legend=("faster", "slower"))  # fmt: skip
    columns = (Column("term"), Column("plan 1", "s"), Column("this one", "s"), Column("difference", "s"))
    rows = [
        _term_row(KINDS.get(k, k), best["breakdown"].get(k, 0.0), other["breakdown"].get(k, 0.0), value)
        for k, value in shown
    ]
    rows.append(_term_row("step", step, other["step_time_s"], other["slower_by_s"]))
    table = Table(name, f"Term by term: {shorten_layout(other['strategy'])}", columns, tuple(rows), best=len(rows) - 1)
    parts: list[Part] = [chart] if swings else []
    if not other["fits"]:
        over = other["memory_total_bytes"] - other["memory_limit_bytes"]
        parts.append(
            f"It does not fit: {size(over)} more than the usable {size(other['memory_limit_bytes'])} of a chip."
        )
    return Section(title, (*parts, table))


def _difference(label: str, seconds: float) -> Swing:
    text = ("+" if seconds > 0 else "-") + duration(abs(seconds))
    ends: dict[str, Any] = {"low": 0.0, "low_text": "", "high": seconds, "high_text": text}
    if seconds < 0:
        ends = {"low": seconds, "low_text": text, "high": 0.0, "high_text": ""}
    return Swing(label, **ends)


def _term_row(name: str, best: float, other: float, difference: float) -> tuple[Cell, ...]:
    sign = "+" if difference > 0 else "-" if difference < 0 else ""
    return (
        name, Number(best, duration(best)), Number(other, duration(other)),
        Number(difference, sign + duration(abs(difference))),
    )  # fmt: skip
