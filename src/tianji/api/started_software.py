"""The software that a framework's launch starts: of a script that is read, and of plans that a framework is to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tianji.api.software import SoftwareOptions
from tianji.api.software_rules import find_refusal
from tianji.catalog import list_software, load_framework
from tianji.catalog.software import complete_software
from tianji.hardware import Chip
from tianji.hardware.calibration import Calibration
from tianji.hardware.software import Software, find_switch, is_word_of
from tianji.workload import Job

SOFTWARE_OF = {
    "megatron": "megatron-lm", "modelzoo": "megatron-lm", "slime": "megatron-lm", "swift-megatron": "megatron-lm",
    "verl": "megatron-lm", "bridge": "megatron-bridge",
}  # fmt: skip
"""By the project whose launch is read, the software whose trainer it starts, where its name is another one."""
SOFTWARE_OF_TARGET = {
    "megatron": "megatron-lm", "mindspeed": "mindspeed", "nemo": "megatron-bridge", "torchtitan": "torchtitan",
    "mindformers": "mindformers", "megatron-swift": "megatron-lm",
}  # fmt: skip
"""By the framework of ``--runs-on``, the software that its files start; of others none is known."""
WRITTEN = {
    "megatron": ("tp_overlap=userbuffers", "dispatcher=deep_ep"), "mindspeed": ("tp_overlap=mc2",),
    "megatron-swift": ("tp_overlap=userbuffers", "dispatcher=deep_ep"),
}  # fmt: skip
"""Switches that a target's files turn on where the plan has what they do, and the software leaves off by itself."""

VARIED = {"megatron-lm": {"recompute_modules": ("", "layernorm+moe_act")}}
"""What else a search varies under software that is named: selective recomputation, as a target's files ask for it."""


def name_started(stack: str, chip: Chip) -> str:
    """Return the software that a launch starts on a chip; empty where its switches are known, but not on such chips."""
    name = SOFTWARE_OF.get(stack, stack)
    is_foreign = name in list_software() and chip.ecosystem not in load_framework(name).ecosystems
    return "" if is_foreign else name


def say_target(asked: SoftwareOptions, framework: str | None, job: Job, chip: Chip) -> SoftwareOptions:
    """Return the options with the software of the framework that is to run the plans, where the user names none."""
    name = SOFTWARE_OF_TARGET.get(framework or "", "")
    if not name or asked.software not in (None, ()) or chip.ecosystem not in load_framework(name).ecosystems:
        return asked
    return replace(asked, software=name).add(find_written(framework or "", name, job, chip))


def find_varied(calibration: Calibration, chip: Chip) -> Mapping[str, tuple[Any, ...]]:
    """Return the fields that a search varies beside its own, so that what the stated software's files do is among its plans."""
    software = calibration.find_stated(chip)
    return VARIED.get(software.framework, {}) if software and software.chosen is None else {}


def find_written(framework: str, name: str, job: Job, chip: Chip) -> tuple[str, ...]:
    """Return the switches that a target's files turn on for a job on a chip, where its software takes them."""
    return tuple(word for word in WRITTEN.get(framework, ()) if _applies(word, name, job, chip))


def _applies(word: str, name: str, job: Job, chip: Chip) -> bool:
    switch, value = find_switch(word)
    needs_experts = switch == "dispatcher" and job.model.moe is None
    software = complete_software(Software(name), chip.ecosystem)
    return is_word_of(value, chip.ecosystem) and not needs_experts and not find_refusal(job, software, value)
