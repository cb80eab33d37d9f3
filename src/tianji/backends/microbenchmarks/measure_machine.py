"""Measure this machine and describe it: a pool, how its chips are at each number of them that work, and a calibration.

Where processes on a CPU stand in for chips they share its cores and its memory, so a chip of eight that all work is another one
than a chip that is alone. Each size is measured with all of its ranks at work and gets a chip of its own in the pool.
"""

from __future__ import annotations

import functools
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tianji.backends.machine import check_extra
from tianji.backends.microbenchmarks.fitting import Findings, Fitted, fit_survey
from tianji.backends.microbenchmarks.orders import Orders, Survey, read_survey
from tianji.backends.runtime.hosts import LocalHosts
from tianji.backends.runtime.supervise import RankJob, run_ranks
from tianji.errors import RunError
from tianji.formatting import format_percent
from tianji.hardware.calibration import CLASSES, Calibration, Evidence, Footprint, Spread
from tianji.hardware.constants import Constants
from tianji.hardware.uncertainty import RANGE_80

MOST_PROCESSES = 64
USUAL_PROCESSES = 8
BETWEEN = 0.15
"""How far one campaign of micro-measurements is off from the next, in the logarithm (a standard deviation).

Two campaigns on one machine on one day predicted the same 21 layouts: the root mean square of ln(first / second) is 0.21,
over the root of 2 (``benchmarks/here.py between``). No run's error is in it. What a machine's other work, clock and memory do
from one hour to the next, no fit to the samples of one can know.
"""


@dataclass(frozen=True, slots=True)
class Size:
    """So many chips of this machine, all at work: what was measured and what it says."""

    survey: Survey
    findings: Findings

    @property
    def chips(self) -> int:
        """How many ranks were at work."""
        return self.survey.world


def measure_here(
    processes: int | None = None, *, rounds: int = 5, seconds: float = 0.05, device: str = "",
    tell: Callable[[int], None] | None = None,
) -> list[Size]:  # fmt: skip
    """Measure this machine with 1, 2, 4 ... up to ``processes`` ranks at work (None: all accelerators, or 8 on a CPU).

    ``tell`` hears how many things have been timed. Raises MissingExtraError without torch, RunError when the ranks fail.
    """
    check_extra()
    from tianji.backends.trainer.accelerator import count_chips

    chips = 0 if device == "cpu" else count_chips()
    most = (chips or USUAL_PROCESSES) if processes is None else processes
    if not 1 <= most <= (chips or MOST_PROCESSES):
        raise RunError(f"expected 1 to {chips or MOST_PROCESSES} processes on this machine, got {most}")
    sizes: list[Size] = []
    counted = 0
    for world in list_sizes(most):
        orders = Orders(world, device=device, rounds=rounds, seconds=seconds)
        survey = _survey(orders, functools.partial(_note_more, tell, counted))
        counted += len(survey.samples)
        sizes.append(Size(survey, fit_survey(survey)))
    return sizes


def _note_more(tell: Callable[[int], None] | None, before: int, count: int) -> None:
    if tell is not None:
        tell(before + count)


def list_sizes(most: int) -> list[int]:
    """Return the numbers of ranks to measure with.

    >>> list_sizes(8), list_sizes(6)
    ([1, 2, 4, 8], [1, 2, 4, 6])
    """
    sizes = [2**i for i in range(most.bit_length()) if 2**i <= most]
    return sizes if most in sizes else [*sizes, most]


def _survey(orders: Orders, tell: Callable[[int], None]) -> Survey:
    """Let all ranks of one machine measure under an agent; nothing outlives this call."""
    with tempfile.TemporaryDirectory(prefix="tianji-calibrate-") as name:
        folder = Path(name)
        journal = folder / "rank-00000.jsonl"
        run_ranks(
            LocalHosts(folder),
            RankJob("measure", orders.text(), orders.world, folder, node=orders.world),
            watch=lambda: tell(journal.read_bytes().count(b"\n") if journal.exists() else 0),
        )
        return read_survey(folder, orders.world)


def describe_calibration(name: str, date: str, sizes: Sequence[Size], *, chips: str) -> Calibration:
    """Return the calibration of measured sizes: constants of one chip for each, with evidence and standard errors.

    ``chips`` is the name of the pool, which the chips' names begin with.
    """
    constants: dict[str, Constants] = {}
    evidence: dict[str, dict[str, Evidence]] = {}
    spreads: dict[str, dict[str, Spread]] = {}
    for size in sizes:
        chip = format_chip(chips, size.chips)
        proofs = {
            key: Evidence(
                "measured", f.samples, f"{_source(f)}; {describe_origin(date, size)}", round(f.error or 0.0, 4)
            )
            for key, f in size.findings.constants.items()
        }
        values = {key: float(f"{f.value:.5g}") for key, f in size.findings.constants.items()}
        physics = _physics(size)
        values |= {key: value for key, (value, _) in physics.items()}
        proofs |= {key: Evidence("physics", source=source) for key, (_, source) in physics.items()}
        constants[chip], evidence[chip] = Constants(**values), proofs
        wide = round(math.exp(RANGE_80 * math.hypot(size.findings.misfit, size.findings.noise, BETWEEN)), 3)
        spread = Spread(round(1 / wide, 3), wide, "micro-measured", len(size.survey.of("step")), size.chips)
        spreads[chip] = dict.fromkeys(CLASSES, spread)
    reserve = float(np.median([size.survey.reserve for size in sizes]))
    footprint = Footprint(
        framework_reserve=reserve, tier="measured", rows=len(sizes), source="a process before it has a model"
    )
    note = "Micro-measurements of one machine; no training run was looked at. Holds for its pool alone."
    return Calibration(name, date, constants, evidence, spreads, note=note, memory={"other": footprint})


def format_chip(name: str, chips: int) -> str:
    """Return the name of the chip when so many work.

    >>> format_chip("here", 4)
    'here-4'
    """
    return f"{name}-{chips}"


def describe_origin(date: str, size: Size) -> str:
    """Return where a figure of a size comes from, without a word about which machine it is."""
    rounds = len(size.survey.samples[0].seconds)
    return (
        f"measured here on {date}, {size.chips} at work, {rounds} repeats, noise {format_percent(size.findings.noise)}"
    )


def _source(fitted: Fitted) -> str:
    return fitted.source if fitted.error is not None else f"{fitted.source}, which show nothing of it"


def _physics(size: Size) -> dict[str, tuple[float, str]]:
    if size.survey.chip != "cpu":
        return {}
    physics = {
        "op_blocking": (1.0, "nothing runs ahead of a CPU"),
        "overlap_efficiency": (0.0, "on a CPU the trainer waits for each collective: there are no streams"),
        "layerwise": (1.0, "FSDP2 moves the weights and gradients of each layer by itself"),
    }
    sharing = size.chips / size.survey.processors
    if sharing > 1.0:
        physics["sharing"] = (sharing, f"{size.chips} processes on {size.survey.processors:g} cores")
    return {key: value for key, value in physics.items() if size.chips > 1 or key == "op_blocking"}
