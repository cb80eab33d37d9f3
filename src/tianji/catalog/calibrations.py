"""Calibrations as files: constants of each chip, each with its evidence.

A file is TOML: ``name``, ``date`` and ``note``; ``[reference]``, the traits of a current software stack by ecosystem;
``[software.<trait>]``, the effect of a trait on each constant (factor, rows, standard_error); ``[memory]``, what each
software family or ecosystem holds beyond the formulas; then for each chip ``[chips.<chip>.constants]`` (SI numbers),
``[chips.<chip>.evidence]`` (of each constant: tier, rows, source, standard_error, inherited_from) and
``[chips.<chip>.spread]`` (by kind of model: low, high, basis, rows, chips). A chip that only says ``inherited_from`` has the
constants of that chip, and ranges of its own. Last come ``[correlations."<chip or trait>.<constant>"]``, of the errors of
fitted constants and effects.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path

from tianji.catalog.entries import find_entry, list_entries
from tianji.catalog.reader import TomlTable, read_toml
from tianji.errors import FormatError
from tianji.hardware.calibration import CLASSES, TIERS, Calibration, Effect, Evidence, Footprint, Spread
from tianji.hardware.constants import CONSTANT_NAMES, CONSTANTS, MEMORY_CONSTANTS, Constants
from tianji.hardware.uncertainty import Unknown
from tianji.units import TB

KIND = "calibrations"
NONE = "none"
"""The name of the empty calibration: pure datasheet physics."""

_SPREAD = (0.01, 100.0)
_FACTOR = (1e-4, 1e4)
_EFFECTS = tuple(name for name in CONSTANT_NAMES if name not in MEMORY_CONSTANTS)
"""Constants that a trait of the software may change; what it holds in memory stands in [memory]."""
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
    return _load(find_entry(KIND, name_or_path).version())


@lru_cache(maxsize=16)
def _load(version: tuple[str, int, int]) -> Calibration:
    return read_calibration(TomlTable(read_toml(Path(version[0])), version[0]))


def read_calibration(table: TomlTable) -> Calibration:
    """Return the calibration that a table describes; a constant without evidence is refused."""
    name, date, note = table.text("name"), table.text("date", ""), table.text("note", "")
    constants: dict[str, Constants] = {}
    evidence: dict[str, Mapping[str, Evidence]] = {}
    spreads: dict[str, dict[str, Spread]] = {}
    heirs: dict[str, tuple[str, str]] = {}
    for chip, part in _children(table, "chips"):
        if "constants" in part.content:
            constants[chip], evidence[chip] = _read_chip(part)
        if heir := part.text("inherited_from", ""):
            heirs[chip] = heir, part.where("inherited_from")
        if (spread := part.child("spread")) is not None:
            spreads[chip] = {kind: _read_spread(one) for kind, one in _named(spread, CLASSES)}
        part.finish()
    for chip, (home, where) in heirs.items():
        if home not in constants:
            raise FormatError(f"{where}: {home!r} has no constants in this file; expected a chip that has")
        constants[chip] = constants[home]
        evidence[chip] = {n: replace(e, inherited_from=home) for n, e in evidence[home].items()}
    software = {
        trait: {name: _read_effect(one) for name, one in _named(part, _EFFECTS)}
        for trait, part in _children(table, "software")
    }
    reference = table.child("reference")
    stacks = {} if reference is None else {eco: reference.texts(eco) for eco in reference.content}
    memory = {family: _read_footprint(one) for family, one in _children(table, "memory")}
    correlations = _read_correlations(table)
    table.finish()
    return Calibration(name, date, constants, evidence, spreads, software, stacks, note, memory, correlations)


def write_calibration(calibration: Calibration, path: str | os.PathLike[str]) -> None:
    """Write a calibration as a file that :func:`load_calibration` returns unchanged.

    Raises FormatError for a constant without evidence.
    """
    Path(path).write_text(format_calibration(calibration), encoding="utf-8", newline="\n")


def format_calibration(calibration: Calibration) -> str:
    """Return the text of a calibration's file: the same calibration always gives the same text."""
    heads = [f"{key} = {_text(getattr(calibration, key))}" for key in ("name", "date", "note")]
    blocks = [_HEADER + "\n" + "\n".join(heads)]
    if calibration.reference:
        stacks = {_key(eco): json.dumps(list(traits)) for eco, traits in sorted(calibration.reference.items())}
        blocks.append(_table("reference", stacks))
    for trait, effects in sorted(calibration.software.items()):
        lines = {name: _inline(_stated(effect, ("factor",))) for name, effect in sorted(effects.items())}
        blocks.append(_table(f"software.{_key(trait)}", lines))
    if calibration.memory:
        footprints = sorted(calibration.memory.items())
        blocks.append(_table("memory", {_key(f): _inline(_stated(one, MEMORY_CONSTANTS)) for f, one in footprints}))
    blocks += [_format_chip(calibration, chip) for chip in sorted({*calibration.chips, *calibration.spreads})]
    for one, others in sorted(calibration.correlations.items()):
        lines = {_text(".".join(other)): repr(value) for other, value in sorted(others.items())}
        blocks.append(_table(f"correlations.{_text('.'.join(one))}", lines))
    return "\n\n".join(blocks) + "\n"


def _format_chip(calibration: Calibration, chip: str) -> str:
    place = f"chips.{_key(chip)}"
    constants, proofs = calibration.chips.get(chip, Constants()), calibration.evidence.get(chip, {})
    changed = [n for n in CONSTANT_NAMES if n in proofs or getattr(constants, n) != getattr(Constants(), n)]
    if missing := [n for n in changed if n not in proofs]:
        raise FormatError(f"calibration {calibration.name}: {chip}.{missing[0]} has no evidence; expected some")
    blocks: list[str] = []
    homes = {proofs[n].inherited_from for n in changed}
    home = homes.pop() if len(homes) == 1 else ""
    if home and calibration.chips.get(home) == constants:
        blocks.append(_table(place, {"inherited_from": _text(home)}))
    elif chip in calibration.chips:
        blocks.append(_table(f"{place}.constants", {n: repr(float(getattr(constants, n))) for n in changed}))
        blocks.append(_table(f"{place}.evidence", {n: _inline(_stated(proofs[n], ("tier",))) for n in changed}))
    spreads = calibration.spreads.get(chip, {})
    if spreads:
        lines = {kind: _inline(_stated(spreads[kind], ("low", "high"))) for kind in CLASSES if kind in spreads}
        blocks.append(_table(f"{place}.spread", lines))
    return "\n\n".join(blocks)


# --- reading --------------------------------------------------------------------------------------------------
def bounds_of(constant: str) -> tuple[float, float]:
    """Return the least and the most that a constant can be.

    >>> bounds_of("scale_up_efficiency")
    (0.001, 1.0)
    """
    return CONSTANTS[constant].least, CONSTANTS[constant].most


def _read_constants(table: TomlTable | None) -> dict[str, float]:
    if table is None:
        return {}
    table.asked.update(CONSTANT_NAMES)
    table.finish()
    return {name: _number(table, name, *bounds_of(name)) for name in CONSTANT_NAMES if name in table.content}


def _read_evidence(table: TomlTable | None) -> dict[str, Evidence]:
    if table is None:
        return {}
    table.asked.update(CONSTANT_NAMES)
    table.finish()
    evidence: dict[str, Evidence] = {}
    for name in CONSTANT_NAMES:
        if (proof := table.child(name)) is not None:
            evidence[name] = Evidence(
                tier=proof.choice("tier", TIERS),
                rows=proof.count("rows", 0, least=0),
                source=proof.text("source", ""),
                standard_error=_number(proof, "standard_error", 0.0, TB, 0.0),
                inherited_from=proof.text("inherited_from", ""),
            )
            proof.finish()
    return evidence


def _read_chip(part: TomlTable) -> tuple[Constants, dict[str, Evidence]]:
    values, proofs = _read_constants(part.child("constants")), _read_evidence(part.child("evidence"))
    for constant in values.keys() - proofs.keys():
        expected = f"expected a table [{part.path}.evidence.{constant}] with its tier and source"
        raise FormatError(f"{part.where('evidence')}: {constant} has no evidence; {expected}")
    for constant in proofs.keys() - values.keys():
        raise FormatError(f"{part.where('constants')}: there is evidence for {constant}, but no value")
    return Constants(**values), proofs


def _read_spread(table: TomlTable) -> Spread:
    low, high = _number(table, "low", *_SPREAD), _number(table, "high", *_SPREAD)
    if not low <= 1.0 <= high:
        raise FormatError(f"{table.where('low')}: expected low <= 1 <= high, got {low} and {high}")
    basis, rows, chips = table.text("basis", ""), table.count("rows", 0, least=0), table.count("chips", 0, least=0)
    table.finish()
    return Spread(low, high, basis, rows, chips)


def _read_effect(table: TomlTable) -> Effect:
    sets = table.get("sets") is True
    factor = _number(table, "factor", *((0.0, TB) if sets else _FACTOR))
    error, rows = _number(table, "standard_error", 0.0, TB, 0.0), table.count("rows", 0, least=0)
    table.finish()
    return Effect(factor, rows, error, sets)


def _read_footprint(table: TomlTable) -> Footprint:
    sizes = {name: _number(table, name, *bounds_of(name)) for name in MEMORY_CONSTANTS}
    tier, source = table.choice("tier", TIERS), table.text("source", "")
    rows, error = table.count("rows", 0, least=0), _number(table, "standard_error", 0.0, TB, 0.0)
    table.finish()
    return Footprint(**sizes, tier=tier, rows=rows, standard_error=error, source=source)


def _read_correlations(table: TomlTable) -> dict[Unknown, dict[Unknown, float]]:
    correlations: dict[Unknown, dict[Unknown, float]] = {}
    for key, part in _children(table, "correlations"):
        one = _read_unknown(part.where(key), key)
        correlations[one] = {}
        part.asked.update(part.content)
        for name in part.content:
            other = _read_unknown(part.where(name), name)
            if other == one or one in correlations.get(other, {}):
                raise FormatError(
                    f"{part.where(name)}: expected each pair of two once, got {name!r} under {key!r} again"
                )
            correlations[one][other] = _number(part, name, -1.0, 1.0)
    return correlations


def _read_unknown(where: str, text: str) -> Unknown:
    owner, _, constant = text.rpartition(".")
    if not owner or constant not in CONSTANT_NAMES:
        raise FormatError(f"{where}: expected a chip or a trait, a dot and a constant, got {text!r:.60}")
    return owner, constant


def _named(table: TomlTable, names: Iterable[str]) -> list[tuple[str, TomlTable]]:
    table.asked.update(names)
    table.finish()
    return [(name, one) for name in names if (one := table.child(name)) is not None]


def _children(table: TomlTable, key: str) -> list[tuple[str, TomlTable]]:
    inner = table.child(key)
    return [] if inner is None else [(name, part) for name in inner.content if (part := inner.child(name)) is not None]


def _number(table: TomlTable, key: str, least: float, most: float, default: float | None = None) -> float:
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
def _table(name: str, lines: Mapping[str, str]) -> str:
    return "\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in lines.items())])


def _inline(values: Mapping[str, object]) -> str:
    return "{ " + ", ".join(f"{key} = {_shown(value)}" for key, value in values.items()) + " }"


def _shown(value: object) -> str:
    return _text(value) if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)


def _stated(item: Evidence | Effect | Footprint | Spread, always: tuple[str, ...]) -> dict[str, object]:
    values = {f.name: getattr(item, f.name) for f in fields(item)}
    return {key: value for key, value in values.items() if key in always or value}


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    # JSON's escapes are TOML's too; only DEL, which JSON leaves bare, is not allowed in TOML.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
