"""The bottom line of what is checked and not predicted: parity, versions, machines, pools under Ray, manifests.

Nothing in these is drawn from a range, so that most have no chance: the line says what the answer hangs on instead.
"""

from __future__ import annotations

from collections.abc import Sequence

from tianji.formatting import count_noun, format_percent
from tianji.report.documents.three_lines import BottomLineDocument


def line_without_chance(answer: str, amounts: str, hinge: str) -> BottomLineDocument:
    """Return a bottom line in which nothing is uncertain; ``hinge`` goes without its full stop."""
    return {"answer": answer, "amounts": amounts, "hinge": f"{hinge}.", "chance": None}


def versions_line(name: str, fits: bool, conflicts: Sequence[str], misfits: int, snapshot: str) -> BottomLineDocument:
    """Return the bottom line of a set of versions: whether one fits, and the environment to it."""
    answer = f"Yes: {name}." if fits else f"No: no set fits; {conflicts[0] if conflicts else 'the reasons are below'}."
    if fits and misfits:
        do = "does" if misfits == 1 else "do"
        answer = f"No: {count_noun(misfits, 'part')} of the environment {do} not fit; {name} does."
    return line_without_chance(
        answer,
        f"the tables of versions are of {snapshot}; versions have no days, cost or power",
        "Vendors' tables say so: no chance is in it. It hangs on releases after that day",
    )


def parity_line(outcome: str, failed: int, checks: int, steps: int, repeats: int) -> BottomLineDocument:
    """Return the bottom line of two runs: whether they agree by every check."""
    words = {"pass": "Yes: parity holds", "fail": "No: parity fails"}
    basis = (
        count_noun(repeats, "repeat") + " of the reference"
        if repeats
        else "the noise, which repeats of the reference would tell"
    )
    return line_without_chance(
        f"{words.get(outcome, 'Open: parity is not settled')}; {failed:,} of {checks:,} checks fail.",
        f"{count_noun(steps, 'step')} compared; a comparison has no days, cost or power",
        f"Each check has its limit and its source below: no chance is in it. It hangs on {basis}",
    )


def dumps_line(outcome: str, calls: int, red: int, yellow: int, first: str | None) -> BottomLineDocument:
    """Return the bottom line of two dumps: whether they part, and where."""
    parts = f"they first part at {first}" if first else f"{red:,} calls are red"
    return line_without_chance(
        "Yes: the dumps agree." if outcome == "pass" else f"No: {parts}.",
        f"{count_noun(calls, 'call')} compared, {red:,} red, {yellow:,} yellow; a comparison has no days, cost or power",
        f"It is counted call by call: no chance is in it. It hangs on {first or 'the statistics that the dumps hold'}",
    )


def twin_line(model: str, layers: int, whole: int, runs: int, outcome: str | None) -> BottomLineDocument:
    """Return the bottom line of a model's twin of so many of its layers: whether it was run, and how it came out."""
    words = {"pass": "Yes: both executors train it alike", "fail": "No: the executors part"}
    answer = words.get(outcome or "", f"Open: the twin of {model} is written and not run")
    cut = (
        f"the twin, which has {layers:,} of the model's {whole:,} layers"
        if layers < whole
        else "the steps that were run"
    )
    return line_without_chance(
        f"{answer}.",
        f"{count_noun(runs, 'run')}; a twin has no days, cost or power",
        f"What was run is measured: no chance is in it. It hangs on {cut}"
        if runs
        else "Nothing is measured yet: it hangs on the runs that its commands start",
    )


def machine_line(chips: int, chip: str, noise: float, misfit: float) -> BottomLineDocument:
    """Return the bottom line of a measured machine: that it is a pool, and how well it is known."""
    return line_without_chance(
        f"Yes: this machine is a pool of {chips:,} × {chip}.",
        "its rates and constants stand below; its cost and power are not measured",
        f"Ranges of plans are as wide as what was missed, {format_percent(misfit, 0)} at most: no chance is in it. It hangs on"
        f" the noise of a repeat ({format_percent(noise, 0)})",
    )


def pool_line(address: str, nodes: int, gone: int, chips: int, free: int) -> BottomLineDocument:
    """Return the bottom line of a pool under Ray: whether chips are free."""
    verdict = f"Yes: {free:,} of {chips:,} chips are free" if free else f"No: none of {chips:,} chips is free"
    return line_without_chance(
        f"{verdict} at {address}.",
        f"{count_noun(nodes, 'node')}, {gone:,} gone; a pool has no days, cost or power of its own",
        "It is as Ray says it now: no chance is in it. It hangs on the nodes that are alive",
    )


def check_line(file: str, rules: Sequence[str], schemas: Sequence[str]) -> BottomLineDocument:
    """Return the bottom line of a manifest: whether it keeps the rules."""
    broken, basis = (
        count_noun(len(rules), "broken rule"),
        rules[0] if rules else "what the scheduler checks beside them",
    )
    return line_without_chance(
        f"No: {broken}." if rules else "Yes: it keeps all rules that Tianji knows.",
        f"{file}: {', '.join(schemas) or 'no kind with a schema'}; a manifest has no days, cost or power",
        f"Rules are read, not tried: no chance is in it. It hangs on {basis}",
    )
