"""The file of a measured pool: TOML that the catalog's reader takes, every figure with its source."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tianji.backends.microbenchmarks.measure_machine import Size, describe_origin, format_chip
from tianji.units import GB, TERA

_DIGITS = 4


def format_pool(name: str, date: str, sizes: Sequence[Size]) -> str:
    """Return the text of the pool of some measured sizes: the largest, and under ``[[sizes]]`` each smaller one.

    The same sizes always give the same text.
    """
    largest = sizes[-1]
    is_cpu = largest.survey.chip == "cpu"
    what = "processes on one CPU" if is_cpu else f"{largest.survey.chip} in one machine"
    lines = [
        "# Written by `tianji calibrate --here`; its calibration lies beside it.",
        f"name = {_text(name)}",
        f"title = {_text(f'{largest.chips} {what}, as measured')}",
        'vendor = "host"',
        f"chips = {largest.chips}",
        f"node = {largest.chips}",
        f"max_chips = {largest.chips}",
        f"notes = [{_text(_note(largest))}]",
        *_format_size("", name, date, largest),
    ]
    for size in sizes[:-1]:
        lines += ["", "[[sizes]]", f"chips = {size.chips}", *_format_size("sizes.", name, date, size)]
    return "\n".join(lines) + "\n"


def _note(size: Size) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(size.survey.versions.items()))
    return f"Holds while all of its chips work; a smaller number of them has an entry under sizes. {versions}."


def _format_size(where: str, name: str, date: str, size: Size) -> list[str]:
    survey, findings, origin = size.survey, size.findings, describe_origin(date, size)
    threads = f"{survey.threads} thread{'s' if survey.threads > 1 else ''}"
    title = f"one process of {size.chips}, {threads}" if survey.chip == "cpu" else survey.chip
    lines = [
        "",
        f"[{where}chip]",
        f"name = {_text(format_chip(name, size.chips))}",
        f"title = {_text(title)}",
        'vendor = "host"',
        f'ecosystem = "{"cuda" if survey.chip != "cpu" and "NVIDIA" in survey.chip else "other"}"',
        'status = "shipping"',
    ]
    for dtype, rate in findings.peak.items():
        lines += _figure(f"{where}chip.peak.{dtype}", f"{rate / TERA:.{_DIGITS}g} TFLOP/s", origin, "best matmul")
    share = "" if size.chips == 1 else "its share of what was free"
    lines += _figure(f"{where}chip.memory", f"{survey.memory / GB:.{_DIGITS}g} GB", origin, share)
    rate = findings.memory_bandwidth / GB
    lines += _figure(
        f"{where}chip.memory_bandwidth", f"{rate:.{_DIGITS}g} GB/s", origin, "copy, read and write together"
    )
    link = findings.link_bandwidth or findings.memory_bandwidth
    lines += ["", f"[[{where}tiers]]", 'name = "this machine"', 'topology = "switch"', "span = 0", 'kind = "scale-up"']
    note = "all_gather, all groups at once" if findings.link_bandwidth else "a single chip uses no link"
    lines += _figure(f"{where}tiers.bandwidth", f"{link / GB:.{_DIGITS}g} GB/s", origin, note)
    return lines


def _figure(table: str, value: str, source: str, note: str) -> list[str]:
    lines = ["", f"[{table}]", f"value = {_text(value)}", f"source = {_text(source)}", 'confidence = "user"']
    return [*lines, f"note = {_text(note)}"] if note else lines


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
