"""Calibrations as files: constants of each chip, each with its evidence.

A file is TOML: ``name``, ``date`` and ``note``, then for each chip ``[chips.<chip>.constants]`` (SI numbers),
``[chips.<chip>.evidence.<constant>]`` (tier, rows, source, standard_error, inherited_from) and ``[chips.<chip>.spread]``
(low, high, basis).
"""

from __future__ import annotations

import json
import math
import os
import re
from dataclasses import fields
from pathlib import Path

from tianji.catalog.entries import find_entry, list_entries
from tianji.catalog.reader import Table, read_toml
from tianji.errors import FormatError
from tianji.hardware.calibration import CONSTANT_NAMES, TIERS, Calibration, Constants, Evidence, Spread
from tianji.units import TB

KIND = "calibrations"
NONE = "none"
"""The name of the empty calibration: pure datasheet physics."""

BOUNDS: dict[str, tuple[float, float]] = {
    "matmul_half_size": (0, 10**5),
    "attention_half_length": (0, 10**6),
    "straggle": (0, 1),
    "software": (0.1, 10),
    "activation_overhead": (0.1, 10),
    "framework_reserve": (0, TB),
    "communicator_size": (0, TB),
}
"""Least and most of a constant; efficiencies lie above 0 and at most at 1, latencies and overheads below a minute."""
_BOUNDS_BY_ENDING = {"_efficiency": (0.001, 1.0), "_latency": (0.0, 1.0), "_overhead": (0.0, 60.0)}
_SPREAD = (0.01, 100.0)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = "# Constants in SI units: seconds, bytes, tokens; efficiencies and ratios as fractions."


def list_calibrations() -> tuple[str, ...]:
    """Return the names of all known calibrations; ``none``, pure datasheet physics, is always among them."""
    return tuple(sorted({NONE, *list_entries(KIND)}))


def load_calibration(name_or_path: str | os.PathLike[str] = "default") -> Calibration:
    """Return a calibration by its catalog name or from a TOML file; ``none`` is pure datasheet physics.

    >>> load_calibration("none") == Calibration()
    True

    Raises UnknownNameError for a name that the catalog lacks and FormatError for a file that cannot be used.
    """
    if name_or_path == NONE:
        return Calibration()
    entry = find_entry(KIND, name_or_path)
    return read_calibration(Table(read_toml(entry.path), str(entry.path)))


def read_calibration(table: Table) -> Calibration:
    """Return the calibration that a table describes; a constant without evidence is refused."""
    name, date, note = table.text("name"), table.text("date", ""), table.text("note", "")
    constants: dict[str, Constants] = {}
    evidence: dict[str, dict[str, Evidence]] = {}
    spreads: dict[str, Spread] = {}
    for chip, part in _children(table, "chips"):
        values, proofs = _read_constants(part.child("constants")), _read_evidence(part.child("evidence"))
        for constant in values.keys() - proofs.keys():
            expected = f"expected a table [{part.path}.evidence.{constant}] with its tier and source"
            raise FormatError(f"{part.where('evidence')}: {constant} has no evidence; {expected}")
        for constant in proofs.keys() - values.keys():
            raise FormatError(f"{part.where('constants')}: there is evidence for {constant}, but no value")
        if "constants" in part.content:
            constants[chip], evidence[chip] = Constants(**values), proofs
        if (spread := part.child("spread")) is not None:
            spreads[chip] = _read_spread(spread)
        part.finish()
    table.finish()
    return Calibration(name, date, constants, evidence, spreads, note)


def write_calibration(calibration: Calibration, path: str | os.PathLike[str]) -> None:
    """Write a calibration as a file that :func:`load_calibration` returns unchanged.

    Raises FormatError for a constant without evidence.
    """
    Path(path).write_text(spell_calibration(calibration), encoding="utf-8", newline="\n")


def spell_calibration(calibration: Calibration) -> str:
    """Return the text of a calibration's file: the same calibration always gives the same text."""
    heads = [f"{key} = {_text(getattr(calibration, key))}" for key in ("name", "date", "note")]
    blocks = [_HEADER + "\n" + "\n".join(heads)]
    for chip in sorted({*calibration.chips, *calibration.spreads}):
        place = f"chips.{_key(chip)}"
        constants, proofs = calibration.chips.get(chip, Constants()), calibration.evidence.get(chip, {})
        changed = [n for n in CONSTANT_NAMES if n in proofs or getattr(constants, n) != getattr(Constants(), n)]
        if missing := [n for n in changed if n not in proofs]:
            raise FormatError(f"calibration {calibration.name}: {chip}.{missing[0]} has no evidence; expected some")
        if chip in calibration.chips:
            blocks.append(_table(f"{place}.constants", {n: float(getattr(constants, n)) for n in changed}))
        for name in changed:
            values = {f.name: getattr(proofs[name], f.name) for f in fields(Evidence)}
            blocks.append(_table(f"{place}.evidence.{name}", {k: v for k, v in values.items() if k == "tier" or v}))
        if spread := calibration.spreads.get(chip):
            values = {"low": float(spread.low), "high": float(spread.high), "basis": spread.basis}
            blocks.append(_table(f"{place}.spread", values))
    return "\n\n".join(blocks) + "\n"


# --- reading --------------------------------------------------------------------------------------------------
def bounds_of(constant: str) -> tuple[float, float]:
    """Return the least and the most that a constant can be.

    >>> bounds_of("scale_up_efficiency")
    (0.001, 1.0)
    """
    if constant in BOUNDS:
        return BOUNDS[constant]
    return next((span for ending, span in _BOUNDS_BY_ENDING.items() if constant.endswith(ending)), (0.0, TB))


def _read_constants(table: Table | None) -> dict[str, float]:
    if table is None:
        return {}
    table.asked.update(CONSTANT_NAMES)
    table.finish()
    return {name: _number(table, name, *bounds_of(name)) for name in CONSTANT_NAMES if name in table.content}


def _read_evidence(table: Table | None) -> dict[str, Evidence]:
    if table is None:
        return {}
    table.asked.update(CONSTANT_NAMES)
    table.finish()
    found: dict[str, Evidence] = {}
    for name in CONSTANT_NAMES:
        if (proof := table.child(name)) is not None:
            found[name] = Evidence(
                tier=proof.choice("tier", TIERS),
                rows=proof.count("rows", 0, least=0),
                source=proof.text("source", ""),
                standard_error=_number(proof, "standard_error", 0.0, TB, 0.0),
                inherited_from=proof.text("inherited_from", ""),
            )
            proof.finish()
    return found


def _read_spread(table: Table) -> Spread:
    low, high = _number(table, "low", *_SPREAD), _number(table, "high", *_SPREAD)
    if low > high:
        raise FormatError(f"{table.where('low')}: expected low <= high, got {low} and {high}")
    basis = table.text("basis", "")
    table.finish()
    return Spread(low, high, basis)


def _children(table: Table, key: str) -> list[tuple[str, Table]]:
    inner = table.child(key)
    return [] if inner is None else [(name, part) for name in inner.content if (part := inner.child(name)) is not None]


def _number(table: Table, key: str, least: float, most: float, default: float | None = None) -> float:
    value = table.get(key)
    if value is None:
        if default is None:
            raise FormatError(f"{table.where(key)}: missing; expected a number")
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise FormatError(f"{table.where(key)}: expected a plain number in SI units, got {value!r:.60}")
    if not least <= value <= most:
        raise FormatError(f"{table.where(key)}: expected a number from {least:g} to {most:g}, got {value:g}")
    return float(value)


# --- writing --------------------------------------------------------------------------------------------------
def _table(name: str, values: dict[str, object]) -> str:
    lines = [f"{key} = {_text(v) if isinstance(v, str) else repr(v)}" for key, v in values.items()]
    return "\n".join([f"[{name}]", *lines])


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    # JSON's escapes are TOML's too; only DEL, which JSON leaves bare, is not allowed in TOML.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
