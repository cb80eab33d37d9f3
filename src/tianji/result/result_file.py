"""Results as files: one JSON document, whole in itself, with its plan, predicted or measured."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tianji.errors import FormatError
from tianji.input_files import read_object
from tianji.parallel.plan_file import plan_document, plan_from, write_text
from tianji.parallel.records import ANY_NUMBER, decode, encode, shown
from tianji.ranges import Range
from tianji.result.measurement import SHORTEST_STEP, Measurement
from tianji.result.result import Result
from tianji.units import MB

FORMAT, VERSION = "tianji-result", 1
LARGEST_FILE = 50 * MB
KINDS = ("predicted", "measured")
STEP = (SHORTEST_STEP, ANY_NUMBER[1])
"""Seconds that a step can take."""
BOUNDS = {"Measurement.step_times": STEP}


def write_result(result: Result, path: str | os.PathLike[str]) -> None:
    """Write a result as a file that :func:`read_result` returns unchanged; the file is whole or not there at all.

    Raises InputError when the path cannot be written.
    """
    write_text(path, json.dumps(result_document(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def result_document(result: Result) -> dict[str, Any]:
    """Return a result as plain values, for JSON."""
    values = {"kind": result.kind, "plan": plan_document(result.plan), "step_time": encode(result.step_time)}
    for name in ("breakdown", "memory", "stages", "memory_limit", "model_flops", "peak", "measurement"):
        values[name] = encode(getattr(result, name))
    if result.memory_error:
        values["memory_error"] = encode(result.memory_error)
    if result.host_memory:
        values |= {"host_memory": encode(result.host_memory), "host_limit": encode(result.host_limit)}
    return {"format": FORMAT, "version": VERSION, **values}


def read_result(path: str | os.PathLike[str]) -> Result:
    """Return the result of a file; a folder stands for the ``result.json`` in it.

    Raises FormatError, with the place and what was expected, for a file that is not a result or not a whole one.
    """
    file = Path(path)
    file = file / "result.json" if os.path.isdir(file) else file
    return result_from(read_object(file, "a result, as `tianji run` writes it", LARGEST_FILE), str(file))


def result_from(data: object, where: str = "result") -> Result:
    """Return the result that plain values describe, as :func:`result_document` returns them.

    Raises FormatError for anything that is not a result.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        came = shown(data["format"]) if isinstance(data, dict) and "format" in data else shown(data)
        raise FormatError(f"{where}: not a result: expected the key format with the value {FORMAT!r}, got {came}")
    if data.get("version") != VERSION:
        raise FormatError(f"{where}: version {shown(data.get('version'))} of the format; this Tianji reads {VERSION}")
    missing = [name for name in ("kind", "plan", "step_time", "breakdown", "memory", "stages") if name not in data]
    if missing:
        raise FormatError(f"{where}: the key {missing[0]!r} is missing; is the file complete?")
    if data["kind"] not in KINDS:
        raise FormatError(f"{where}.kind: expected {' or '.join(KINDS)}, got {shown(data['kind'])}")
    if not isinstance(data["stages"], list):
        raise FormatError(f"{where}.stages: expected a list, got {shown(data['stages'])}")
    measured, host = data.get("measurement"), data.get("host_limit")
    return Result(
        plan=plan_from(data["plan"], f"{where}.plan"),
        kind=data["kind"],
        step_time=decode(Range, data["step_time"], f"{where}.step_time", {"Range": STEP}),
        breakdown=_numbers(data["breakdown"], f"{where}.breakdown"),
        memory=_numbers(data["memory"], f"{where}.memory"),
        stages=tuple(_numbers(parts, f"{where}.stages[{i}]") for i, parts in enumerate(data["stages"])),
        memory_limit=_number(data.get("memory_limit"), f"{where}.memory_limit"),
        model_flops=_number(data.get("model_flops"), f"{where}.model_flops"),
        peak=_number(data.get("peak"), f"{where}.peak"),
        measurement=None if measured is None else decode(Measurement, measured, f"{where}.measurement", BOUNDS),
        memory_error=_number(data.get("memory_error", 0), f"{where}.memory_error"),
        host_memory=_numbers(data.get("host_memory", {}), f"{where}.host_memory"),
        host_limit=None if host is None else _number(host, f"{where}.host_limit"),
    )


def _numbers(data: object, where: str) -> dict[str, float]:
    if not isinstance(data, dict):
        raise FormatError(f"{where}: expected an object of numbers, got {shown(data)}")
    return {str(key): _number(value, f"{where}.{str(key)[:40]}") for key, value in data.items()}


def _number(data: object, where: str) -> float:
    least, most = ANY_NUMBER
    if isinstance(data, bool) or not isinstance(data, (int, float)) or not least <= data <= most:
        raise FormatError(f"{where}: expected a number from {least:g} to {most:g}, got {shown(data)}")
    return float(data)
