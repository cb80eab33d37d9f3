"""Solve which versions fit together: one release of torch_npu, and for each other component a release that meets it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tianji.errors import FormatError
from tianji.migration.versions.table import COMPONENTS, TITLES, Release, load_releases, matches, numbers

_OWNERS = {
    "mindspeed": "MindSpeed Core",
    "megatron_core": "MindSpeed Core",
    "mindspeed_llm": "MindSpeed-LLM",
    "vllm": "vllm-ascend",
    "vllm_ascend": "vllm-ascend",
    "triton_ascend": "triton-ascend",
    "mindspore": "MindSpore",
    "mindformers": "MindFormers",
}
"""Component: whose rows say what it fits with."""
_CHIPS = {"a2": "A2", "a3": "A3", "950dt": "950"}
PYTHONS = ("3.11", "3.10", "3.12", "3.13", "3.9", "3.14", "3.8")
"""Versions of Python in the order in which they are preferred: sets of the table allow the first most often."""


@dataclass(frozen=True, slots=True)
class VersionSet:
    """Versions that fit together, with the rows that say so."""

    versions: Mapping[str, str]
    name: str
    notes: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why no set exists: each line names a version, what it needs, and what stands against it."""

    reasons: tuple[str, ...]


@dataclass(slots=True)
class _Attempt:
    releases: list[Release] = field(default_factory=list)
    reason: str = ""


def find_versions(
    target: str, wanted: Mapping[str, str] | None = None, needed: Sequence[str] = ()
) -> VersionSet | Conflict:
    """Return the newest set of versions that fit together on a chip, or why there is none.

    Args:
        target: Family of chips (``a2``, ``a3``, ``950dt``).
        wanted: Versions that must be in the set, by component (``torch``, ``python``, ``vllm``, ...).
        needed: Components that must be in it in whatever version.

    Raises FormatError for an unknown component.
    """
    wanted = dict(wanted or {})
    for name in (*wanted, *needed):
        if name not in COMPONENTS:
            known = ", ".join(COMPONENTS)
            raise FormatError(f"unknown component {name[:40]!r}; expected one of {known}")
    if any("\n" in version or len(version) > 40 for version in wanted.values()):
        raise FormatError("a version is longer than 40 letters; expected one like 2.10.0")
    if "mindspore" in wanted or "mindformers" in (*wanted, *needed) or "mindspore" in needed:
        return _find_mindspore(wanted)
    extras = list(dict.fromkeys(_OWNERS[name] for name in (*wanted, *needed) if name in _OWNERS))
    # A row of another component that names torch and CANN was validated whole: it is a base of its own.
    bases = [r for r in load_releases() if r.component in ("torch_npu", *extras) and _is_base(r, target)]
    attempts = [_try_base(base, extras, wanted, target) for base in sorted(bases, key=_newest_first, reverse=True)]
    solved = [attempt for attempt in attempts if not attempt.reason]
    if solved:
        return _as_set(max(solved, key=_attempt_rank).releases, wanted, target)
    return Conflict(_explain(attempts, wanted, extras, target))


def _attempt_rank(attempt: _Attempt) -> tuple[bool, bool, tuple[int, ...], tuple[int, ...]]:
    """Return what makes one set better than another: released, listed by the vendor, newer."""
    candidates = any(not _release_rank(release)[0] for release in attempt.releases)
    base = attempt.releases[0]
    torch = numbers(base.cell("torch").versions[0])
    return not candidates, _newest_first(base)[0], torch, numbers(base.cell("cann").versions[0])


def _is_base(release: Release, target: str) -> bool:
    if not release.cell("torch").versions or not release.cell("cann").versions:
        return False
    if target == "950dt":
        return any(chip.startswith("950") for chip in release.chips)
    if release.name.startswith("compatibility") or not _is_for(release, target):
        return False
    return not release.chips or _CHIPS[target] in release.chips


def _newest_first(release: Release) -> tuple[bool, tuple[int, ...], tuple[int, ...]]:
    is_listed = release.component == "torch_npu" and release.status.startswith("listed")
    return is_listed, numbers(release.version), numbers(release.cell("torch").versions[0])


def _try_base(base: Release, extras: Sequence[str], wanted: Mapping[str, str], target: str) -> _Attempt:
    for name in ("torch", "torch_npu", "cann", "python"):
        if name in wanted and not base.cell(name).allows(wanted[name]):
            return _Attempt([base], f"{name} {wanted[name]}")
    if base.component != "torch_npu" and not _fits_wanted(base, wanted):
        return _Attempt([base], base.component)
    chosen = [base]
    for component in extras:
        if component == base.component:
            continue
        rows = [r for r in load_releases() if r.component == component and _fits_wanted(r, wanted)]
        # Nobody can install what was never released: such a row answers only for its version.
        rows = [r for r in rows if r.is_released or any(_OWNERS.get(name) == component for name in wanted)]
        if not rows:
            asked = next((f"{n} {v}" for n, v in wanted.items() if _OWNERS.get(n) == component), component)
            return _Attempt(chosen, f"unknown:{asked}")
        fitting = [
            r
            for r in rows
            if all(_meet(r, other) for other in chosen) and _is_for(r, target) and _allows_wanted(r, wanted)
        ]
        if not fitting:
            return _Attempt([*chosen, max(rows, key=_release_rank)], component)
        chosen.append(max(fitting, key=_release_rank))
    return _Attempt(chosen)


def _fits_wanted(release: Release, wanted: Mapping[str, str]) -> bool:
    """Return whether a row allows what is asked of the components that it is the owner of."""
    for name, version in wanted.items():
        if _OWNERS.get(name) == release.component and not release.cell(name).is_open:
            if not release.cell(name).allows(version):
                return False
        elif _OWNERS.get(name) == release.component and not matches(release.version, version):
            return False
    return not release.name.startswith("compatibility")


def _allows_wanted(release: Release, wanted: Mapping[str, str]) -> bool:
    return all(release.cell(name).allows(wanted[name]) for name in ("torch", "cann", "python") if name in wanted)


def _is_for(release: Release, target: str) -> bool:
    return not release.chips or any(chip.startswith(_CHIPS[target]) for chip in release.chips)


def _release_rank(release: Release) -> tuple[bool, tuple[int, ...]]:
    """Return what makes one release better than another: released with a pairing, newer."""
    is_candidate = "rc" in release.version.lower() or "dev" in release.version.lower()
    return not is_candidate and bool(release.cell("cann").versions), numbers(release.version)


def _meet(one: Release, two: Release) -> bool:
    """Return whether two rows can stand in one set: no component excludes the other's versions."""
    for name in ("cann", "torch", "python", "megatron_core", "vllm", "triton_ascend"):
        if not one.cell(name).meets(two.cell(name)):
            return False
    for asking, base in ((one, two), (two, one)):
        if asking.torch_npu_release and base.component == "torch_npu" and base.version not in asking.torch_npu_release:
            return False
        own = asking.cell("torch_npu").versions
        if own and base.component == "torch_npu" and not asking.cell("torch").meets(base.cell("torch")):
            return False
    return True


def _as_set(releases: Sequence[Release], wanted: Mapping[str, str], target: str) -> VersionSet:
    versions: dict[str, str] = {}
    notes: list[str] = []
    for name in COMPONENTS:
        cells = [release.cell(name) for release in releases if not release.cell(name).is_open]
        if not cells:
            if name in wanted:
                versions[name] = wanted[name]
                notes.append(f"{name} {wanted[name]}: no row of the set states one")
            continue
        if (asked := wanted.get(name)) and all(cell.allows(asked) for cell in cells):
            named = [v for cell in cells for v in cell.versions if matches(v, asked)]
            versions[name] = max(named, key=numbers) if named else asked
            continue
        common = [v for cell in cells for v in cell.versions if all(other.allows(v) for other in cells)]
        if name == "python":
            # The middle of what is allowed has wheels of most packages; the newest has not yet.
            preferred = next((v for v in PYTHONS if all(cell.allows(v) for cell in cells)), None)
            versions.update({} if preferred is None else {name: preferred})
        elif common:
            versions[name] = max(common, key=numbers) if name != "driver" else common[0]
        elif name == "torch_npu":
            versions[name] = releases[0].cell(name).versions[0]
    driver = next((r for r in load_releases() if r.component == "CANN" and r.version == versions.get("cann")), None)
    if driver is not None:
        drivers = driver.cell("driver").versions
        versions["driver"] = drivers[0]
        notes.append(f"driver: {', '.join(drivers)} work with CANN {versions['cann']}; {drivers[0]} is recommended")
    if "driver" in wanted and driver is not None and not driver.cell("driver").allows(wanted["driver"]):
        notes.append(f"driver {wanted['driver']} is not listed for CANN {versions['cann']}: upgrade it first")
    if not any(release.chips for release in releases[:1]):
        notes.append("the row names no chips; sets of its age were released for A2, later ones for A3 as well")
    notes += [f"{release.name}: {release.status}" for release in releases[1:] if release.status]
    name = " + ".join(release.name for release in releases)
    return VersionSet(versions, name, tuple(notes), tuple(dict.fromkeys(release.source for release in releases)))


def _explain(
    attempts: Sequence[_Attempt], wanted: Mapping[str, str], extras: Sequence[str], target: str
) -> tuple[str, ...]:
    """Return the reasons of the attempts that came furthest, each once."""
    if not attempts:
        return (f"no release of torch_npu in the table names the chip {TITLES[target]}",)
    unknown = [a.reason.removeprefix("unknown:") for a in attempts if a.reason.startswith("unknown:")]
    if unknown:
        return (f"{unknown[0]}: no set in the table has it; `tianji migrate versions` lists what is known",)
    furthest = [a for a in attempts if len(a.releases) > 1] or attempts
    reasons: dict[str, None] = {}
    for attempt in furthest:
        if len(attempt.releases) > 1:
            last = attempt.releases[-1]
            needs = ", ".join(
                f"{name} {' or '.join(last.cell(name).versions) or _span_of(last, name)}"
                for name in ("cann", "torch", "python")
                if not last.cell(name).is_open
            )
            base = attempt.releases[0]
            text = f"{last.name} needs {needs}; {base.name} has CANN {base.cell('cann').versions[0]}"
            reasons[text] = None
        else:
            known = sorted({v for a in attempts for v in a.releases[0].cell("torch").versions}, key=numbers)
            if attempt.reason.startswith("torch "):
                reasons[f"{attempt.reason} is in no release for {TITLES[target]}; known: {', '.join(known)}"] = None
            else:
                reasons[f"{attempt.reason} is not in {attempt.releases[0].name}"] = None
    return tuple(reasons)[:4]


def _span_of(release: Release, name: str) -> str:
    cell = release.cell(name)
    return f">={cell.least}" + (f",<{cell.below}" if cell.below else "")


def _find_mindspore(wanted: Mapping[str, str]) -> VersionSet | Conflict:
    names = ("mindspore", "mindformers", "cann")
    rows = [
        release
        for release in load_releases()
        if release.component in ("MindFormers", "MindSpore")
        and all(name not in wanted or release.cell(name).allows(wanted[name]) for name in names)
        and release.cell("cann").versions
    ]
    if not rows:
        asked = ", ".join(f"{name} {wanted[name]}" for name in names if name in wanted)
        return Conflict((f"{asked}: no pairing with CANN is known for it",))
    best = max(rows, key=lambda r: (r.component == "MindFormers", numbers(r.cell("mindspore").versions[0])))
    return _as_set([best], wanted, "a2")
