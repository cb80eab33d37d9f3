"""What is said of a job on unlike chips: the ways to mix them, each part alone, and which to take."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tianji.hardware.calibration import Calibration
from tianji.hardware.mixture import Mixture
from tianji.parallel.layouts import abbreviate_layout
from tianji.reliability import Reliability
from tianji.report.documents import calibration_document, request_document
from tianji.report.figures import figures_document
from tianji.report.headline import describe_job, describe_pool, describe_range
from tianji.report.lasting import lasting_document, lasting_lines
from tianji.report.wording import WAYS, duration, labelled, plain_table, size
from tianji.search.mixed_batches import Division
from tianji.search.mixed_planner import Alone, MixedOutcome
from tianji.search.mixed_stages import Chain
from tianji.units import show


def print_mixed_outcome(console: Console, outcome: MixedOutcome, reliability: Reliability | None = None) -> None:
    """Print the verdict, how long each way takes, what every part does in it, and what failures leave of it."""
    job, mixture = outcome.job, outcome.mixture
    lines = [("Job", describe_job(job))]
    lines += [(f"Part {i}", describe_pool(part)) for i, part in enumerate(mixture.parts, 1)]
    lines += [("Joint", describe_joint(mixture))]
    lines += [("Assumed", "; ".join(job.assumed))] if job.assumed else []
    lines += [("Step", describe_range(outcome.step_time)), ("Verdict", outcome.verdict)]
    console.print(labelled(lines))
    console.print()
    console.print(ways_table(outcome))
    if outcome.division:
        console.print()
        console.print(division_table(outcome.division))
    if outcome.chain:
        console.print()
        console.print(chain_table(outcome.chain))
    console.print()
    console.print(Text("When chips fail", style="bold"))
    console.print(labelled(lasting_lines(outcome, reliability)))


def describe_joint(mixture: Mixture) -> str:
    """Return the tier between the parts in a line."""
    return f"{mixture.joint.name}, {show(mixture.joint.rate(mixture.name), 'bandwidth')} for each chip, one direction"


def ways_table(outcome: MixedOutcome) -> Table:
    """Return the step time of every way to use the chips, the one to take marked."""
    table = plain_table("Ways to use these chips")
    table.add_column("")
    table.add_column("way")
    for name in ("step", "tok/s", "chips at work"):
        table.add_column(name, justify="right", no_wrap=True)
    rows: list[tuple[str, str, float, int]] = []
    if outcome.division:
        rows.append(("batches", WAYS["batches"], outcome.division.step_time, outcome.mixture.chips))
    if outcome.chain:
        rows.append(("stages", WAYS["stages"], outcome.chain.step_time, outcome.mixture.chips))
    for a in outcome.alone:
        if a.result:
            rows.append(("alone", f"{a.pool.name} alone", a.result.step_time.nominal, a.result.plan.strategy.chips))
    rows.sort(key=lambda row: row[2])
    taken = next((row for row in rows if row[0] == outcome.choice), None)
    for row in rows:
        _, way, seconds, chips = row
        rate = outcome.job.tokens_per_step / seconds
        cells = (way, duration(seconds), f"{rate:,.0f}", f"{chips:,}")
        table.add_row("take" if row is taken else "", *cells, style="bold" if row is taken else "")
    for a in outcome.alone:
        if not a.result:
            table.add_row("", Text(f"{a.pool.name} alone: {a.reason}"), "-", "-", "-")
    return table


def division_table(division: Division) -> Table:
    """Return what each part does when all train replicas of their own."""
    title = f"Side by side: batches that finish together, gradients exchanged in {duration(division.exchange)} exposed"
    table = plain_table(title)
    table.add_column("part")
    table.add_column("layout")
    for name in ("sequences", "alone in", "memory"):
        table.add_column(name, justify="right", no_wrap=True)
    for share in division.shares:
        cells = (f"{share.batch:,}", duration(share.seconds), size(share.memory))
        table.add_row(share.pool.name, abbreviate_layout(share.strategy), *cells)
    return table


def chain_table(chain: Chain) -> Table:
    """Return which layers each part holds when one pipeline runs through all."""
    table = plain_table(f"In one pipeline: {abbreviate_layout(chain.strategy)}")
    table.add_column("part")
    table.add_column("layers of its stages")
    table.add_column("memory", justify="right", no_wrap=True)
    for pool, layers, memory in zip(chain.pools, chain.layers, chain.memory, strict=True):
        table.add_row(pool.name, " ".join(map(str, layers)), size(memory))
    return table


def mixed_document(
    outcome: MixedOutcome, calibration: Calibration, reliability: Reliability | None = None
) -> dict[str, Any]:
    """Return the same for a program, in SI units."""
    job, mixture, step = outcome.job, outcome.mixture, outcome.step_time
    dtypes = (job.precision.linear, job.precision.high)
    first = request_document(job, mixture.parts[0], calibration)
    return {
        "model": first["model"],
        "job": first["job"],
        "calibration": first["calibration"],
        "mixture": {
            "name": mixture.name,
            "chips": mixture.chips,
            "parts": [{"pool": p.name, "chip": p.chip.name, "chips": p.chips} for p in mixture.parts],
            "joint_bandwidth": mixture.joint.rate(mixture.name),
        },
        "assumptions": first["assumptions"],
        "calibrations": [calibration_document(calibration, part) for part in mixture.parts],
        "figures": [figure for part in mixture.parts for figure in figures_document(part, dtypes)],
        "choice": outcome.choice,
        "verdict": outcome.verdict,
        "step_time_s": step.nominal,
        "step_time_range": {"low": step.low, "high": step.high, "leans_on": step.leans_on},
        "tokens_per_s": outcome.tokens_per_s,
        "days": outcome.days,
        "lasting": lasting_document(outcome, reliability),
        "batches": _division_document(outcome.division),
        "stages": _chain_document(outcome.chain),
        "alone": [_alone_document(a) for a in outcome.alone],
    }


def _division_document(division: Division | None) -> dict[str, Any] | None:
    if division is None:
        return None
    shares = [
        {
            "pool": s.pool.name,
            "batch": s.batch,
            "strategy": s.strategy.as_dict(),
            "seconds": s.seconds,
            "memory": s.memory,
        }
        for s in division.shares
    ]
    return {"step_time_s": division.step_time, "exchange_s": division.exchange, "shares": shares}


def _chain_document(chain: Chain | None) -> dict[str, Any] | None:
    if chain is None:
        return None
    parts = [
        {"pool": p.name, "layers": list(layers), "memory": memory}
        for p, layers, memory in zip(chain.pools, chain.layers, chain.memory, strict=True)
    ]
    return {
        "step_time_s": chain.step_time,
        "strategy": chain.strategy.as_dict(),
        "parts": parts,
        "breakdown": dict(chain.breakdown),
    }


def _alone_document(alone: Alone) -> dict[str, Any]:
    if alone.result is None:
        return {"pool": alone.pool.name, "step_time_s": None, "reason": alone.reason}
    strategy = alone.result.plan.strategy.as_dict()
    return {"pool": alone.pool.name, "step_time_s": alone.result.step_time.nominal, "strategy": strategy}
