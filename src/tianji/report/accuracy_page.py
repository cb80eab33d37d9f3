"""A validation as one web page: no network, no script, light or dark as the reader's system is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from tianji.report.accuracy_tables import percent, signed
from tianji.report.scatter import draw_scatter
from tianji.units import GIB
from tianji.validation import Prediction, Verdict, find_sweeps

STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;background:#fff;color:#212529}
table{border-collapse:collapse;margin:.5rem 0 1.5rem;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .7rem;border-bottom:1px solid #dee2e6;text-align:right}
th:first-child,td:first-child{text-align:left}
td.bad{color:#c92a2a}
.scroll{overflow:auto;max-height:40rem}
svg{max-width:50rem}
@media(prefers-color-scheme:dark){body{background:#16181b;color:#dee2e6}th,td{border-color:#373a40}td.bad{color:#ff8787}}
"""
BAD = 0.18
"""Absolute error from which on a row stands out."""


def verdict_page(verdict: Verdict, groups: Sequence[str]) -> str:
    """Return the HTML document: figure, summary, groups, sweeps, every row and what was skipped."""
    time, memory = verdict.step_time, verdict.memory
    summary = [
        ["step time", f"{time.count:,}", percent(time.median), percent(time.p90), signed(time.bias), percent(time.coverage)],
        ["memory", f"{memory.count:,}", percent(memory.median), percent(memory.p90), signed(memory.bias), ""],
    ]  # fmt: skip
    head = ["", "rows", "median error", "90th percentile", "bias", "in 80 % range"]
    parts = [
        "<h1>Predicted against measured</h1>",
        f"<p>Tables: {escape(', '.join(verdict.tables))}. Calibration: {escape(verdict.calibration)}.</p>",
        _table(head, summary),
        f"<p>{memory.called_out:,} of {memory.ran:,} rows that ran ({memory.share_called_out:.1%}) are called out of "
        f"memory. {len(verdict.skipped):,} rows were skipped.</p>",
        verdict_figure(verdict.predictions),
    ]
    for by in groups:
        parts += [f"<h2>By {escape(by)}</h2>", _table([by, *head[1:], "memory error"], _group_rows(verdict, by))]
    parts += _sweeps(verdict)
    parts += ["<h2>Every row</h2>", '<div class="scroll">', _rows(verdict.predictions), "</div>"]
    if verdict.skipped:
        reasons = [[reason, f"{count:,}"] for reason, count in verdict.reasons().most_common()]
        parts += ["<h2>Skipped rows</h2>", _table(["reason", "rows"], reasons)]
    head_part = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
    title = "<title>Tianji: predicted against measured</title>"
    return (
        f'<!doctype html>\n<html lang="en"><head>{head_part}{title}</head><body>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def verdict_figure(predictions: Iterable[Prediction]) -> str:
    """Return the SVG of predicted against measured step times, a colour for each chip."""
    series: dict[str, list[tuple[float, float, str]]] = {}
    for p in predictions:
        label = f"{p.row.id}: {p.row.measured_step_time:.3g} s measured, {p.step_time or 0.0:.3g} s predicted"
        series.setdefault(p.row.pool.chip.name, []).append((p.row.measured_step_time, p.step_time or 0.0, label))
    ordered = dict(sorted(series.items(), key=lambda item: -len(item[1])))
    return draw_scatter(ordered, "seconds", "step time")


def _group_rows(verdict: Verdict, by: str) -> list[list[str]]:
    return [
        [
            name,
            f"{t.count:,}",
            percent(t.median),
            percent(t.p90),
            signed(t.bias),
            percent(t.coverage),
            percent(m.median),
        ]
        for name, (t, m) in verdict.group(by).items()
    ]


def _sweeps(verdict: Verdict) -> list[str]:
    sweeps = find_sweeps(verdict.predictions)
    if not sweeps:
        return []
    rows = [
        [f"{s.architecture} on {s.chips:,} {s.chip}, {s.source}", str(len(s.predictions)), f"{s.spearman:.2f}",
         percent(s.regret)] for s in sweeps
    ]  # fmt: skip
    return ["<h2>Layouts of one job</h2>", _table(["job", "layouts", "Spearman", "regret of our pick"], rows)]


def _rows(predictions: Sequence[Prediction]) -> str:
    head = ["row", "chip", "measured s", "predicted s", "low", "high", "error", "measured GiB", "predicted GiB"]
    body = []
    for p in predictions:
        measured = p.row.measured_memory
        values = [p.row.measured_step_time, p.step_time or 0.0, p.low or 0.0, p.high or 0.0]
        bad = ' class="bad"' if abs(p.error or 0.0) > BAD else ""
        cells = "".join(f"<td>{v:.4g}</td>" for v in values)
        memory = "" if measured is None else f"{measured / GIB:.1f}"
        guess = "" if measured is None or p.memory is None else f"{p.memory / GIB:.1f}"
        body.append(
            f"<tr><td>{escape(p.row.id)}</td><td>{escape(p.row.pool.chip.name)}</td>{cells}"
            f"<td{bad}>{signed(p.error)}</td><td>{memory}</td><td>{guess}</td></tr>"
        )
    return "<table><tr>" + "".join(f"<th>{h}</th>" for h in head) + "</tr>\n" + "\n".join(body) + "</table>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{escape(h)}</th>" for h in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return "<table>" + "\n".join(lines) + "</table>"
