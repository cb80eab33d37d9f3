"""Read a run from what it left: Tianji's results, JSON lines, CSV, JSON, training logs, TensorBoard's event files."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tianji.errors import FormatError
from tianji.input_files import read_bytes
from tianji.migration.parity.event_files import read_events
from tianji.migration.parity.logs import RunLog, as_number, log_of
from tianji.units import MIB

MAX_SIZE = int(512 * MIB)
_FIELD = re.compile(
    r"([A-Za-z][\w /.-]{0,40}?)['\"]?\s*[:=]\s*\[?\s*([-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+|nan|inf))\b",
    re.IGNORECASE,
)
_ITERATION = re.compile(r"(?:iteration|iter|step|global_step)s?\s*[:=]?\s*\[?\s*(\d+)(?:\s*/\s*\d+)?\]?", re.IGNORECASE)
_LOSS = re.compile(r"loss\b", re.IGNORECASE)
_BARE = re.compile(r"\|\s*([a-z][a-z ]{0,30}?)\s+([-+]?\d+(?:\.\d*)?(?:E[-+]\d+)?)\s*(?=\|)")
"""A field of Megatron's first logs, which have no colon."""
_RUN = "a result of `tianji run`, JSON lines, CSV, a training log or TensorBoard's event file"
_EXPECTED = f"expected {_RUN}"


def read_run(path: str | os.PathLike[str]) -> RunLog:
    """Return the log of a run, from a file or a folder; the kind is told by the content.

    Raises FormatError for what cannot be read, holds no loss or is too large.
    """
    place = Path(path)
    if os.path.isdir(place):
        return _read_folder(place)
    raw = read_bytes(place, _RUN, MAX_SIZE)
    if "tfevents" in place.name:
        return log_of(str(path), "tensorboard", read_events(raw, str(path)))
    return read_text(raw.decode("utf-8", "replace"), str(path))


def read_text(text: str, name: str) -> RunLog:
    """Return the log that a text holds."""
    head = text.lstrip("\ufeff \t\r\n")[:1]
    if head in ("{", "["):
        whole = _parse_whole(text)
        if whole is not None:
            return _read_document(whole, name)
        if rows := list(_json_lines(text)):
            return log_of(name, "json lines", rows)
    first = text.split("\n", 1)[0]
    if "," in first and not _FIELD.search(first) and re.search(r"loss|value", first, re.IGNORECASE):
        try:
            return log_of(name, "csv", csv.DictReader(text.splitlines()))
        except csv.Error as error:
            raise FormatError(f"{name}: not a table in CSV ({error})") from None
    return log_of(name, "log", read_log_lines(text))


def _read_folder(place: Path) -> RunLog:
    if (place / "result.json").is_file():
        return read_run(place / "result.json")
    for pattern, kind in (("rank-*.jsonl", "jsonl"), ("*.jsonl", "jsonl"), ("**/events.out.tfevents.*", "events")):
        found = sorted(place.glob(pattern))[:200]
        if found and kind == "jsonl":
            return read_run(found[0])
        if found:
            rows = [row for file in found for row in read_events(read_bytes(file, _RUN, MAX_SIZE), str(file))]
            return log_of(str(place), "tensorboard", rows)
    raise FormatError(f"{place}: has no result.json, no *.jsonl and no event files; {_EXPECTED}")


def _parse_whole(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _read_document(data: Any, name: str) -> RunLog:
    """Return the log of one JSON document: our result, a trainer's history, golden values, columns or rows."""
    if isinstance(data, list):
        return log_of(name, "json", (row for row in data if isinstance(row, dict)))
    if not isinstance(data, dict):
        raise FormatError(f"{name}: {_EXPECTED}")
    if data.get("format") == "tianji-result":
        from tianji.result.result_file import result_from

        result = result_from(data, name)
        measured = result.measurement
        if measured is None:
            raise FormatError(f"{name}: a predicted result has no losses; expected a measured one, of `tianji run`")
        rows = [{"step": i + 1, "loss": loss} for i, loss in enumerate(measured.losses)]
        rows += [{"step": i + 1, "grad_norm": norm} for i, norm in enumerate(measured.gradient_norms)]
        return log_of(name, "result", rows, result.plan.job.precision.linear)
    history = data.get("log_history")
    if isinstance(history, list):
        return log_of(name, "json", (row for row in history if isinstance(row, dict) and "loss" in row))
    if any(isinstance(value, dict) and "values" in value for value in data.values()):
        return log_of(name, "json", _golden_rows(data))
    if "event" in data or any(as_number(value) is not None for value in data.values()):
        return log_of(name, "json lines", [data])
    return log_of(name, "json", _column_rows(data))


def _golden_rows(data: Mapping[str, Any]) -> Iterator[dict[str, object]]:
    """Yield the values of a file of golden values: start, step and a list, or a value for each step."""
    for metric, table in data.items():
        if not isinstance(table, dict):
            continue
        values, start = table.get("values"), table.get("start_step", 1)
        interval = table.get("step_interval", 1)
        if isinstance(values, dict):
            yield from ({"step": step, metric: value} for step, value in values.items())
        elif isinstance(values, list) and isinstance(start, int) and isinstance(interval, int):
            yield from ({"step": start + i * interval, metric: value} for i, value in enumerate(values))


def _column_rows(data: Mapping[str, Any]) -> Iterator[dict[str, object]]:
    columns = {key: value for key, value in data.items() if isinstance(value, list)}
    for i in range(max((len(column) for column in columns.values()), default=0)):
        yield {key: column[i] for key, column in columns.items() if i < len(column)}


def _json_lines(text: str) -> Iterator[Mapping[str, object]]:
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue  # The last line of a run that was cut short.
        if isinstance(row, dict) and row.get("event", "step") == "step":
            yield row


def read_log_lines(text: str) -> Iterator[dict[str, object]]:
    """Yield what the lines of a training log say: Megatron's, MindSpeed's, MindFormers' and those that print ``loss:``.

    >>> line = " iteration       10/     100 | lm loss: 1.105E+01 | grad norm: 2.31 | number of nan iterations: 0 |"
    >>> list(read_log_lines(line))[0]["lm loss"]
    11.05
    """
    for line in text.splitlines():
        if len(line) > 4000 or not _LOSS.search(line):
            continue
        row: dict[str, object] = {}
        for part in re.split(r"[|,;{}]\s*|\s-\s|\s{3,}", line):
            for match in _FIELD.finditer(part):
                row[_field_name(match[1])] = as_number(match[2])
        for match in _BARE.finditer(line):
            row.setdefault(_field_name(match[1]), as_number(match[2]))
        if not any("loss" in key for key in row):
            continue
        if (step := _ITERATION.search(line)) is not None:
            row["step"] = int(step[1])
        yield row


def _field_name(text: str) -> str:
    name = " ".join(text.lower().split())
    return (
        "loss"
        if name.endswith(" loss") and name not in ("lm loss", "load balancing loss") and "lm" not in name
        else name
    )
