"""Measures `tianji migrate scan` against commits that brought Ascend support: the parent is scanned, the commit is the truth.

Usage: .venv/bin/python benchmarks/migration.py --clones FOLDER [--write] [NAME]...
FOLDER holds clones, bare or not, as NAME, OWNER/NAME or OWNER+NAME/repo of the repositories in migration_cases.toml:
git clone https://github.com/OWNER/NAME FOLDER/NAME. Only text files of the revision are unpacked, into a temporary folder.
--write puts the tables into docs/migrate.md, and the classes that were right into the catalog.
Recall is over existing Python files that the commit changed; precision over `files_to_change` of the scan, and over
`files_to_start`. A case with a folder is scanned and scored in that folder alone.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tianji.migration import Effort, RepositoryScan, estimate_effort, scan_repository

ROOT = Path(__file__).parents[1]
CASES = Path(__file__).with_name("migration_cases.toml")
PAGE = ROOT / "docs" / "migrate.md"
SOURCE = "docs/migrate.md"
RECORD = ROOT / "src" / "tianji" / "catalog" / "data" / "migration" / "class_record.csv"
START, END = "<!-- measured: start -->\n", "<!-- measured: end -->\n"
KINDS = {
    "open": "Cases with known truth",
    "further": "Further first supports",
    "fit": "Seven supports on which rules were widened",
    "check": "Seven supports of which only numbers were looked at",
    "fit2": "Six later supports on which rules were widened",
    "check2": "Six later supports of which only numbers were looked at",
    "fit3": "Fourteen repositories that had not been seen, on which rules were widened",
    "again": "Further commits in repositories that had been read",
    "check3": "Fourteen repositories that had not been seen, scanned once when the rules stood",
}
TO_START, WHEN_USED = "to start", "when used"
LEAST_CASES = 5
"""Cases from which on a share is shown."""
TEXT = re.compile(r"\.(?:py|sh|bash|slurm|ya?ml|toml|cfg|txt|in|cu|cuh)$|dockerfile|/version$", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """What a scan of one case came to."""

    name: str
    kind: str
    framework: bool
    truth: frozenset[str]
    flagged: frozenset[str]
    start: frozenset[str]
    """Files to start with."""
    named: Mapping[str, str]
    """Each file with something to change, wherever it stands: whether to start with, when used, or its area."""
    misses: tuple[tuple[str, str], ...]
    answer: str
    expected: Sequence[str]
    seconds: float
    lines: int

    @property
    def recall(self) -> float | None:
        """Share of the changed files that the scan names, None without a truth."""
        return len(self.truth & self.flagged) / len(self.truth) if self.truth else None

    @property
    def precision(self) -> float | None:
        """Share of the named files that the commit changed."""
        if not self.truth:
            return None
        return len(self.truth & self.flagged) / len(self.flagged) if self.flagged else 0.0

    @property
    def start_precision(self) -> float | None:
        """Share of the files to start with that the commit changed."""
        if not self.truth:
            return None
        return len(self.truth & self.start) / len(self.start) if self.start else 0.0

    @property
    def recall_of_all(self) -> float | None:
        """Share of the changed files that the scan names, those apart among them."""
        return len(self.truth & set(self.named)) / len(self.truth) if self.truth else None

    @property
    def is_right(self) -> bool:
        """Whether class or route is the expected one; a later commit has none."""
        return not self.expected or self.answer in self.expected


class Clone:
    """A clone that answers from git alone; nothing of it is checked out where it lies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def git(self, *words: str, stdin: bytes | None = None) -> bytes:
        """Return what a git command prints."""
        command = ["git", "--git-dir", str(self.folder), *words]
        return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout

    def unpack(self, revision: str, place: Path) -> None:
        """Write the text files of a revision; what a partial clone lacks is passed over."""
        listed = []
        for entry in self.git("ls-tree", "-r", "-z", revision).split(b"\0"):
            if entry:
                meta, raw = entry.split(b"\t", 1)
                mode, kind, key = meta.split()
                path = raw.decode("utf-8", "replace")
                if kind == b"blob" and mode != b"120000" and TEXT.search(path) and ".." not in path.split("/"):
                    listed.append((key, path))
        out = self.git("cat-file", "--batch", stdin=b"\n".join(key for key, _ in listed) + b"\n")
        at = 0
        for _, path in listed:
            end = out.index(b"\n", at)
            head = out[at:end].split()
            at = end + 1
            if head[1] == b"missing":
                continue
            size = int(head[2])
            target = place / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(out[at : at + size])
            at += size + 1

    def changed(self, commit: str) -> frozenset[str]:
        """Return the Python files that existed before a commit and that it changed."""
        options = ("-r", "--name-status", "--no-renames", "-z")
        words = self.git("diff-tree", *options, f"{commit}^", commit).split(b"\0")
        pairs = zip(words[0::2], words[1::2], strict=False)
        paths = (path.decode("utf-8", "replace") for status, path in pairs if status in (b"M", b"D"))
        return frozenset(path for path in paths if path.endswith(".py"))


def find_clone(folder: Path, repository: str) -> Clone | None:
    owner, name = repository.split("/")
    for place in (folder / f"{owner}+{name}" / "repo", folder / name, folder / f"{name}.git", folder / owner / name):
        for inside in (place / ".git", place):
            if (inside / "objects").is_dir():
                return Clone(inside)
    return None


def measure(name: str, case: dict[str, Any], clone: Clone) -> Outcome:
    commit = case.get("commit")
    revision = f"{commit}^" if commit else case["revision"]
    inside = f"{case['folder']}/" if "folder" in case else ""
    with tempfile.TemporaryDirectory() as folder:
        clone.unpack(revision, Path(folder))
        start = time.process_time()
        scan = scan_repository(Path(folder) / inside)
        seconds = time.process_time() - start
        effort = estimate_effort(scan)
    changed = clone.changed(commit) if commit else frozenset()
    truth = frozenset(path.removeprefix(inside) for path in changed if path.startswith(inside))
    flagged = frozenset(effort.files_to_change)
    start = frozenset(effort.files_to_start)
    needing = {f.path: f.area.value for f in scan.findings if f.needs_change and f.path.endswith(".py")}
    named = {
        path: TO_START if path in start else WHEN_USED if path in flagged else area for path, area in needing.items()
    }
    named |= {path: WHEN_USED for path in flagged - set(named)}
    found = {f.path for f in scan.findings}
    misses = tuple((path, cause_of(path, scan, path in needing, path in found)) for path in sorted(truth - flagged))
    answer = answer_of(scan, effort, case["expected"])
    return Outcome(
        name, case.get("set", "open"), case.get("framework", False), truth, flagged, start, named, misses, answer,
        case["expected"], seconds, scan.num_lines,
    )  # fmt: skip


def cause_of(path: str, scan: RepositoryScan, needs_change: bool, is_found: bool) -> str:
    """Return why a changed file is not among those to change."""
    if not is_found:
        return "names nothing of CUDA"
    return str(scan.structure.areas[path]) if needs_change else "names only what may stay"


def answer_of(scan: RepositoryScan, effort: Effort, expected: Sequence[str]) -> str:
    """Return what is compared with the truth: the route where it is no change of code, or the class."""
    if effort.route.value in expected or effort.route.value in ("plugin", "blocked by a dependency"):
        return effort.route.value
    return effort.effort_class.value


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield (
        "| case | lines | changed by the commit | to change by the scan | recall | precision | to start | precision"
        " | recall with those apart | answer | expected | seconds |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|---|--:|"
    for o in outcomes:
        recall, precision = share(o.recall), share(o.precision)
        first, whole = share(o.start_precision), share(o.recall_of_all)
        mark = "" if o.is_right else " (wrong)"
        name = o.name + (" (framework)" if o.framework else "")
        numbers = f"{o.lines:,} | {len(o.truth) or '-'} | {len(o.flagged)} | {recall} | {precision}"
        numbers += f" | {len(o.start)} | {first} | {whole}"
        yield f"| {name} | {numbers} | {o.answer}{mark} | {' or '.join(o.expected) or '-'} | {o.seconds:.1f} |"


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def rates(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield how often a commit changed a file, by what the scan says of it: means over the cases that have such files."""
    yield "| what the scan says of a file with something to change | cases | files | changed, mean of the cases |"
    yield "|---|--:|--:|--:|"
    kinds = dict.fromkeys((TO_START, WHEN_USED, *sorted({k for o in outcomes for k in o.named.values()})))
    for kind in kinds:
        parts = [({p for p, k in o.named.items() if k == kind}, o.truth) for o in outcomes if o.truth]
        parts = [(files, truth) for files, truth in parts if files]
        if len(parts) >= LEAST_CASES:
            mean = sum(len(files & truth) / len(files) for files, truth in parts) / len(parts)
            yield f"| {kind} | {len(parts)} | {sum(len(files) for files, _ in parts):,} | {mean:.0%} |".replace(
                "%", " %"
            )


def class_record(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, int, int, str]]:
    """Yield each class that scans gave, how often, how often it was right, and what the others were (the first of two)."""
    for called in "ABCD":
        given = [o for o in outcomes if o.expected and o.answer == called]
        others = Counter(o.expected[0] for o in given if not o.is_right)
        yield called, len(given), len(given) - others.total(), " ".join(f"{k}:{n}" for k, n in sorted(others.items()))


def record_table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the rows of the table of ``class_record``."""
    yield "| class by the scan | cases | right | the others |"
    yield "|---|--:|--:|---|"
    for called, cases, right, others in class_record(outcomes):
        yield f"| {called} | {cases} | {right} | {others.replace(':', ': ').replace(' ', ', ').replace(':,', ':') or '-'} |"


def causes(outcomes: Sequence[Outcome]) -> str:
    """Return how the missed files divide over their causes."""
    counts = Counter(cause for o in outcomes for _, cause in o.misses)
    total = sum(len(o.truth) for o in outcomes)
    parts = ", ".join(f"{count} {cause}" for cause, count in counts.most_common())
    return f"Of {total:,} changed files {sum(counts.values()):,} are not among those to change: {parts}."


def summary(outcomes: Sequence[Outcome], title: str) -> str:
    scored = [o for o in outcomes if o.truth]
    plain = [o.precision or 0.0 for o in scored if not o.framework]
    framed = [o.precision or 0.0 for o in scored if o.framework]
    first = [o.start_precision or 0.0 for o in scored]
    whole = [o.recall_of_all or 0.0 for o in scored]
    judged = [o for o in outcomes if o.expected]
    right = sum(o.is_right for o in judged)
    parts = [f"median recall {median(o.recall or 0.0 for o in scored):.2f}"] if scored else []
    parts += [f"median precision {median(plain):.2f}"] if plain else []
    parts += [f"{median(framed):.2f} where a framework chooses the device"] if framed else []
    parts += [f"{median(first):.2f} of the files to start with"] if first else []
    parts += [f"median recall with those apart {median(whole):.2f}"] if whole else []
    answers = f"; the right class or route in {right} of {len(judged)}" if judged else ""
    return f"{title}: {', '.join(parts)}{answers}."


def page(outcomes: Sequence[Outcome]) -> str:
    lines: list[str] = []
    for kind, title in KINDS.items():
        part = [o for o in outcomes if o.kind == kind]
        if part:
            lines += [f"**{title}.** {summary(part, 'All of them')}", "", *table(part), ""]
    lines += ["**How often a commit changed what the scan names.**", "", *rates(outcomes), ""]
    lines += ["**How often the class was right.**", "", *record_table(outcomes), ""]
    lines += [f"**What is missed.** {causes(outcomes)}", ""]
    lines += ["Files that a commit changed and the scan does not name among those to change, with the cause:", ""]
    for o in outcomes:
        if o.misses:
            shown = ", ".join(f"`{path}` ({area})" for path, area in o.misses[:6])
            more = f" and {len(o.misses) - 6} more" if len(o.misses) > 6 else ""
            lines.append(f"* {o.name}: {shown}{more}")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, required=True, help="folder of clones")
    parser.add_argument("--write", action="store_true", help="put the table into docs/migrate.md")
    parser.add_argument("names", nargs="*", help="cases; all without any")
    asked = parser.parse_args()
    cases = tomllib.loads(CASES.read_text(encoding="utf-8"))
    outcomes = []
    for name, case in cases.items():
        if asked.names and name not in asked.names:
            continue
        clone = find_clone(asked.clones, case["repository"])
        if clone is None:
            print(f"{name}: no clone of {case['repository']} in {asked.clones}; left out")
            continue
        outcomes.append(measure(name, case, clone))
        print(next(reversed([*table(outcomes[-1:])])), flush=True)
    for kind in KINDS:
        if part := [o for o in outcomes if o.kind == kind]:
            print(summary(part, kind))
    if asked.write:
        text = PAGE.read_text(encoding="utf-8")
        before, _, rest = text.partition(START)
        after = rest.partition(END)[2]
        PAGE.write_text(before + START + "\n" + page(outcomes) + "\n" + END + after, encoding="utf-8")
        rows = [",".join(map(str, row)) for row in class_record(outcomes)]
        RECORD.write_text(
            "\n".join(["called,cases,right,others,source", *(f"{row},{SOURCE}" for row in rows)]) + "\n",
            encoding="utf-8",
        )


if __name__ == "__main__":
    main()
