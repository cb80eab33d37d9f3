"""Tables of pool against pool, for the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tianji.comparison import Assessment, Comparison, Replacement, Sizing
from tianji.comparison.curve import Curve
from tianji.comparison.measures import MEASURES, Measure
from tianji.comparison.replacement import describe_answer
from tianji.comparison.side_by_side import format_pool
from tianji.hardware.calibration import Calibration
from tianji.parallel.layouts import abbreviate_layout
from tianji.prediction.predict_plan import spell_basis
from tianji.ranges import Range
from tianji.report.documents.goodput_summary import describe_loss
from tianji.report.render.terminal import bar, labelled, plain_table
from tianji.units import KILO

WIDTH = 12
"""Columns of the longest bar: with it the widest table fits a terminal of 80."""


def caveats(assessments: Sequence[Assessment]) -> list[str]:
    """Return what is assumed of pools that are larger than one unit, and which chips stand idle."""
    return [f"{a.pool.name}: {said}" for a in assessments for said in (a.pool.caveat, a.idle) if said]


def print_comparison(console: Console, comparison: Comparison, calibration: Calibration) -> None:
    """Print the verdict, the measures side by side with ratios to the first pool, and what they stand on."""
    for sentence in comparison.verdicts:
        console.print(Text(sentence, style="bold"))
    for sentence in caveats(comparison.assessments):
        console.print(Text(sentence))
    console.print()
    console.print(_measure_table(comparison.assessments, ratios=comparison))
    console.print()
    console.print(labelled(_basis(comparison.assessments, calibration)))


def print_replacement(console: Console, found: Replacement, calibration: Calibration) -> None:
    """Print the answer, both curves, the tornado, the two pools side by side and what they stand on."""
    pair = (found.first, found.other)
    console.print(Text(describe_answer(found), style="bold"))
    for sentence in (*caveats(pair), *found.verdicts):
        console.print(Text(sentence))
    console.print()
    most = max(span.nominal for curve in (found.first_curve, found.other_curve) for _, span in curve.useful_by_size())
    for curve, chosen in ((found.first_curve, found.first), (found.other_curve, found.other)):
        console.print(_curve_table(curve, chosen, most))
        console.print()
    console.print(_tornado(found))
    console.print()
    console.print(_measure_table(pair, ratios=Comparison(pair, ())))
    console.print()
    console.print(labelled(_basis(pair, calibration)))


def print_sizing(console: Console, found: Sizing, calibration: Calibration) -> None:
    """Print the size or what binds, the curve, the measures and what they stand on."""
    a = found.best
    units = math.ceil(a.pool.chips / a.pool.unit)
    size = f"{a.pool.chips:,} chips of {a.pool.name} ({units:,} × {a.pool.unit:,})"
    if found.is_met:
        again = f"{found.cautious:,} chips" if found.cautious else "no number of chips"
        console.print(
            Text(f"{size} finish in {_cell(a.days, 1.0)} days; to be in time in the slow case too: {again}.", "bold")
        )
    else:
        console.print(Text("It cannot be done as asked. What binds:", style="bold red"))
        for reason in found.binding:
            console.print(Text(f"  {reason}"))
        console.print(Text(f"The nearest: {size}, {_cell(a.days, 1.0)} days."))
    for sentence in caveats((a,)):
        console.print(Text(sentence))
    if found.cost is not None:
        console.print(Text(f"The run costs {found.cost:,.0f} USD, nominally."))
    console.print()
    console.print(_curve_table(found.curve, a, max(span.nominal for _, span in found.curve.useful_by_size())))
    console.print()
    console.print(_measure_table((a,)))
    console.print()
    console.print(labelled(_basis((a,), calibration)))


def _measure_table(assessments: tuple[Assessment, ...], ratios: Comparison | None = None) -> Table:
    table = plain_table("Nominal, with low and high" + ("; ratios to the first" if ratios else ""))
    table.add_column("")
    for place, a in enumerate(assessments):
        table.add_column(format_pool(a), justify="right", overflow="fold")
        if place:
            table.add_column("ratio", justify="right", no_wrap=True)
    for m in MEASURES:
        cells = _row(m, assessments, ratios)
        if cells:
            table.add_row(f"{m.title}, {m.unit}" if m.unit else m.title, *cells)
    layouts = [abbreviate_layout(a.result.plan.strategy) for a in assessments]
    table.add_row("layout", *_with_gaps(layouts))
    return table


def _row(m: Measure, assessments: tuple[Assessment, ...], ratios: Comparison | None) -> list[str]:
    spans = [m.of(a) for a in assessments]
    if all(span is None for span in spans):
        return []
    over = ratios.ratios(m.key) if ratios else (None,) * len(spans)
    cells: list[str] = []
    for place, (span, ratio) in enumerate(zip(spans, over, strict=True)):
        cells.append(_cell(span, m.scale))
        if place:
            cells.append("" if ratio is None else f"{ratio.nominal:.2f}")
    return cells


def _with_gaps(texts: list[str]) -> list[str]:
    return [cell for place, text in enumerate(texts) for cell in ((text, "") if place else (text,))]


def _cell(span: Range | None, scale: float) -> str:
    if span is None:
        return "not published"
    low, nominal, high = (_number(x * scale) for x in (span.low, span.nominal, span.high))
    return nominal if low == high else f"{nominal} ({low} to {high})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _curve_table(curve: Curve, chosen: Assessment, most: float) -> Table:
    knee = curve.knee()
    where = f"the knee is at {knee:,} chips" if knee else "no knee within these sizes"
    table = plain_table(f"Useful tokens/s against chips: {curve.pool.name}; {where}")
    for name in ("chips", "useful k tokens/s", "of one chip", "MFU", "goodput"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=WIDTH)
    for n, span in curve.useful_by_size():
        a = curve.at(n)
        assert a is not None
        table.add_row(
            f"{n:,}", _cell(span, 1.0 / KILO), f"{span.nominal / n:,.0f}", f"{a.result.mfu:.1%}",
            f"{a.goodput.goodput.nominal:.1%}", Text(bar(span.nominal / most, WIDTH), "magenta"),
            style="bold" if n == chosen.pool.chips else "",
        )  # fmt: skip
    return table


def _tornado(found: Replacement) -> Table:
    table = plain_table(f"What would flip the answer ({found.answer})")
    table.add_column("assumption about the other pool")
    for name in ("low", "", "high", ""):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("flips", no_wrap=True)
    table.add_column("", no_wrap=True, min_width=WIDTH)
    most = max((s.width for s in found.sensitivities), default=1.0) or 1.0
    for s in found.sensitivities:
        table.add_row(
            s.assumption, s.low, f"{s.at_low:.2f}", s.high, f"{s.at_high:.2f}", "yes" if s.flips else "no",
            Text(bar(s.width / most, WIDTH), "magenta"),
        )  # fmt: skip
    return table


def _basis(assessments: tuple[Assessment, ...], calibration: Calibration) -> list[tuple[str, str]]:
    lines = [("assumed", text) for text in assessments[0].result.plan.job.assumed]
    for a in assessments:
        lines.append(
            (format_pool(a), f"stands in: {a.site.title}; calibration: {spell_basis(calibration, a.pool.chip)}")
        )
        if a.goodput.reliability.loss == "replica":
            lines.append(("  loss", describe_loss(a.goodput)))
        if a.chip_hour.sources and a.chip_hour.price is not None:
            lines.append(("  price", f"{a.chip_hour.basis}: {'; '.join(a.chip_hour.sources)}"))
        if a.power is not None:
            label = {
                "published": "",
                "derived": "derived from the chip's limit: ",
                "bracket": "a bracket, never published: ",
            }
            figure = a.power.figure
            lines.append(
                ("  power", f"{label[a.power.basis]}{figure.source} ({figure.confidence}) {figure.note}".strip())
            )
        lines += [("  unknown", text) for text in a.unknown]
    return lines
