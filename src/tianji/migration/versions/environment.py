"""Read what an environment has installed, as ``pip freeze`` and ``npu-smi info`` print it, and say whether it fits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tianji.errors import FormatError
from tianji.migration.reading.requirement_files import canonical
from tianji.migration.versions.table import COMPONENTS, TITLES, load_releases, matches

LONGEST = 2_000_000
_OWN_ROWS = {
    "vllm_ascend": "vllm-ascend",
    "triton_ascend": "triton-ascend",
    "mindspeed": "MindSpeed Core",
    "mindformers": "MindFormers",
}
"""Component of an environment: whose rows say what it fits with."""
_PACKAGES = {
    "torch": "torch",
    "torch-npu": "torch_npu",
    "mindspeed": "mindspeed",
    "megatron-core": "megatron_core",
    "mindspore": "mindspore",
    "mindformers": "mindformers",
    "vllm": "vllm",
    "vllm-ascend": "vllm_ascend",
    "triton-ascend": "triton_ascend",
}
_FREEZE = re.compile(r"^([A-Za-z0-9][\w.-]*)\s*==\s*([\w.+!-]+)", re.MULTILINE)
_DRIVER = re.compile(r"npu-smi\s+v?([\d.]+(?:\.?rc\d+)?)|Version:\s*([\d.]+(?:\.?rc\d+)?)", re.IGNORECASE)
_CHIP = re.compile(r"\b(?:Ascend)?\s?(910B\d?|910_?93\w*|910C|950(?:DT|PR)?|910[AB]?|310P?\w*)\b")
_CANN = re.compile(
    r"(?:cann|toolkit)[^\n\d]{0,20}(\d+\.\d+(?:\.(?:RC)?\d+)+)|^version\s*=\s*(\d[\w.]+)", re.IGNORECASE | re.MULTILINE
)
_PYTHON = re.compile(r"\bPython\s+(3\.\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Environment:
    """Versions that are installed, and the chips that ``npu-smi`` saw."""

    versions: Mapping[str, str]
    packages: Mapping[str, str]
    chips: tuple[str, ...]
    """Families (``a2``, ``a3``, ``950dt``)."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """One thing that does not fit, and what would."""

    what: str
    expected: str
    source: str


def read_environment(text: str) -> Environment:
    """Return what an environment's listing says: ``pip freeze``, ``npu-smi info``, CANN's version file, in any order.

    Raises FormatError for a text in which nothing of it is found.
    """
    if len(text) > LONGEST:
        raise FormatError(f"the listing has {len(text):,} letters; expected the output of pip freeze and npu-smi info")
    packages = {canonical(name): version for name, version in _FREEZE.findall(text)}
    versions = {component: packages[name] for name, component in _PACKAGES.items() if name in packages}
    if match := _DRIVER.search(text):
        versions["driver"] = (match[1] or match[2]).rstrip(".")
    if match := _CANN.search(text):
        versions["cann"] = match[1] or match[2]
    if match := _PYTHON.search(text):
        versions["python"] = match[1]
    if not packages and not versions:
        raise FormatError(
            "the listing names no package (name==version) and no driver; expected pip freeze or npu-smi info"
        )
    chips = tuple(dict.fromkeys(family for name in _CHIP.findall(text) if (family := _family_of(name))))
    return Environment(versions, packages, chips)


def _family_of(name: str) -> str:
    if name.startswith("950"):
        return "950dt"
    if name.startswith(("910C", "91093", "910_93")):
        return "a3"
    return "a2" if name.startswith("910B") else ""


def check_environment(environment: Environment, target: str | None = None) -> list[Misfit]:
    """Return what in an environment does not fit together, nothing where all of it does as far as the table knows."""
    versions = environment.versions
    misfits: list[Misfit] = []
    chip = target or (environment.chips[0] if environment.chips else "a2")
    if environment.chips and chip not in environment.chips:
        seen = ", ".join(TITLES[name] for name in environment.chips)
        misfits.append(Misfit(f"chips of {seen}", f"{TITLES[chip]}, which is asked for; --to names the target", ""))
    misfits += _check_pair(versions)
    releases = [r for r in load_releases() if r.component == "torch_npu"]
    if "torch_npu" in versions:
        exact = [r for r in releases if any(matches(v, versions["torch_npu"]) for v in r.cell("torch_npu").versions)]
        cann = versions.get("cann")
        if exact and cann and not any(r.cell("cann").allows(cann) for r in exact):
            wanted = ", ".join(sorted({v for r in exact for v in r.cell("cann").versions}))
            misfits.append(
                Misfit(f"torch_npu {versions['torch_npu']} with CANN {cann}", f"CANN {wanted}", exact[0].source)
            )
        python = versions.get("python")
        if exact and python and not any(r.cell("python").allows(python) for r in exact):
            wanted = " ".join(exact[0].cell("python").versions)
            misfits.append(Misfit(f"Python {python}", f"Python {wanted}", exact[0].source))
        if not exact:
            text = f"torch_npu {versions['torch_npu']}"
            misfits.append(Misfit(text, "a version of the table; this one it does not know", ""))
        if exact and chip == "950dt" and not any("950DT" in r.chips for r in exact):
            misfits.append(
                Misfit(f"torch_npu {versions['torch_npu']} on 950DT", "a release that names 950DT", exact[0].source)
            )
    misfits += _check_driver(versions)
    misfits += _check_partners(versions)
    misfits += _check_siblings(environment)
    cuda = [name for name in environment.packages if name.startswith("nvidia-") and "cu1" in name]
    if cuda and "torch_npu" in versions:
        misfits.append(Misfit(f"torch for CUDA ({len(cuda)} packages such as {cuda[0]})", "the CPU build of torch", ""))
    return misfits


def _check_pair(versions: Mapping[str, str]) -> list[Misfit]:
    torch, npu = versions.get("torch"), versions.get("torch_npu")
    if torch is None or npu is None:
        return []
    plain = torch.split("+")[0]
    if npu.split(".post")[0].split("rc")[0].rstrip(".") == plain:
        return []
    return [Misfit(f"torch {torch} with torch_npu {npu}", f"torch_npu {plain} or one of its .post releases", "")]


def _check_driver(versions: Mapping[str, str]) -> list[Misfit]:
    cann, driver = versions.get("cann"), versions.get("driver")
    row = next((r for r in load_releases() if r.component == "CANN" and cann and r.version == cann), None)
    if row is None or driver is None or any(matches(known, driver) for known in row.cell("driver").versions):
        return []
    return [Misfit(f"driver {driver} with CANN {cann}", f"driver {', '.join(row.cell('driver').versions)}", row.source)]


def _check_siblings(environment: Environment) -> list[Misfit]:
    """Check the packages for CUDA that need one for Ascend beside them, or after them."""
    packages, misfits = environment.packages, []
    if "triton-ascend" in packages and "triton" in packages:
        text = f"triton {packages['triton']} beside triton-ascend"
        misfits.append(Misfit(text, "triton-ascend installed last: it replaces triton's files", ""))
    elif "triton" in packages and "torch-npu" in packages:
        misfits.append(Misfit(f"triton {packages['triton']}, which is for CUDA", "triton-ascend in its place", ""))
    vllm = packages.get("vllm")
    if vllm and "vllm-ascend" not in packages:
        rows = [r for r in load_releases() if r.component == "vllm-ascend" and r.cell("vllm").allows(vllm)]
        best = rows[0] if rows else None
        wanted = f"vllm-ascend {best.version} with torch {best.cell('torch').versions[0]}" if best else "vllm-ascend"
        misfits.append(Misfit(f"vllm {vllm} without vllm-ascend", wanted, best.source if best else ""))
    return misfits


def _check_partners(versions: Mapping[str, str]) -> list[Misfit]:
    """Check each component that has rows of its own with what else is installed: torch, CANN, Python, its counterpart."""
    misfits = []
    for owner, component in _OWN_ROWS.items():
        version = versions.get(owner)
        # MindSpeed's package has the version of the Megatron that it patches; its rows are named by releases of it.
        ends = f"core_r{version}"
        rows = [
            r
            for r in load_releases()
            if version and r.component == component and (matches(r.version, version) or r.version.endswith(ends))
        ]
        for name in COMPONENTS:
            other = versions.get(name)
            if not rows or other is None or name in (owner, "driver"):
                continue
            cells = [cell for r in rows if not (cell := r.cell(name)).is_open]
            if cells and not any(cell.allows(other.split("+")[0]) for cell in cells):
                known = dict.fromkeys(v for cell in cells for v in cell.versions)
                wanted = " or ".join(known) or f">={cells[0].least}"
                misfits.append(Misfit(f"{owner} {version} with {name} {other}", f"{name} {wanted}", rows[0].source))
    return misfits
