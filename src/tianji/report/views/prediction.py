"""The view of one predicted plan."""

from __future__ import annotations

from tianji.formatting import format_duration, format_percent
from tianji.report.documents.prediction import BestDocument, PredictionDocument
from tianji.report.view import Facts, View
from tianji.report.views.basis import basis_section
from tianji.report.views.measured import measured_lead, measured_sections
from tianji.report.views.nearest import nearest_section
from tianji.report.views.plan_result import highlights, memory_section, plan_lead, shorten_layout, step_section
from tianji.report.views.request_summary import request_facts, title_of
from tianji.report.views.software import switch_gains_sections

SAME = 5e-4
"""Share of the best step time by which another is no slower."""


def prediction_view(document: PredictionDocument) -> View:
    """Return the view of ``tianji predict``."""
    plan, best = document["plans"][0], document["best"]
    lead = [*plan_lead(plan, document["pool"]["chips"])]
    lead += [*measured_lead(document["measured"], plan)]
    lead += [describe_best(best, plan["fits"])] if best else []
    launch = document["launch"]
    ignored = (("Ignored", " ".join(launch["ignored"])),) if launch and launch["ignored"] else ()
    sections = (
        *measured_sections(document["measured"]),
        step_section(plan, "Where a step goes"),
        memory_section(plan),
        *switch_gains_sections(document["switch_gains"], plan["step_time_s"]),
        *nearest_section(document["nearest"]),
        basis_section(document),
    )
    asked: Facts = request_facts(document, ignored)
    numbers = highlights(plan, document["job"]["linear_dtype"])
    return View(title_of("Prediction", document), tuple(lead), numbers, sections, asked)


def describe_best(best: BestDocument, fits: bool) -> str:
    """Return how far the plan of a launch script is from the best one."""
    slower, strategy, step = best["slower_by_ratio"], best["strategy"], best["step_time_s"]
    if slower is None or strategy is None or step is None:
        return f"There is no best plan to compare it with: {best['reason']}"
    pace = f"is {format_percent(-slower)} faster"
    if slower > SAME:
        pace = f"takes {format_percent(slower)} longer"
    elif slower > -SAME:
        pace = "is as fast"
    misfit = "" if fits else ", and its plan does not fit the memory"
    return (
        f"The best plan, {shorten_layout(strategy)}, takes {format_duration(step)} a step; the script {pace}{misfit}."
    )
