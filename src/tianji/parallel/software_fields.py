"""What software decides of a strategy: the fields that a switch holds, and the switch that a field says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tianji.hardware import Chip
from tianji.hardware.calibration import Calibration
from tianji.hardware.software import Software

ONCE_A_RANK = ("deep_ep", "hybrid_ep", "nvlink_one_sided", "hccl_fused")
"""Dispatchers that send a token once to each node that has experts for it."""


def held_fields(software: Software | None) -> dict[str, Any]:
    """Return the strategy fields that a stated software holds; of one that is assumed the switches that were said hold any.

    >>> held_fields(Software("own", dispatcher="all_to_all", tp_overlap="none"))
    {'ep_kind': 'all_to_all', 'overlap_tp': False}
    """
    fields: dict[str, Any] = {}
    if software is None:
        return fields
    if software.chosen is not None:
        software = Software("", **{name: getattr(software, name) for name in software.chosen})
    if software.dispatcher:
        fields["ep_kind"] = "deduplicated" if software.dispatcher in ONCE_A_RANK else "all_to_all"
    if software.ep_overlap:
        fields["overlap_ep"] = software.ep_overlap != "none"
    if software.tp_overlap:
        fields["overlap_tp"] = software.tp_overlap != "none"
    return fields


def hold_fields(
    calibration: Calibration, chip: Chip, fixed: Mapping[str, Any], varied: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return held strategy fields with those that the software stated on a chip holds beside them.

    What is fixed or varied already stays so.
    """
    decided = held_fields(calibration.find_stated(chip))
    return {**{name: value for name, value in decided.items() if name not in (varied or ())}, **fixed}


def say_overlap(software: Software, overlaps: bool | None) -> Software:
    """Return software that hides dispatch where a strategy does, and does not where it does not; None says nothing."""
    if overlaps is None:
        return software
    return software.switch(f"ep_overlap={'one_f_one_b' if overlaps else 'none'}")
