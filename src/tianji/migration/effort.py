"""What a move takes, from measured moves: a route, a class with quartiles, the nearest repositories, what blocks."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.catalog.migration import read_rows
from tianji.formatting import count_noun
from tianji.migration.measured_moves import CLASSES, EffortClass, Neighbour, find_neighbours, lines_a_file
from tianji.migration.resolving import Area
from tianji.migration.resolving.import_graph import ImportGraph
from tianji.migration.routes import Route, choose_route, find_blockers, find_own_package
from tianji.migration.scan import RepositoryScan

FILES_OF_B = 22
"""From this many files to change on, the measured repositories needed more than a device layer."""
FILES_OF_C = 40
KERNELS_OF_D = 20
KERNELS_A_LINE = 0.0007
"""From these on, in number and for each line of Python, a repository's own kernels decide what its move takes."""
_ENGINES = ("ray", "vllm", "sglang", "megatron-core", "megatron-lm", "deepspeed")


@dataclass(frozen=True, slots=True)
class Effort:
    """What a move takes, with its evidence; never a single number of days."""

    route: Route
    effort_class: EffortClass
    reason: str
    answer: str
    lines_low: int
    lines_mid: int
    lines_high: int
    num_triton_kernels: int
    num_cuda_kernels: int
    files_to_change: tuple[str, ...]
    """Those of the scan; where own kernels decide, also the files that hold them or choose among them."""
    files_to_start: tuple[str, ...]
    """Those of them without which nothing starts; the rest is met when it is used."""
    neighbours: tuple[Neighbour, ...]
    blockers: tuple[str, ...]
    checklist: tuple[tuple[str, str, int, tuple[str, ...]], ...]
    """In the usual order of breakage: name, what happens, occurrences here, the first places."""


def estimate_effort(scan: RepositoryScan) -> Effort:
    """Return what moving a scanned repository takes."""
    triton, cuda = count_kernels(scan)
    blockers = find_blockers(scan)
    own = find_own_package(scan)
    route, answer = choose_route(scan, own, blockers)
    kind, reason = _choose_class(scan, triton + (cuda if _builds_kernels(scan) else 0))
    engines = {name.split("-")[0] for name in engines_of(scan)} | set(scan.frameworks)
    low, mid, high = (0, 0, 0) if route is Route.UNREAD else estimate_lines(scan, kind)
    return Effort(
        route,
        kind,
        reason,
        answer,
        low,
        mid,
        high,
        triton,
        cuda,
        _files_to_change(scan, kind),
        scan.files_to_start,
        find_neighbours(scan.num_lines, len(scan.files_on_path), engines, kind),
        blockers,
        check_breakage(scan),
    )


def count_kernels(scan: RepositoryScan) -> tuple[int, int]:
    """Return the Triton and the CUDA kernels outside tests and documents."""
    apart = (Area.TESTS, Area.DOCS)
    files = [facts for facts in scan.files if scan.structure.areas[facts.path] not in apart]
    triton = sum(facts.num_kernels for facts in files if facts.path.endswith(".py"))
    cuda = sum(max(facts.num_kernels, 1) for facts in files if facts.path.endswith((".cu", ".cuh")))
    return triton, cuda


def _builds_kernels(scan: RepositoryScan) -> bool:
    """Return whether kernels in CUDA are built with the package, or no code compiles them once they are asked for.

    Kernels that are compiled on demand stand in no one's way: what does not ask for them runs without.
    """
    symbols = {f.symbol for f in scan.findings if f.path.rsplit("/", 1)[-1] == "setup.py"}
    loads = any(f.symbol == "torch.utils.cpp_extension.load" and f.area is not Area.TESTS for f in scan.findings)
    return "torch.utils.cpp_extension.CUDAExtension" in symbols or not loads


def _files_to_change(scan: RepositoryScan, kind: EffortClass) -> tuple[str, ...]:
    """Return the files to change: where own kernels decide, also those that hold them, and those that choose among them."""
    if kind is not EffortClass.D:
        return scan.files_to_change
    kernels = {facts.path for facts in scan.files if facts.num_kernels and facts.path.endswith(".py")}
    callers = {path for path, targets in ImportGraph(scan.files).arrows.items() if targets & kernels}
    return tuple(sorted({*scan.files_to_change, *filter(scan.structure.is_changed, kernels | callers)}))


def _choose_class(scan: RepositoryScan, kernels: int) -> tuple[EffortClass, str]:
    files = len(scan.files_on_path)
    # A move's size leaves out the scripts apart that it changes, too.
    on_path = f"{count_noun(files, 'file')} to change on the training path or in the library"
    engines = engines_of(scan)
    if kernels >= KERNELS_OF_D and kernels >= scan.num_lines * KERNELS_A_LINE:
        return EffortClass.D, f"{kernels} kernels of its own in {scan.num_lines:,} lines: they decide"
    kinds = sum(f.count for f in scan.findings if f.symbol == "idiom:device-kind")
    if files >= FILES_OF_C and len(engines) >= 3 and kinds:
        return (
            EffortClass.C,
            f"{files} files, {len(engines)} engines ({', '.join(engines)}) and its own kinds of devices",
        )
    if files >= FILES_OF_B:
        more = f", engines: {', '.join(engines)}" if engines else ""
        return EffortClass.B, f"{on_path}{more}"
    return EffortClass.A, on_path


def engines_of(scan: RepositoryScan) -> tuple[str, ...]:
    """Return the engines that the repository drives side by side."""
    return tuple(v.name for v in scan.packages if v.name in _ENGINES and v.num_imports)


def estimate_lines(scan: RepositoryScan, kind: EffortClass) -> tuple[int, int, int]:
    """Return low, middle and high of the code lines that a first support adds, kernels apart.

    Quartiles of measured lines for each file that this scan would have changed, kept within what measured supports of
    the class needed.
    """
    _, least, most = CLASSES[kind]
    files = len(scan.files_on_path)
    low, mid, high = (max(least, min(most, round(files * ratio))) for ratio in lines_a_file())
    return low, mid, high


def check_breakage(scan: RepositoryScan) -> tuple[tuple[str, str, int, tuple[str, ...]], ...]:
    """Return what breaks in the usual order, with the places of this repository."""
    found = []
    for row in read_rows("breakage"):
        symbols = row["symbols"].split()
        exact = {symbol for symbol in symbols if not symbol.endswith(".*")}
        tops = tuple(symbol[:-1] for symbol in symbols if symbol.endswith(".*"))
        places: list[tuple[str, int]] = []
        for finding in scan.findings:
            name = finding.symbol
            if finding.area not in (Area.TESTS, Area.DOCS) and (
                name in exact or (tops and f"{name}.".startswith(tops))
            ):
                places.append((finding.path, finding.line))
        if "cpu-fallback" in exact:
            places += [place for use in scan.apis if use.meaning == "falls back to the CPU" for place in use.places]
        shown = tuple(f"{path}:{line}" for path, line in places[:3])
        found.append((row["name"], row["what"], len(places), shown))
    return tuple(found)
