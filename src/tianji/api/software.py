"""The software of a plan, as a user says it: a framework in a release, switches set or taken off, for each chip."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from tianji.api.software_rules import refuse_words, rule_out_overlap
from tianji.catalog.beliefs import read_mechanisms
from tianji.catalog.software import NEWEST, find_software, list_software, load_framework
from tianji.errors import FormatError, find_near
from tianji.hardware import Chip
from tianji.hardware.calibration import Calibration
from tianji.hardware.software import SWITCHES, Software, find_switch, is_word_of, split_name
from tianji.measurements.rows import NATURAL_IMBALANCE
from tianji.parallel.software_fields import held_fields, say_overlap
from tianji.parallel.strategy import Strategy
from tianji.workload import Job

Words: TypeAlias = str | Iterable[str]
"""Words joined by commas, or several such texts."""
SoftwareLike: TypeAlias = str | Software | Mapping[str, str] | Iterable[str]
"""``"megatron-bridge@26.08"``; by chip or ecosystem as ``{"h800": ...}`` or ``"h800=..."``; or an object."""
OF_EXPERTS = ("ep_kind", "overlap_ep")
UNPRICED = tuple(name for name in SWITCHES if name not in {trait.partition("=")[0] for trait, _ in read_mechanisms()})
"""Switches that no term of a step depends on."""


@dataclass(frozen=True, slots=True)
class SoftwareOptions:
    """The options ``--software``, ``--with`` and ``--without`` of a verb, as they were given."""

    software: SoftwareLike | None = None
    with_: Words = ()
    without: Words = ()
    option: str = "--with"
    """How the verb spells the switches that are set."""

    @property
    def is_empty(self) -> bool:
        """Nothing was said."""
        return self.software in (None, ()) and self.with_ in ((), None) and self.without in ((), None)

    def add(self, words: Sequence[str]) -> SoftwareOptions:
        """Return the options with further switches, those left out that are said already.

        >>> SoftwareOptions(with_="full-graph,deep-ep").add(("dispatcher=all_to_all", "tp_overlap=none")).with_
        ('full-graph', 'deep-ep', 'tp_overlap=none')
        """
        given = _split(self.with_, self.option)
        names = {_name_switch(text) for text in (*given, *_split(self.without, "--without"))}
        more = [word for word in words if word.partition("=")[0] not in names]
        return replace(self, with_=(*given, *more)) if more else self


NOTHING_SAID = SoftwareOptions()


@dataclass(slots=True)
class _Wish:
    """A word for the chips of one key, an empty key being every chip, and whether any chip took it."""

    key: str
    word: str
    software: Software | None = None
    """Where an object was given."""
    taken: bool = False
    why: list[str] = field(default_factory=list)
    """Why chips did not."""

    def is_for(self, chip: Chip) -> bool:
        return self.key in ("", chip.name, chip.ecosystem)


@dataclass(frozen=True, slots=True)
class SoftwareChoice:
    """A calibration under the software that was said, and what had to be assumed of it."""

    calibration: Calibration
    notes: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Strategy fields that the switches hold which were said, on the last of the chips."""

    def rule_out(self, job: Job, chips: Iterable[Chip], fixed: Container[str] = ()) -> SoftwareChoice:
        """Return the choice without an overlap that the software's own rules refuse for a job; ``fixed`` fields were said."""
        calibration, notes = self.calibration, list(self.notes)
        for chip in chips:
            calibration, note = rule_out_overlap(calibration, job, chip, fixed)
            notes += [note] if note else []
        return replace(self, calibration=calibration, notes=tuple(dict.fromkeys(notes)))

    def settle(self, job: Job, chip: Chip) -> Job:
        """Return a job as the software on a chip has it: experts as loaded as it routes them, and what was assumed said."""
        software = self.calibration.find_stated(chip)
        refuse_words(job, software)
        if software and software.routing == "natural" and job.model.moe and job.moe_imbalance == 1.0:
            job = replace(job, moe_imbalance=NATURAL_IMBALANCE)
        return replace(job, assumed=(*job.assumed, *self.notes)) if self.notes else job


def choose_software(
    calibration: Calibration, chips: Iterable[Chip], asked: SoftwareOptions, fixed: Mapping[str, Any] | None = None,
    base: str | Software = "", layout: Strategy | None = None, *, has_experts: bool = True,
) -> SoftwareChoice:  # fmt: skip
    """Return the calibration under the software that a user says, with notes on what was assumed.

    Args:
        calibration: Of the answer.
        chips: Those that are asked about; software without a key goes to those of its ecosystems.
        asked: The three options.
        fixed: Strategy fields that the user said too.
        base: The software whose switches are changed where none is named; empty: the newest known one of the ecosystem.
        has_experts: Fields of experts are worth a note.
        layout: A whole strategy, which only switches that were said change.

    Raises FormatError for what means no software or switch, contradicts itself, or fits none of the chips.
    """
    hides_dispatch = bool((fixed or {}).get("overlap_ep")) and has_experts and bool(calibration.software)
    if asked.is_empty and not hides_dispatch:
        return SoftwareChoice(calibration)
    kinds = {chip.name: chip for chip in chips}
    keys = {name for chip in kinds.values() for name in (chip.name, chip.ecosystem)}
    frameworks = _read_frameworks(asked.software, keys)
    words, off = (
        [_Wish(*_split_key(text, keys)) for text in _split(given, option)]
        for given, option in ((asked.with_, asked.option), (asked.without, "--without"))
    )
    notes: list[str] = []
    fields: dict[str, Any] = {}
    for chip in kinds.values():
        framework = _choose_framework(frameworks, chip)
        words_here, off_here = _choose_words(words, chip, asked.option), [wish for wish in off if wish.is_for(chip)]
        is_said = hides_dispatch and is_word_of("one_f_one_b", chip.ecosystem)
        if framework is None and not words_here and not off_here and not is_said:
            continue
        software, note = _find(framework or base, words_here, chip)
        software, words_here = _switch_off(software, off_here, words_here)
        fields = _agree(Software("").switch(*words_here), words_here, fixed or {})
        software = _finish(
            software, words_here, {**({"overlap_ep": layout.overlap_ep} if layout else {}), **(fixed or {})}
        )
        calibration = calibration.under(software, chip.name)
        changes = {
            name: value
            for name, value in (fields if layout else held_fields(software)).items()
            if name not in (fixed or {})
            and (has_experts or name not in OF_EXPERTS)
            and value != getattr(layout or Strategy(), name)
        }
        where = f" (on {chip.name})" if len(kinds) > 1 else ""
        notes += [text + where for text in _describe(software, note, words_here, calibration, changes)]
    _refuse_unused(frameworks, keys, kinds.values(), "--software")
    _refuse_unused(words, keys, kinds.values(), asked.option)
    _refuse_unused(off, keys, kinds.values(), "--without")
    return SoftwareChoice(calibration, tuple(dict.fromkeys(notes)), fields)


# --- reading ------------------------------------------------------------------------------------------------------
def _split(given: Words | None, option: str) -> list[str]:
    texts = [given] if isinstance(given, str) else list(given or ())
    words = [word.strip() for text in texts for word in str(text).split(",")]
    if any(not word for word in words):
        raise FormatError(f"{option}: expected switches joined by commas, like full-graph,hybridep; got an empty one")
    return words


def _split_key(text: str, keys: Iterable[str]) -> tuple[str, str]:
    """Return the chip or ecosystem before a sign of equality, where it is one that is asked about, and the rest."""
    head, equals, rest = text.partition("=")
    return (head.strip().lower(), rest.strip()) if equals and head.strip().lower() in keys else ("", text)


def _name_switch(text: str) -> str:
    """Return the switch of a word, which a chip may stand before; empty where it names none."""
    for word in (text, text.partition("=")[2]):
        try:
            return find_switch(word)[0]
        except FormatError:
            continue
    return ""


def find_layout_words(layout: Strategy, chip: Chip, fixed: Container[str], *, has_experts: bool) -> tuple[str, ...]:
    """Return the switches that a layout read in a script says of its software; what the user says in ``fixed`` is left out."""
    words_of = {
        "overlap_tp": "" if layout.overlap_tp else "tp_overlap=none",
        "ep_kind": "dispatcher=all_to_all" if has_experts and layout.ep_kind == "all_to_all" else "",
        "overlap_ep": "ep_overlap=one_f_one_b" if has_experts and layout.overlap_ep else "",
    }
    words = (word for field, word in words_of.items() if word and field not in fixed)
    return tuple(word for word in words if is_word_of(word.partition("=")[2], chip.ecosystem))


def _read_frameworks(given: SoftwareLike | None, keys: set[str]) -> list[_Wish]:
    if given in (None, ()):
        return []
    if isinstance(given, Software):
        return [_Wish("", given.name, given)]
    if isinstance(given, Mapping):
        texts = [f"{key}={value}" for key, value in given.items()]
    else:
        texts = [given] if isinstance(given, str) else list(given)
    return [_read_framework(text, keys) for text in texts]


def _read_framework(text: str, keys: set[str]) -> _Wish:
    wish = _Wish(*_split_key(text, keys))
    if "=" in wish.word:
        head = wish.word.partition("=")[0].strip()
        near = find_near(head, keys)
        guess = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(sorted(keys))}"
        raise FormatError(f"--software {text[:60]}: {head!r} is no chip or ecosystem that is asked about; {guess}")
    name, release = split_name(wish.word)
    if not name or ("@" in wish.word and not release) or "," in wish.word or any(c.isspace() for c in name):
        raise FormatError(
            f"--software {text[:60]!r}: expected a framework with or without a release, like megatron-bridge@26.08;"
            f" known: {', '.join(list_software())}"
        )
    return wish


# --- choosing -----------------------------------------------------------------------------------------------------
def _choose_framework(frameworks: list[_Wish], chip: Chip) -> str | Software | None:
    """Return what was said for a chip: that of its name, else of its ecosystem, else of every chip that it runs on."""
    for key in (chip.name, chip.ecosystem, ""):
        fitting = [wish for wish in frameworks if wish.key == key and _runs_on(wish, chip)]
        if len(fitting) > 1:
            names = " and ".join(wish.word for wish in fitting)
            raise FormatError(f"--software names {names} for {chip.name}; one plan runs under one of them")
        if fitting:
            fitting[0].taken = True
            return fitting[0].software or fitting[0].word
    return None


def _find(named: str | Software, words: Sequence[str], chip: Chip) -> tuple[Software, str]:
    """Return software by its name with the switches that were said, and a note; without a name the newest that is known."""
    if isinstance(named, Software):
        return named.switch(*words), ""
    if named:
        return find_software(named, words, chip.ecosystem)
    software, note = find_software(NEWEST.get(chip.ecosystem, NEWEST["cuda"]), words, chip.ecosystem)
    return replace(software, chosen=()), note


def _finish(software: Software, words: Sequence[str], fixed: Mapping[str, Any]) -> Software:
    """Return software that hides dispatch where the strategy does, and says which switches were said, if it is assumed.

    ``--overlap-ep`` and ``--with one-f-one-b`` are one mechanism and cost the same.
    """
    stated, overlaps = dict(Software("").switch(*words).switches), fixed.get("overlap_ep")
    if "ep_overlap" not in stated and (software.chosen is None or overlaps):
        software = say_overlap(software, overlaps)
        stated |= {"ep_overlap": software.ep_overlap} if overlaps else {}
    if software.chosen is not None:
        return replace(software, chosen=tuple(dict.fromkeys((*software.chosen, *stated))))
    return software


def _runs_on(wish: _Wish, chip: Chip) -> bool:
    name = split_name(wish.word)[0]
    if wish.software or name not in list_software():
        return True
    homes = load_framework(name).ecosystems
    if chip.ecosystem in homes or chip.ecosystem not in NEWEST:
        return True
    here = [other for other in list_software() if chip.ecosystem in load_framework(other).ecosystems]
    wish.why.append(
        f"{name} is known on {' and '.join(homes)}, {chip.name} is {chip.ecosystem} (known there: {', '.join(here)})"
    )
    return False


def _choose_words(words: list[_Wish], chip: Chip, option: str) -> list[str]:
    """Return the switches that were said for a chip, as ``switch=word``."""
    found: dict[str, str] = {}
    for wish in words:
        if not wish.is_for(chip):
            continue
        name, word = find_switch(wish.word)
        if not is_word_of(word, chip.ecosystem):
            known = [w for w in SWITCHES[name] if is_word_of(w, chip.ecosystem)]
            wish.why.append(f"there is no {word} on {chip.ecosystem} ({name} there: {', '.join(known)})")
            continue
        if found.get(name, word) != word:
            raise FormatError(f"{option}: {name} cannot be {found[name]} and {word} at once; say one of them")
        wish.taken, found[name] = True, word
    return [f"{name}={word}" for name, word in found.items()]


def _switch_off(software: Software, off: list[_Wish], words: list[str]) -> tuple[Software, list[str]]:
    """Return the software without what is taken off, and all words that were said of it."""
    said_on, every = {find_switch(word)[0] for word in words}, list(words)
    for wish in off:
        try:
            changed = software.switch_off(wish.word)
        except FormatError as error:
            wish.why.append(str(error))
            continue
        name = next(n for n, word in changed.switches.items() if software.switches.get(n) != word)
        if name in said_on:
            raise FormatError(f"--without {wish.word}: {name} is set beside it; a switch is set or taken off, not both")
        software, wish.taken = changed, True
        every.append(f"{name}={changed.switches[name]}")
    return software, every


def _refuse_unused(wishes: Iterable[_Wish], keys: Iterable[str], chips: Iterable[Chip], option: str) -> None:
    for one in wishes:
        if not one.taken:
            where = one.key or " and ".join(chip.name for chip in chips)
            why = "; ".join(dict.fromkeys(one.why)) or f"nothing of it is left for {where}"
            raise FormatError(f"{option} {one.word[:60]}: {why}")


def _agree(stated: Software, words: Sequence[str], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the strategy fields that switches hold which were said.

    Raises FormatError where a field was said too, and otherwise.
    """
    fields = held_fields(stated)
    for name, value in fields.items():
        if name in fixed and fixed[name] != value:
            raise FormatError(
                f"{', '.join(words)} wants {_assign(name, value)}, and {_assign(name, fixed[name])} is said too; leave one out"
            )
    return fields


def _describe(
    software: Software, note: str, words: Sequence[str], calibration: Calibration, fields: Mapping[str, Any]
) -> Iterable[str]:
    if note:
        yield note
    if fields:
        yield f"{', '.join(_assign(*pair) for pair in fields.items())}, as {software.name} has it"
    if dead := [word for word in words if word.partition("=")[0] in UNPRICED]:
        yield f"nothing measured tells what {' and '.join(dead)} changes: it is not priced"
    if not calibration.software:
        yield f"calibration {calibration.name} knows no software: switches change no rate"


def _assign(name: str, value: object) -> str:
    return f"{name}={'on' if value is True else 'off' if value is False else value}"
