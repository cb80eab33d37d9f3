"""The view of a search: the best plans, time against memory, what binds, and what was set against the best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tianji.formatting import format_bytes, format_duration, format_number, format_percent
from tianji.parallel.strategy import Strategy
from tianji.report.charts import ChartPoint, ChartSeries, CurveChart, SwingChart
from tianji.report.documents.choice import PlanChoiceDocument
from tianji.report.documents.plan import ChosenDocument, PlanDocument, PublishedRunDocument, SearchDocument
from tianji.report.documents.plan_result import AgainstDocument, PlanResultDocument
from tianji.report.view import Block, Cell, Facts, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.basis import basis_section
from tianji.report.views.batches import batches_section
from tianji.report.views.breakdown import difference_of, swing_of
from tianji.report.views.cells import count_of, days_of, ranged, share_of, size_of, time_of
from tianji.report.views.choice import (
    BEYOND,
    choice_lead,
    choice_section,
    corrected_highlight,
    mfu_cell,
    standing_cells,
)
from tianji.report.views.layout_support import support_lead
from tianji.report.views.nearest import nearest_section
from tianji.report.views.plan_result import (
    describe_misfit,
    highlights,
    memory_section,
    plan_lead,
    shorten_layout,
    step_section,
)
from tianji.report.views.request_summary import bottom_lines, request_facts, title_of
from tianji.report.views.software import switch_gains_sections
from tianji.report.vocabulary import (
    KINDS,
    describe_changes,
    describe_difference,
    describe_error,
    explain_gain,
    signed_percent_of,
)
from tianji.units import GB

NEGLIGIBLE = 1e-4
"""Share of a step below which a term is left out of a comparison."""
MOST_FRONT = 8
"""Rows of the Pareto front on a terminal."""
SOON = 0.1
"""Seconds of a search below which its rate says nothing."""
RULE = "tp fills the node, smallest pp that fits"
"""What the naive choice is."""


def plan_view(document: PlanDocument) -> View:
    """Return the view of ``tianji plan``."""
    best, pool = document["plans"][0], document["pool"]
    sections = (
        ViewSection("Best plans", (plans_table(document["plans"], document["choice"]),)),
        *batches_section(document["batches"]),
        *choice_section(document),
        step_section(best, "Where a step of plan 1 goes"),
        memory_section(best, " of plan 1"),
        ViewSection("Time against memory", _front(document)),
        ViewSection("What binds plan 1", (Facts(tuple(map(_parted, document["binding"]))),)),
        *switch_gains_sections(document["switch_gains"], best["step_time_s"]),
        *_published(document["published"]),
        *nearest_section(document["nearest"]),
        *_against(document),
        basis_section(document),
    )
    idle = [document["idle"]["reason"] + "."] if document["idle"]["reason"] else []
    lead = (*plan_lead(best, pool["chips"]), *choice_lead(document), *_stages(document), *idle)
    lead = (*lead, *_near_size(document), *_runs_on(document), *support_lead(document["layout_support"]))
    first, *rest = highlights(best, document["job"]["linear_dtype"])
    numbers = (first, *corrected_highlight(document["choice"]), *rest)
    asked = request_facts(document, _search_facts(document))
    return View(title_of("Plan", document), lead, numbers, sections, asked, bottom_lines(document["bottom_line"]))


def _parted(text: str) -> tuple[str, str]:
    head, colon, tail = text.partition(": ")
    return (head, tail) if colon else ("", text)


def _search_facts(document: PlanDocument) -> tuple[tuple[str, str], ...]:
    chosen = document["chosen"]
    return (
        ("Search", describe_search(document["search"])),
        *((("Chosen", describe_choice(chosen)),) if chosen else ()),
    )


def describe_search(search: SearchDocument) -> str:
    """Return how much was priced, and how long it took."""
    is_timed = search["seconds"] > SOON and search["candidates_per_s"]
    rate = f" ({search['candidates_per_s']:,.0f} a second)" if is_timed else ""
    priced = f"{search['candidates']:,} legal strategies, all priced in {format_duration(search['seconds'])}{rate}"
    return f"{priced}; {search['feasible']:,} fit the memory"


def describe_choice(chosen: ChosenDocument) -> str:
    """Return what the chosen number of chips spends, beside all that were offered."""
    chips, offered, spent = chosen["chips"], chosen["offered_chips"], chosen["spent"]
    figure = ranged(spent, format_number)
    text = (
        f"{chips:,} of {offered:,} chips: the least {chosen['objective']} of {chosen['sizes_tried']} numbers tried,"
        f" {figure.text} {chosen['unit']} ({figure.span})"
    )
    every = chosen["spent_on_all_chips"]
    if every is None or chips == offered:
        return text
    return f"{text}; all {offered:,} chips: {format_number(every['nominal'])}"


def _stages(document: PlanDocument) -> Iterator[str]:
    if dealt := document["dealt"]:
        yield (
            f"Its stages hold {dealt['stages']}; with the layers dealt out evenly, {dealt['dealt_stages']}, a step takes"
            f" {format_duration(dealt['step_time_s'])} ({format_percent(dealt['slower_by_ratio'])} longer)."
        )


def _near_size(document: PlanDocument) -> Iterator[str]:
    if near := document["near_size"]:
        slower = near["slower_by_ratio"]
        how = f"{format_percent(slower)} longer" if slower > 0 else "no longer"
        yield f"{near['chips']:,} chips do nearly as well: {format_duration(near['step_time_s'])} a step, {how}."


def _runs_on(document: PlanDocument) -> Iterator[str]:
    if runs_on := document["runs_on"]:
        refused = runs_on["faster_refused"]
        faster = f"; {refused} faster ones are refused: {runs_on['why']}" if refused else ""
        yield f"Every plan here runs on {runs_on['engine']} as it is priced{faster}."
        over = max(document["plans"][0]["step_time_s"] / runs_on["free_step_time_s"] - 1.0, 0.0)
        free = f"{format_duration(runs_on['free_step_time_s'])} ({runs_on['free_layout']})"
        yield f"Of all plans under the same software the fastest takes {free}: this engine costs {format_percent(over)}."


def plans_table(plans: Sequence[PlanResultDocument], choice: PlanChoiceDocument | None = None) -> ViewTable:
    """Return the best plans, best first."""
    has_days = plans[0]["days_range"] is not None
    columns = (
        ViewColumn("#"), ViewColumn("layout"), ViewColumn("step", "s", is_ranged=True), ViewColumn("tokens/s", rank=6),
        ViewColumn("tokens/s/chip", rank=2), ViewColumn("MFU", "1"), ViewColumn("memory", "bytes"),
        ViewColumn("left", "bytes", rank=3),
        *((ViewColumn("days", "days", is_ranged=True),) if has_days else ()),
        *((ViewColumn("regret", "1", rank=4), ViewColumn("chance", "1", rank=5)) if choice else ()),
    )  # fmt: skip
    rows = tuple((*_plan_row(plan, i + 1), *standing_cells(choice, i)) for i, plan in enumerate(plans))
    notes = ["Ranges are of 80 %."] if _has_range(plans[0]) else []
    if any(plan["is_mfu_beyond_measured"] and plan["measured_mfu"] for plan in plans):
        notes.append(BEYOND)
    return ViewTable("plans", "", columns, rows, best=0, note=" ".join(notes))


def _has_range(plan: PlanResultDocument) -> bool:
    span = plan["step_time_range_s"]
    return span["low"] != span["high"]


def _plan_row(plan: PlanResultDocument, place: int) -> tuple[Cell, ...]:
    days = plan["days_range"]
    return (
        str(place),
        shorten_layout(plan["strategy"]),
        ranged(plan["step_time_range_s"], format_duration),
        count_of(plan["tokens_per_s"]),
        count_of(plan["tokens_per_s_per_chip"]),
        mfu_cell(plan),
        size_of(plan["memory_total_bytes"]),
        size_of(plan["memory_limit_bytes"] - plan["memory_total_bytes"]),
        *((days_of(days),) if days else ()),
    )


# --- time against memory --------------------------------------------------------------------------------------
def _front(document: PlanDocument) -> tuple[Block, ...]:
    return (front_chart(document), front_table(document["front"]))


def front_chart(document: PlanDocument) -> CurveChart:
    """Return the plans that none beats in both time and memory, with those that are set against the best."""
    front = tuple(map(_front_point, reversed(document["front"])))
    others = (("rule of thumb", document["naive"]), ("your layout", document["explained"]))
    series = (
        ChartSeries("no plan is both faster and smaller", front),
        *(ChartSeries(label, (_front_point(plan),), is_line=False) for label, plan in others if plan),
    )
    limit = document["plans"][0]["memory_limit_bytes"] / GB
    return CurveChart(
        "front", "What less memory costs in time", "memory of the fullest chip, GB", "step, s", series,
        from_zero=False, marks=((0, limit, "usable"),),
    )  # fmt: skip


def _front_point(plan: PlanResultDocument) -> ChartPoint:
    gives = f"{format_duration(plan['step_time_s'])}, {format_bytes(plan['memory_total_bytes'])}"
    text = f"{shorten_layout(plan['strategy'])}: {gives}"
    return ChartPoint(plan["memory_total_bytes"] / GB, plan["step_time_s"], text)


def front_table(front: Sequence[PlanResultDocument]) -> ViewTable:
    """Return the Pareto front as a table: what less memory costs in time."""
    columns = (
        ViewColumn("layout"), ViewColumn("step", "s"), ViewColumn("memory", "bytes"), ViewColumn("of the usable", "1"),
    )  # fmt: skip
    rows = tuple(
        (
            shorten_layout(plan["strategy"]),
            time_of(plan["step_time_s"]),
            size_of(plan["memory_total_bytes"]),
            share_of(plan["memory_total_bytes"] / plan["memory_limit_bytes"]),
        )
        for plan in front
    )
    note = "None is both faster and smaller."
    return ViewTable("front", "", columns, rows, note, bar=3, bar_limit=1.0, most=MOST_FRONT, thinning="even")


# --- beside the best ------------------------------------------------------------------------------------------
def _published(runs: Sequence[PublishedRunDocument]) -> Iterator[ViewSection]:
    if runs:
        yield ViewSection(
            "Published runs of this job", (Facts(tuple((run["id"], describe_published(run)) for run in runs)),)
        )


def describe_published(run: PublishedRunDocument) -> str:
    """Return what was measured, how well it is predicted, and what plan 1 promises over it and why."""
    measured = f"{run['source']}: {format_duration(run['measured_step_time_s'])} a step with {run['layout']}"
    of_run = f"our time for that layout is {describe_error(run['error'])}" if run["error"] is not None else ""
    promise = f"Plan 1 over what was measured: {signed_percent_of(run['gain_promised'])} tokens/s"
    layout = f"its layout {signed_percent_of(run['gain_of_layout'])}"
    chosen = (
        f"the correction for having been chosen {signed_percent_of(-run['correction'] / (1.0 + run['correction']))}"
    )
    ours = f"our error on this run {signed_percent_of(-(run['error'] or 0.0) / (1.0 + (run['error'] or 0.0)))}"
    why = explain_gain(run["gain_promised"], run["saved_mostly_s"].items(), run["is_doubtful"])
    return f"{measured}; {of_run}. {promise} ({layout}, {chosen}, {ours}){why}."


def _against(document: PlanDocument) -> Iterator[ViewSection]:
    best, explained, naive = document["plans"][0], document["explained"], document["naive"]
    if explained:
        yield against_section(explained, best, "explained", "Your layout against plan 1")
    if naive:
        verb = "lost" if naive["slower_by_s"] > 0 else "is as fast"
        yield against_section(naive, best, "naive", f"The naive choice {verb}", RULE)
    else:
        yield ViewSection("The naive choice", (f"It gives nothing legal that fits: {RULE}.",))


def against_section(
    plan: AgainstDocument, best: PlanResultDocument, name: str, title: str, rule: str = ""
) -> ViewSection:
    """Return a plan beside the best one: what changes, and each term that does."""
    strategies = Strategy(**plan["strategy"]), Strategy(**best["strategy"])
    facts = (
        *((("rule", rule),) if rule else ()),
        ("this one", shorten_layout(plan["strategy"])),
        ("plan 1", shorten_layout(best["strategy"])),
        ("changes", describe_changes(*strategies)),
        *((("memory", describe_misfit(plan)),) if not plan["fits"] else ()),
    )
    lost = sorted(plan["breakdown_difference_s"].items(), key=lambda pair: -abs(pair[1]))
    shown = [(kind, seconds) for kind, seconds in lost if _is_notable(kind, plan, best)]
    swings = tuple(
        swing_of(KINDS.get(kind, kind), seconds, difference_of(seconds).text) for kind, seconds in shown if seconds
    )
    chart = SwingChart(f"{name}-difference", "Seconds of a step that each term takes more or less than in plan 1",
                       "difference, s", swings, (0.0, "plan 1"), legend=("faster", "slower"))  # fmt: skip
    return ViewSection(title, (Facts(facts), *((chart,) if swings else ()), difference_table(plan, best, name, shown)))


def _is_notable(kind: str, plan: PlanResultDocument, best: PlanResultDocument) -> bool:
    most = max(plan["breakdown_s"].get(kind, 0.0), best["breakdown_s"].get(kind, 0.0))
    return most > NEGLIGIBLE * best["step_time_s"]


def difference_table(
    plan: AgainstDocument, best: PlanResultDocument, name: str, terms: Sequence[tuple[str, float]]
) -> ViewTable:
    """Return each term of two plans, the whole step and the memory."""
    step = best["step_time_s"]
    rows: list[tuple[Cell, ...]] = [
        (KINDS.get(kind, kind), time_of(best["breakdown_s"].get(kind, 0.0)), time_of(plan["breakdown_s"].get(kind, 0.0)),
         difference_of(seconds), _relative(seconds / step))
        for kind, seconds in terms
    ]  # fmt: skip
    rows.append(("step", time_of(step), time_of(plan["step_time_s"]), difference_of(plan["slower_by_s"]),
                 _relative(plan["slower_by_ratio"])))  # fmt: skip
    columns = (ViewColumn("term"), ViewColumn("plan 1", "s"), ViewColumn("this one", "s"), ViewColumn("difference", "s"),
               ViewColumn("of the step", "1"))  # fmt: skip
    totals = format_bytes(best["memory_total_bytes"]), format_bytes(plan["memory_total_bytes"])
    note = f"Memory of the fullest chip: {totals[0]} in plan 1, {totals[1]} in this one."
    return ViewTable(name, "", columns, tuple(rows), note, has_total=True)


def _relative(ratio: float) -> Number:
    return Number(ratio, describe_difference(ratio))
