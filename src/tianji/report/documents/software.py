"""The software that an answer is for: what a user said, or what is assumed, with its switches by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, TypedDict

from tianji.formatting import format_duration, format_percent
from tianji.hardware import Chip
from tianji.hardware.calibration import Calibration
from tianji.hardware.software import OFF, Software
from tianji.parallel.plan import Plan
from tianji.parallel.software_fields import ONCE_A_RANK
from tianji.parallel.strategy import Strategy
from tianji.prediction import predict_together
from tianji.prediction.switch_gains import SwitchGain

MOSTLY = 0.1
"""Share of what a switch saves from which on a kind of time is named."""


class SoftwareDocument(TypedDict):
    """The software that a plan is priced for."""

    name: str
    """As `--software` takes it, like ``megatron-bridge@26.08``."""
    framework: str
    release: str | None
    """null: none was said; its newest switches count."""
    is_stated: bool
    """The user named it; else it is the newest that is known of the chip's ecosystem."""
    chosen: list[str]
    """Of a framework that is assumed: switches that the user set, or that its rules decide."""
    switches: dict[str, str]
    """The word of each switch that is known: what the software has by itself, or as it was said."""
    beyond: list[str]
    """What the plan is priced with, in words, where software that is assumed is otherwise by itself; last its step by itself."""


class SwitchGainDocument(TypedDict):
    """What one switch would buy, all else as it is."""

    switch: str
    present: str | None
    """Its word in the plan; null where it is not known."""
    word: str
    flag: str
    """What to type."""
    step_time_s: float
    saves_s: float
    saved_mostly_s: dict[str, float]
    """The kinds of time that it shortens most; one switch may shorten several, as launches stand in what is recomputed, too."""


def switch_gain_documents(gains: Iterable[SwitchGain]) -> list[SwitchGainDocument]:
    """Return what switches would buy of a plan's step."""
    return [
        {
            "switch": gain.switch,
            "present": gain.present or None,
            "word": gain.word,
            "flag": gain.flag,
            "step_time_s": gain.step_time,
            "saves_s": gain.saves,
            "saved_mostly_s": _mostly(gain),
        }
        for gain in gains
    ]


def _mostly(gain: SwitchGain) -> dict[str, float]:
    """Return the kinds of time with at least a tenth of what a switch saves, the largest first."""
    ordered = sorted(gain.saved.items(), key=lambda item: -item[1])
    return {kind: seconds for kind, seconds in ordered if seconds >= MOSTLY * gain.saves}


def software_document(calibration: Calibration, plan: Plan) -> SoftwareDocument | None:
    """Return the software that a plan is priced for; None where the calibration knows no software and none was said."""
    chip = plan.pool.chip
    software = _find_software(calibration, chip)
    if software is None:
        return None
    ways = {way: fields for way, fields in _beyond(software, plan)}
    by_itself = replace(plan.strategy, **{name: value for fields in ways.values() for name, value in fields.items()})
    without = [_say_without(plan, by_itself, calibration)] if ways else []
    return {**_describe(software, calibration, chip), "beyond": [*ways, *without]}


def _say_without(plan: Plan, by_itself: Strategy, calibration: Calibration) -> str:
    """Return what a plan takes under its software as this is by itself."""
    with_all, alone = predict_together(plan.job, plan.pool, [plan.strategy, by_itself], calibration)
    longer = alone.step_time.nominal / with_all.step_time.nominal - 1.0
    return f"by itself this plan takes {format_duration(alone.step_time.nominal)} ({format_percent(longer)} longer)"


def part_software_document(calibration: Calibration, chip: Chip) -> SoftwareDocument | None:
    """Return the software of one part of a mixture, whose plans are several."""
    software = _find_software(calibration, chip)
    return None if software is None else {**_describe(software, calibration, chip), "beyond": []}


def _find_software(calibration: Calibration, chip: Chip) -> Software | None:
    traits = calibration.stack(chip)
    return calibration.find_stated(chip) or (Software.of(traits) if traits else None)


def _describe(software: Software, calibration: Calibration, chip: Chip) -> SoftwareDocument:
    stated = calibration.find_stated(chip)
    return {
        "name": software.name,
        "framework": software.framework,
        "release": software.release or None,
        "is_stated": stated is not None and stated.chosen is None,
        "chosen": list(software.chosen or ()),
        "switches": software.switches,
        "beyond": [],
    }


def _beyond(software: Software, plan: Plan) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield in which ways a plan is priced better than its assumed software is by itself, and the fields that it then has."""
    strategy = plan.strategy
    if plan.hides_tensor_links and software.tp_overlap == OFF["tp_overlap"]:
        yield "tensor-parallel links hidden", {"overlap_tp": False}
    if plan.job.model.moe is None or strategy.ep == 1:
        return
    if strategy.ep_kind == "deduplicated" and software.dispatcher not in ("", *ONCE_A_RANK):
        yield "each token sent once to a node", {"ep_kind": "all_to_all"}
    if strategy.overlap_ep and software.ep_overlap == OFF["ep_overlap"]:
        yield "dispatch hidden", {"overlap_ep": False}
