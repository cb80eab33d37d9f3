"""What a switch of the software would buy: a plan priced again with one switch changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from tianji.catalog.architectures import find_mixture
from tianji.catalog.software import list_known_words
from tianji.errors import InputError
from tianji.hardware import Chip
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.hardware.software import BUILT_IN, OFF, Software, spell_switch
from tianji.parallel.legality import check
from tianji.parallel.plan import Plan
from tianji.parallel.software_fields import held_fields
from tianji.perf.memory import usable_memory
from tianji.prediction.many import bundle, predict_many, stack_constants
from tianji.result import Result
from tianji.units import Seconds

MOST = 4
"""Switches that are named, those that save most."""
SMALL = 0.005
"""Share of a step below which a switch is not worth a line."""


@dataclass(frozen=True, slots=True)
class SwitchGain:
    """One switch of a plan's software changed, and the step with it."""

    switch: str
    present: str
    """Its word in the plan; empty where it is not known."""
    word: str
    step_time: Seconds
    saves: Seconds
    plan: Plan
    """The plan with the strategy fields that the switch holds."""
    software: Software
    """What has the switch."""
    saved: Mapping[str, Seconds] = field(default_factory=dict)
    """By kind of time what it saves, below zero what it adds; what is recomputed is launched again, so that one switch may
    shorten several. All together are ``saves``."""

    @property
    def flag(self) -> str:
        """What a user types.

        A launch that was eager and becomes a full graph is typed ``--with full-graph``.
        """
        option = "--without" if OFF.get(self.switch) == self.word and self.present else "--with"
        return f"{option} {spell_switch(self.switch, self.present if option == '--without' else self.word)}"


def weigh_switches(
    result: Result, calibration: Calibration, allows: Callable[[Software, str, Plan], bool] | None = None
) -> tuple[SwitchGain, ...]:
    """Return the switches that would save most of a plan's step, each alone, the largest saving first.

    Only words count that some framework has on the chip's ecosystem, of each switch the best one; a word that breaks a rule of
    the strategy or that takes more memory than there is does not, nor one that ``allows`` refuses for the software and the plan
    that have it. Strategy fields that a switch holds change with it.
    """
    plan, chip = result.plan, result.plan.pool.chip
    calibration = calibration.training(find_mixture(plan.job.model))
    software = calibration.find_stated(chip) or replace(Software.of(calibration.stack(chip)), chosen=())
    if not calibration.software or not software.framework:
        return ()
    changes = [
        change for change in _change(plan, software) if allows is None or allows(change[3], change[1], change[2])
    ]
    plans = [plan, *(changed for _, _, changed, _ in changes)]
    under = [calibration, *(calibration.under(other, chip.name) for _, _, _, other in changes)]
    estimated = predict_many(bundle(plans), partial(_same, stack_constants([c.constants(chip) for c in under])))
    present, *times = estimated.step_time.tolist()
    terms = {kind: seconds[0] - seconds[1:] for kind, seconds in estimated.terms.items()}
    room = max(usable_memory(plan.pool), float(estimated.memory[0]))
    gains = [
        SwitchGain(
            name,
            software.switches.get(name, ""),
            word,
            seconds,
            present - seconds,
            changed,
            other,
            {kind: float(saved[place]) for kind, saved in terms.items()},
        )
        for place, ((name, word, changed, other), seconds, size) in enumerate(
            zip(changes, times, estimated.memory[1:].tolist(), strict=True)
        )
        if size <= room and present - seconds >= SMALL * present
    ]
    best: dict[str, SwitchGain] = {}
    for gain in sorted(gains, key=lambda gain: -gain.saves):
        best.setdefault(gain.switch, gain)
    return tuple(best.values())[:MOST]


def _change(plan: Plan, software: Software) -> Iterator[tuple[str, str, Plan, Software]]:
    """Yield each switch with another word, the plan and the software that have it."""
    for name, words in list_known_words(plan.pool.chip.ecosystem).items():
        for word in words:
            if name in BUILT_IN or word == software.switches.get(name):
                continue
            other = software.switch(f"{name}={word}")
            if software.chosen is not None:
                other = replace(other, chosen=tuple(dict.fromkeys((*software.chosen, name))))
            changed = replace(
                plan, strategy=replace(plan.strategy, **held_fields(Software("").switch(f"{name}={word}")))
            )
            try:
                check(changed.strategy, plan.job, plan.pool)
            except InputError:
                continue
            yield name, word, changed, other


def _same(constants: Constants, _: Chip) -> Constants:
    return constants
