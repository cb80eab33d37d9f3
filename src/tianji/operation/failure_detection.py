"""What the reports say has failed: a pure function of what was heard and of the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tianji.operation.protocols import Attempt, NodeReport
from tianji.operation.settings import Settings
from tianji.units import Seconds

CERTAIN = ("node", "chip", "killed", "silent node", "hang")
"""Kinds that name their culprit. An ``exit`` or a ``lost`` worker may be the consequence of one that is not known yet."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A node's last report and when it came."""

    report: NodeReport
    at: Seconds


@dataclass(frozen=True, slots=True)
class Failure:
    """What stopped an attempt; ``chips`` are the culprits."""

    kind: str
    chips: tuple[int, ...]
    message: str = ""


def find_failure(
    attempt: Attempt, heard: Mapping[int, Heard], node: int, now: Seconds, settings: Settings, is_training: bool
) -> Failure | None:
    """Return the gravest failure that the reports tell of, or None; ``node`` is the number of chips in a node."""
    chips_by_kind: dict[str, list[int]] = {}
    message = ""
    for chip in attempt.chips:
        kind, reason = _judge(chip, attempt.number, heard.get(chip // node), now, settings, is_training)
        if kind:
            chips_by_kind.setdefault(kind, []).append(chip)
            message = message or reason
    for kind in (*CERTAIN, "exit", "lost"):
        if kind in chips_by_kind:
            return Failure(kind, tuple(chips_by_kind[kind]), message)
    return None


def _judge(
    chip: int, attempt: int, heard: Heard | None, now: Seconds, settings: Settings, is_training: bool
) -> tuple[str, str]:
    if heard is None or heard.report.dead:
        return "node", ""
    if now - heard.at > settings.node_timeout:
        return "silent node", ""
    report = heard.report.by_chip[chip]
    if not report.healthy:
        return "chip", ""
    worker = report.worker
    if worker is None or worker.attempt != attempt:
        return ("lost", "") if is_training else ("", "")
    if worker.code is not None and worker.code != 0:
        return ("killed" if worker.code < 0 else "exit"), worker.message
    if worker.code is None and worker.silence > settings.heartbeat_timeout:
        return "hang", ""
    return "", ""
