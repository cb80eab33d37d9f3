"""A occurrence judged: what it means on the target, what to do about it, and who says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tianji.catalog.migration import expand_source
from tianji.migration.facts import HARMLESS, FileFacts, Guard, Occurrence
from tianji.migration.judging.cuda_names import CudaName, load_cuda_names
from tianji.migration.resolving.areas import Area


class Impact(StrEnum):
    """What a occurrence means on the target chip and version."""

    WORKS = "works"
    CPU_FALLBACK = "falls back to the CPU"
    NUMERICS = "differs in numerics"
    DTYPE = "dtype limits"
    SWITCH = "needs a switch"
    ONE_LINE = "one-line change"
    REWRITE = "rewrite"
    IMPOSSIBLE = "impossible"
    HANDLED = "handled by a framework"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One occurrence with its judgement; ``needs_change`` counts it towards the files to change.

    ``to_start``: it needs a change before anything starts, not first when its file is used.
    """

    path: str
    line: int
    symbol: str
    text: str
    meaning: Impact
    answer: str
    mechanical: str
    trap: str
    category: str
    needs_change: bool
    area: Area
    guard: Guard
    source: str
    count: int = 1
    """Places in the file that say the same, of which ``line`` is the first."""
    to_start: bool = False


HANDLED = (
    "torch.cuda.is_available",
    "torch.cuda.empty_cache",
    "torch.cuda.manual_seed",
    "torch.cuda.manual_seed_all",
    "torch.cuda.memory",
    "torch.cuda.max_memory",
    "torch.cuda.reset_",
    "torch.cuda.mem_get_info",
    "torch.cuda.synchronize",
    "torch.cuda.is_bf16_supported",
    "torch.cuda.device_count",
    "torch.cuda.amp",
    "torch.cuda.get_device_",
    "torch.backends",
    "idiom:autocast-string",
    "idiom:device-kind",
    "idiom:device-branch",
    "idiom:ray-resource",
    "idiom:nccl-backend",
)
"""Symbols that lose nothing essential where a framework chooses the device, by what they begin with."""
QUERIES = frozenset(
    f"torch.cuda.{name}" for name in ("get_device_capability", "get_device_properties", "get_arch_list", "nccl.version")
) | {"torch.version.cuda"}
"""What asks for a property of NVIDIA's chips: in a branch that only CUDA takes, nothing is lost with it."""
FEW_OPTIONS = 4
"""From this many CUDA-only options on, a class is the schema of the configuration, which is where a port rejects them."""
_VARIABLES_THAT_CHOOSE = "VISIBLE_DEVICES"


def judge_occurrence(
    occurrence: Occurrence, facts: FileFacts, area: Area, framework: str, target: str
) -> Finding | None:
    """Return what a occurrence means, or None for one that means nothing on Ascend.

    ``framework`` names what chooses the device in this file (``accelerate``), empty where nothing does; ``target`` is the
    key of a family of chips (``a2``, ``a3``, ``950dt``).
    """
    row = load_cuda_names().find(occurrence.symbol)
    if row is None:
        if not occurrence.symbol.startswith(("torch.xpu", "torch.hpu", "torch.cuda")):
            return None
        return _judge_unlisted(occurrence, area)
    meaning = _meaning_of(row, target)
    needs_change = row.needs_change
    trap = row.trap
    if facts.num_kernels and occurrence.symbol.startswith("idiom:device-"):
        needs_change = False  # A kernel's file is ported as a whole, apart.
    is_own_default = occurrence.guard is Guard.DEFAULT and facts.has_main  # A script calls itself.
    is_query = occurrence.guard is Guard.CUDA_BRANCH and occurrence.symbol in QUERIES
    if is_query or (occurrence.guard in HARMLESS and not is_own_default):
        needs_change = False
    if (
        occurrence.symbol == "idiom:cuda-option"
        and sum(s.symbol == occurrence.symbol for s in facts.occurrences) < FEW_OPTIONS
    ):
        needs_change = False
    if framework and occurrence.symbol.startswith(HANDLED):
        meaning, needs_change = Impact.HANDLED, False
        trap = f"{framework} chooses the device here" + (f"; {trap}" if trap else "")
    return Finding(
        occurrence.path,
        occurrence.line,
        occurrence.symbol,
        occurrence.text,
        meaning,
        row.answer,
        row.mechanical,
        trap,
        row.category,
        needs_change,
        area,
        occurrence.guard,
        expand_source(row.source),
        to_start=needs_change and row.to_start,
    )


def _judge_unlisted(occurrence: Occurrence, area: Area) -> Finding:
    is_cuda = occurrence.symbol.startswith("torch.cuda")
    needs_change = occurrence.guard not in HARMLESS and (not is_cuda or occurrence.symbol != "torch.cuda")
    answer = (
        occurrence.symbol.replace("torch.cuda", "torch.npu", 1) + " may exist; the table does not list it"
        if is_cuda
        else "a branch for npu beside it"
    )
    return Finding(
        occurrence.path,
        occurrence.line,
        occurrence.symbol,
        occurrence.text,
        Impact.UNKNOWN if is_cuda else Impact.ONE_LINE,
        answer,
        "one-line",
        "",
        "torch.cuda" if is_cuda else "code idiom",
        needs_change,
        area,
        occurrence.guard,
        "our inference, no page",
        to_start=needs_change and not is_cuda,
    )


def _meaning_of(row: CudaName, target: str) -> Impact:
    if row.mechanical == "impossible" or (row.on_chip(target) == "no" and row.mechanical == "rewrite"):
        return Impact.IMPOSSIBLE if row.mechanical == "impossible" else Impact.REWRITE
    if row.key.startswith("env:"):
        return Impact.ONE_LINE if _VARIABLES_THAT_CHOOSE in row.key else Impact.SWITCH
    if row.mechanical == "rewrite":
        return Impact.REWRITE
    if row.key.startswith(("torch.float64", "torch.double", "idiom:float64", "torch.complex")):
        return Impact.DTYPE
    if not row.needs_change and row.mechanical == "automatic":
        return Impact.WORKS
    return Impact.ONE_LINE


def count_alike(findings: list[Finding]) -> list[Finding]:
    """Return findings with those of one file and symbol as one, which counts them and stands at the first line."""
    from dataclasses import replace

    merged: dict[tuple[str, str, bool], Finding] = {}
    for finding in findings:
        key = (finding.path, finding.symbol, finding.needs_change)
        first = merged.get(key)
        merged[key] = finding if first is None else replace(first, count=first.count + finding.count)
    return list(merged.values())
