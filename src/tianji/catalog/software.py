"""Software as files: which framework has which switch from which release on, each with its source.

A file is TOML: ``title``, ``ecosystem`` (and ``also``, others that it runs on), then ``[[since]]``, one for each release that
changed something: ``release``, ``source`` and the switches that changed (:data:`tianji.hardware.software.SWITCHES`). What a
later entry leaves out stays as it was. ``ecosystem`` in an entry restricts it to one. Releases with letters before their number
(``mlperf-5.1``) are a track of their own.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from tianji.catalog.entries import DATA, find_entry, list_entries
from tianji.catalog.pools import load_pool
from tianji.catalog.reader import TomlTable, read_toml
from tianji.errors import FormatError, UnknownNameError
from tianji.hardware.software import OFF, SWITCHES, Software, find_switch, order_release, split_name

KIND = "software"
GAINS = DATA / KIND / "gains.csv"
"""Published gains of throughput by one switch."""
NEWEST = {"cuda": "megatron-bridge", "cann": "mindspeed", "rocm": "primus", "xla": "maxtext"}
"""By ecosystem, the software whose newest release stands for software that is not known."""

UNTOLD = "0"
"""The release of a framework whose releases are not told apart."""


@dataclass(frozen=True, slots=True)
class Since:
    """What changed in one release of a framework."""

    release: str
    ecosystem: str
    """The only one that it holds for; empty for all."""
    switches: Mapping[str, str]
    sms: int
    source: str


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework with its history of switches."""

    name: str
    title: str
    ecosystems: tuple[str, ...]
    """The first one is its home."""
    history: tuple[Since, ...]

    @property
    def newest(self) -> str:
        """The newest release that is known; empty where its releases are not told apart."""
        release = (self.known("") or self.history)[-1].release
        return "" if release == UNTOLD else release

    def known(self, release: str, ecosystem: str = "") -> tuple[Since, ...]:
        """Return the entries that hold for a release (none stated: the newest), oldest first.

        A release before the first entry of its track has that first one; a track without entries has none.
        """
        here = [s for s in self.history if s.ecosystem in ("", ecosystem or self.ecosystems[0])]
        track, wanted = order_release(release)
        same = [s for s in here if order_release(s.release)[0] == track]
        if not same or not release:
            return tuple(same)
        return tuple(s for s in same if order_release(s.release)[1] <= wanted) or (same[0],)


def list_software() -> tuple[str, ...]:
    """Return the names of all frameworks whose switches are known."""
    return list_entries(KIND)


def load_framework(name: str) -> Framework:
    """Return a framework by its name.

    >>> load_framework("megatron-bridge").known("26.03")[-1].release
    '26.02'

    Raises UnknownNameError for a name that the catalog lacks, FormatError for a file that cannot be used.
    """
    return _load(find_entry(KIND, name).version())


@lru_cache(maxsize=64)
def _load(version: tuple[str, int, int]) -> Framework:
    path = Path(version[0])
    table = TomlTable(read_toml(path), str(path))
    title, home = table.text("title"), table.text("ecosystem")
    history = tuple(_read_since(one) for one in table.children("since"))
    framework = Framework(path.stem, title, (home, *table.texts("also")), history)
    table.finish()
    if not history:
        raise FormatError(f"{path}: since: missing; expected at least one [[since]] with a release and its switches")
    return framework


def _read_since(table: TomlTable) -> Since:
    switches = {n: table.choice(n, words) for n, words in SWITCHES.items() if n in table.content}
    sms = table.count("dispatcher_sms", default=0, least=0)
    since = Since(table.text("release"), table.text("ecosystem", ""), switches, sms, table.text("source"))
    table.finish()
    return since


def complete_software(software: Software, ecosystem: str = "") -> Software:
    """Return software with the switches that its release is known to have, where it states none itself.

    A framework that the catalog lacks comes back as it is.

    >>> complete_software(Software("torchtitan", launch="eager")).launch
    'eager'
    """
    try:
        framework = load_framework(software.framework)
    except UnknownNameError:
        return software
    switches: dict[str, str] = {}
    sms = 0
    for since in framework.known(software.release, ecosystem):
        switches |= since.switches
        sms = since.sms or sms
    unsaid: dict[str, Any] = {name: word for name, word in switches.items() if not getattr(software, name)}
    return replace(software, **unsaid, dispatcher_sms=software.dispatcher_sms or sms)


def find_software(text: str, words: Sequence[str] = (), ecosystem: str = "cuda") -> tuple[Software, str]:
    """Return the software that a user names, with some switches set, and a note on what had to be assumed (else empty).

    A framework that the catalog lacks, or a release after its newest entry, has the newest mechanisms that are known, of the
    framework or of its ecosystem.

    >>> find_software("megatron-bridge@26.08", ("dispatcher=deep_ep",))[0].dispatcher
    'deep_ep'

    Raises FormatError for a word that is no switch.
    """
    name, release = split_name(text)
    stated = Software(name, release).switch(*words)
    if name in list_software():
        return complete_software(stated, ecosystem), _note_release(load_framework(name), release)
    newest = complete_software(Software(NEWEST.get(ecosystem, NEWEST["cuda"])), ecosystem)
    filled = replace(stated.fill(newest), dispatcher_sms=newest.dispatcher_sms)
    note = f"software {name!r} is not known: it is taken to have the mechanisms of the newest {newest.framework}"
    return filled, note


def list_known_words(ecosystem: str) -> dict[str, tuple[str, ...]]:
    """Return by switch the words that may save time on an ecosystem.

    They are those that some framework has on there, and those that a gain was published of.

    >>> list_known_words("cann")["dispatcher"]
    ('hccl_fused',)
    """
    known: dict[str, set[str]] = {}
    for name in list_software():
        framework = load_framework(name)
        for since in framework.history if ecosystem in framework.ecosystems else ():
            for switch, word in complete_software(Software(name, since.release), ecosystem).switches.items():
                if word != OFF.get(switch):
                    known.setdefault(switch, set()).add(word)
    for switch, word, pool in _published_words():
        # Pools are files: those that teach no new word are not read.
        if word not in known.get(switch, ()) and load_pool(pool).chip.ecosystem == ecosystem:
            known.setdefault(switch, set()).add(word)
    return {switch: tuple(w for w in SWITCHES[switch] if w in known[switch]) for switch in SWITCHES if switch in known}


@lru_cache(maxsize=1)
def _published_words() -> tuple[tuple[str, str, str], ...]:
    """Return each switch with a word that a gain was published of, and the pool on which it was measured."""
    with GAINS.open(newline="", encoding="utf-8") as file:
        rows = [(row["pool"], {*row["after"].split()} - {*row["before"].split()}) for row in csv.DictReader(file)]
    return tuple(sorted({(*find_switch(word), pool) for pool, words in rows for word in words}))


def _note_release(framework: Framework, release: str) -> str:
    track, numbers = order_release(release)
    known = [order_release(s.release)[1] for s in framework.history if order_release(s.release)[0] == track]
    if not release or (known and numbers and min(known) <= numbers <= max(known)):
        return ""
    return f"release {release!r} of {framework.name} is not known: it is taken to have the nearest mechanisms that are"
