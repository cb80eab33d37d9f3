"""A calibration: the constants of each chip and the effects of software, each with its evidence, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tianji.hardware.chip import Chip
from tianji.hardware.constants import MEMORY_CONSTANTS, Constants, limit
from tianji.hardware.software import Software
from tianji.hardware.uncertainty import RANGE_80, Correlations, Uncertainty, Unknown, combine
from tianji.units import Bytes

TIERS = ("physics", "measured", "fitted")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where one constant comes from.

    ``tier`` is ``physics`` (a law or a datasheet), ``measured`` (a published micro-benchmark) or ``fitted`` (to whole runs).
    """

    tier: str
    rows: int = 0
    source: str = ""
    standard_error: float = 0.0
    inherited_from: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one trait of the software (a framework, a release, a mode of running it) does to a constant: a factor."""

    factor: float
    rows: int = 0
    standard_error: float = 0.0
    """Of the factor's logarithm."""
    sets: bool = False
    """The constant becomes ``factor``, whatever the chip's own value is."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Relative 80 % range of step times, where the constants are sure: measured / predicted lies from ``low`` to ``high``.

    Without a ``basis`` nothing is known of a range.
    """

    low: float = 1.0
    high: float = 1.0
    basis: str = ""
    """``measured``, ``inherited`` or ``roadmap``."""
    rows: int = 0
    """Measured runs that it was seen on."""
    chips: int = 0
    """Chips of the largest of them; beyond, the range widens."""

    def doubted(self, deviation: float) -> Spread:
        """Return the range widened by a doubt about the constants: the standard deviation of log time that comes from them.

        What runs missed and what constants leave open are independent: they add as squares.

        >>> print(round(Spread(0.9, 1.1, "measured").doubted(0.1).high, 3), Spread(0.9, 1.1).doubted(0.1).high)
        1.173 1.1
        """
        more = RANGE_80 * deviation
        if not more or not self.basis:
            return self
        low, high = (min(math.hypot(math.log(end), more), WIDEST) for end in (self.low, self.high))
        return replace(self, low=math.exp(-low), high=math.exp(high))


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory that a software really takes over what the formulas count, as its tables print it."""

    activation_overhead: float = 1.0
    framework_reserve: Bytes = 0.0
    communicator_size: Bytes = 0.0
    tier: str = "physics"
    rows: int = 0
    standard_error: float = 0.0
    """Of the predicted total's logarithm."""
    source: str = ""


BLOCKING = "launch=blocking"
"""The mode in which the host waits for each op before it launches the next: ``op_blocking`` is 1."""
REGRESSION = "known-regression"
"""The mode of a run that its publisher calls slower than it should be."""
CLASSES = ("dense", "moe")
"""Kinds of models that have a range of their own."""
OTHER = "other"
"""The entry for chips that the calibration does not know: broad beliefs and a wide range."""
UNSEEN = "*"
"""The entry for software that no run is of: what a framework may do. No trait has this name."""
UNSEEN_PAIR = "*@*"
"""The entry for known software on a chip that no run of it is on."""
UNSEEN_MIXTURE = "*/*"
"""The entry for a mixture of experts that no run of known software is of."""
MEMORY_ERROR = 0.06
"""Least standard deviation of log bytes of a plan: what a run's allocator and kernels take is known to a few percent at best. Of
fifteen figures of PaddleNLP (FlagPerf) eleven lie within 10 % once its reserve is known."""
BORROWING = 0.22
"""Standard deviation of log time that a chip borrows with its relative's constants, where the calibration does not list it; the
same as of those that it lists (:data:`tianji.calibration.ranges.INHERITED`)."""
WIDEST = math.log(100.0)
"""No end of a range lies farther from the nominal value, in the logarithm."""
WIDENING = 0.02
"""By which an end of the range moves (in the logarithm) for each doubling of the chips beyond the largest measured run."""


def mixture_trait(framework: str, architecture: str) -> str:
    """Return the trait of one mixture of experts (its ``architecture``) under a ``framework``.

    It stands for what the mixture's runs take beside what its terms say.

    >>> mixture_trait("megatron-bridge", "qwen3_30b_a3b")
    'megatron-bridge/qwen3_30b_a3b'
    """
    return f"{framework}/{architecture}"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Constants for each chip, effects of software, ranges, each with evidence, validity and date.

    Runs state their software as traits; the factors of those that are known multiply. A plan that states none gets the
    ``reference`` traits of its chip's ecosystem: a well-tuned current stack.
    """

    name: str = "none"
    date: str = ""
    chips: Mapping[str, Constants] = field(default_factory=dict)
    evidence: Mapping[str, Mapping[str, Evidence]] = field(default_factory=dict)
    spreads: Mapping[str, Mapping[str, Spread]] = field(default_factory=dict)
    """By chip, then by one of CLASSES: what runs miss beyond what the doubt about constants explains."""
    software: Mapping[str, Mapping[str, Effect]] = field(default_factory=dict)
    """By trait, then by the constant that it changes; ``software`` is time as a whole."""
    reference: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Traits by ecosystem."""
    note: str = ""
    memory: Mapping[str, Footprint] = field(default_factory=dict)
    """By software family, and by ecosystem for software that is not known."""
    correlations: Correlations = field(default_factory=dict)
    """Of fitted constants and effects of software; their standard errors stand with their evidence."""
    stated: Mapping[str, Software] = field(default_factory=dict)
    """What a user says that will run (:meth:`under`), by chip or ecosystem; the empty name stands for every chip."""
    mixture: str | None = None
    """The mixture of experts that is trained (:meth:`training`): its architecture, empty where nothing measured is of it; None:
    no mixture."""

    def constants(self, chip: Chip, traits: Sequence[str] | None = None) -> Constants:
        """Return the constants of a chip under some software (None: the reference of its ecosystem).

        A chip without constants has those of its relative, else those of an unknown chip, else pure physics. The effects of
        all traits that are known multiply; an efficiency that they change stays at most what it can be
        (:func:`tianji.hardware.constants.limit`).
        """
        constants = self.chips.get(chip.name) or self.chips.get(chip.relative) or self.chips.get(OTHER) or Constants()
        factors: dict[str, float] = {}
        changed: dict[str, Any] = {}
        stated = self.traits_on(chip, traits)
        # Software that is not known is as slow as what is known is on average.
        known = stated[:1] if any(trait in self.software for trait in stated[:1]) else (UNSEEN,)
        for trait in (*known, *stated[1:]):
            for name, effect in self.software.get(trait, {}).items():
                if effect.sets:
                    changed[name] = effect.factor
                else:
                    factors[name] = factors.get(name, 1.0) * effect.factor
        changed |= {name: float(limit(name, getattr(constants, name) * f)) for name, f in factors.items()}
        memory = self.footprint(chip, traits)
        if BLOCKING in stated:
            changed["op_blocking"] = 1.0
        return replace(
            constants,
            **changed,
            activation_overhead=memory.activation_overhead,
            framework_reserve=memory.framework_reserve,
            communicator_size=memory.communicator_size,
        )

    def traits_on(self, chip: Chip, traits: Sequence[str] | None = None) -> tuple[str, ...]:
        """Return the traits of some software on a chip (None: of its ecosystem's reference), with that of the pair of both."""
        stated = self.stack(chip) if traits is None else tuple(traits)
        if traits is None and stated and self.mixture is not None:
            stated = (*stated, mixture_trait(stated[0], self.mixture))
        return (*stated, f"{stated[0]}@{chip.name}") if stated else ()

    def stack(self, chip: Chip) -> tuple[str, ...]:
        """Return the traits of what runs on a chip: the software that a user stated, else the ecosystem's reference."""
        software = self.find_stated(chip)
        return software.traits() if software else tuple(self.reference.get(chip.ecosystem, ()))

    def find_stated(self, chip: Chip) -> Software | None:
        """Return what a user said of the software on a chip; None: nothing."""
        return next((self.stated[place] for place in (chip.name, chip.ecosystem, "") if place in self.stated), None)

    def under(self, software: Software, *places: str) -> Calibration:
        """Return this calibration for plans that run under some software, in place of the reference stack.

        ``places`` are chips or ecosystems; without any it runs on every chip.
        """
        return replace(self, stated={**self.stated, **dict.fromkeys(places or ("",), software)})

    def training(self, mixture: str | None) -> Calibration:
        """Return this calibration for plans of a mixture of experts: what its measured runs took beside their terms counts."""
        return self if mixture == self.mixture else replace(self, mixture=mixture)

    def footprint(self, chip: Chip, traits: Sequence[str] | None = None) -> Footprint:
        """Return the memory that some software takes; software that is not known takes what its ecosystem does."""
        software = self.find_stated(chip) if traits is None else None
        stated = software.traits() if software and software.chosen is None else traits or ()
        known = next((self.memory[trait] for trait in stated if trait in self.memory), None)
        return known or self.memory.get(chip.ecosystem) or Footprint()

    def memory_error(self, chip: Chip, traits: Sequence[str] | None = None) -> float:
        """Return the standard deviation of the log bytes on a chip; 0 under pure physics."""
        footprint = self.footprint(chip, traits)
        return max(footprint.standard_error, MEMORY_ERROR) if footprint != Footprint() else 0.0

    def spread(self, chip: Chip, *, moe: bool = False, chips: int = 1, traits: Sequence[str] | None = None) -> Spread:
        """Return the 80 % range of step times over the nominal one, where the constants are sure.

        The range widens for each doubling of ``chips`` beyond the largest measured run. ``moe`` asks for that of mixtures of
        experts. It widens too by what frameworks are believed to differ, in three cases:

        * ``traits`` state no framework (the first trait), or none that is known: the plan is predicted for the reference, and
          whoever runs it may use another;
        * the framework was not seen on this chip;
        * the mixture of experts was not seen under it.
        """
        spreads = self.spreads.get(chip.name) or self.spreads.get(chip.relative) or self.spreads.get(OTHER) or {}
        base = spreads.get("moe" if moe else "dense", Spread())
        if chip.name not in self.spreads and chip.relative in self.spreads and base.basis:
            base = replace(base.doubted(BORROWING), basis="inherited", rows=0)
        doublings = max(math.log2(max(chips, 1) / base.chips), 0.0) if base.chips else 0.0
        wider = math.exp(WIDENING * doublings)
        wide = replace(base, low=base.low / wider, high=base.high * wider)
        strange = [self.software.get(entry, {}).get("software") for entry in self._find_strangers(chip, traits)]
        return wide.doubted(math.hypot(*(effect.standard_error for effect in strange if effect)))

    def _find_strangers(self, chip: Chip, traits: Sequence[str] | None) -> Iterator[str]:
        """Yield the entries for what is not known of some software on a chip: the software or the pair, and the mixture."""
        *stated, pair = self.traits_on(chip, traits) or ("",)
        software = self.find_stated(chip)
        is_stated = traits is not None or (software is not None and software.chosen is None)
        if not is_stated or not any(trait in self.software for trait in stated[:1]):
            yield UNSEEN
        elif pair not in self.software:
            yield UNSEEN_PAIR
        if any("/" in trait and trait not in self.software for trait in stated):
            yield UNSEEN_MIXTURE

    def doubt(self, chip: Chip, traits: Sequence[str] | None = None) -> Uncertainty:
        """Return how unsure the fitted constants of a chip are under some software (None: the reference of its ecosystem).

        A framework that is not known may change constants; what it does to time as a whole is in the spread.
        """
        home = next((name for name in (chip.name, chip.relative) if name in self.evidence), "")
        errors: dict[Unknown, float] = {
            (self._find_origin(home, name), name): proof.standard_error
            for name, proof in self.evidence.get(home, {}).items()
            if proof.tier == "fitted" and name not in MEMORY_CONSTANTS
        }
        stated = self.traits_on(chip, traits)
        if not any(trait in self.software for trait in stated[:1]):
            unseen = self.software.get(UNSEEN, {})
            errors |= {(UNSEEN, name): effect.standard_error for name, effect in unseen.items() if name != "software"}
        for trait in stated:
            effects = self.software.get(trait, {})
            errors |= {(trait, name): effect.standard_error for name, effect in effects.items() if not effect.sets}
        return combine(errors, self.correlations)

    def _find_origin(self, chip: str, constant: str) -> str:
        """Return the chip whose runs set a constant: that which a chip inherits it from, or which that one does."""
        seen = {chip}
        while proof := self.evidence.get(chip, {}).get(constant):
            if not proof.inherited_from or proof.inherited_from in seen:
                break
            chip = proof.inherited_from
            seen.add(chip)
        return chip
