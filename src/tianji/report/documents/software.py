"""The software that an answer is for: what a user said, or what is assumed, with its switches by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

from tianji.hardware import Chip
from tianji.hardware.calibration import Calibration
from tianji.hardware.software import Software
from tianji.prediction.switch_gains import SwitchGain


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
    """The word of each switch that is known."""


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
        }
        for gain in gains
    ]


def software_document(calibration: Calibration, chip: Chip) -> SoftwareDocument | None:
    """Return the software that a calibration prices a chip for; None where it knows no software and none was said."""
    stated, traits = calibration.find_stated(chip), calibration.stack(chip)
    if stated is None and not traits:
        return None
    software = stated or Software.of(traits)
    return {
        "name": software.name,
        "framework": software.framework,
        "release": software.release or None,
        "is_stated": stated is not None and stated.chosen is None,
        "chosen": list(software.chosen or ()),
        "switches": software.switches,
    }
