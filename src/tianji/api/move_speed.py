"""The speed of a moved job: the model that a repository trains, found, priced on the target and beside the present pool."""

from __future__ import annotations

import re
from pathlib import Path

from tianji.api.cases import SizedPool, read_cases, require_pool
from tianji.api.quantities import Count
from tianji.api.requests import ModelLike
from tianji.catalog import list_pools, load_calibration
from tianji.errors import FormatError, TianjiError
from tianji.exporters.launch_reader.launches import read_launch
from tianji.migration import Move
from tianji.migration.facts import FileKind
from tianji.migration.resolving.areas import is_outside_tests, speaks_of_training
from tianji.migration.speed import Speed, estimate_speed, find_model
from tianji.workload import Job

USUAL_CHIPS = 8
"""Chips of a launch that does not say how many: those of one server."""
USUAL_POOL, USUAL_MODEL = "atlas-900-a2", "llama-3.1-8b"
"""What a target that is no pool stands for, and the model whose sizes a launch script replaces."""
MOST_SCRIPTS = 50
_BESIDE_TRAINING = re.compile(r"infer|generat|serv|eval|convert|export|chat|quantiz", re.IGNORECASE)
"""In paths of scripts that use a model and do not train it."""


def find_speed(
    move: Move, target: str, model: ModelLike | None, present: SizedPool | None, chips: Count | None
) -> tuple[Speed | None, str]:
    """Return the speed on the target, or None where no model can be told, and why there is none.

    Raises InputError where a model or a present pool was asked for and cannot be priced.
    """
    asked = model is not None or present is not None
    found = None if model is not None else find_model(move.scan)
    launched = None if model is not None or found is not None else _find_launched(move, _number_of(present, chips))
    if model is None and found is None and launched is None:
        if asked:
            raise FormatError(
                "no config.json and no launch script in the repository says the model; give it with --model"
            )
        return None, ""
    place = "--model" if model is not None else found[1] if found else launched[1] if launched else ""
    name = model if model is not None else str(Path(move.scan.root) / place) if found else USUAL_MODEL
    try:
        cases = read_cases(name, _pools(target, present, chips), batch=None, seq=None, tokens=None, precision="bf16")
        if launched is not None:
            cases = [(launched[0], where) for _, where in cases]
        (job, where), *rest = (require_pool(case, "a move", "name one of its pools") for case in cases)
        return estimate_speed(move.scan, job, place, where, load_calibration("default"), rest[0] if rest else None), ""
    except TianjiError as error:
        if asked:
            raise
        return None, f"speed: not estimated for {place} ({error})"


def _pools(target: str, present: SizedPool | None, chips: Count | None) -> tuple[SizedPool, ...]:
    """Return the target and the present pool, where there is one; the target takes as many chips as the present one."""
    pool = target if target in list_pools() else USUAL_POOL
    if present is None:
        return (f"{chips}x{pool}" if chips else pool,)
    count = _number_of(present, chips)
    return (f"{count}x{pool}" if count else pool, present)


def _number_of(present: SizedPool | None, chips: Count | None) -> int:
    """Return the chips that were asked for, or those of the present pool; 0 where neither says."""
    words = f"{present.partition('x')[0] if isinstance(present, str) else present.chips}" if present is not None else ""
    asked = str(chips) if chips else words
    return int(asked) if asked.isdigit() else 0


def _find_launched(move: Move, chips: int) -> tuple[Job, str] | None:
    """Return the job of the first launch of a repository that can be read, with its path: scripts first, then configurations.

    Those whose names speak of training come first. ``chips`` are those of a launch that does not say how many (0: usual).
    """
    kinds = (FileKind.SHELL, FileKind.CONFIG)
    found = [facts for facts in move.scan.files if facts.kind in kinds and is_outside_tests(facts.path)]
    found = [facts for facts in found if not _BESIDE_TRAINING.search(facts.path)]
    ordered = sorted(
        found,
        key=lambda facts: (
            kinds.index(facts.kind), not speaks_of_training(facts.path), facts.path.count("/"), facts.path
        ),
    )  # fmt: skip
    for kind in kinds:
        for facts in [facts for facts in ordered if facts.kind is kind][:MOST_SCRIPTS]:
            for number in (None, chips or USUAL_CHIPS):
                try:
                    return read_launch(Path(move.scan.root) / facts.path, number).job, facts.path
                except (TianjiError, OSError):
                    continue
    return None
