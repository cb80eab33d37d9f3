"""Put together a patch of a scanned repository: which way, which files, as one unified diff."""

from __future__ import annotations

import ast
import difflib
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from tianji.errors import FormatError
from tianji.migration.effort import Effort
from tianji.migration.facts import Guard
from tianji.migration.judging.findings import Finding
from tianji.migration.patching.helper_homes import HelperHomes
from tianji.migration.patching.import_patch import ADAPTOR, TRANSFER, add_import
from tianji.migration.routes import Route
from tianji.migration.scan import RepositoryScan

STYLES = ("auto", "neutral", "import")
_NATIVE = ("accelerate", "transformers", "deepspeed", "trl", "diffusers", "vllm")
"""Packages with NPU code of their own, beside which patching torch at import takes the wrong branch."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A unified diff with the reason for its style."""

    style: str
    """``neutral`` or ``import``."""
    reason: str
    diff: str
    files: tuple[str, ...]
    """Changed files, new ones among them."""
    num_places: int
    skipped: tuple[tuple[str, str], ...]
    """Files to change that it leaves as they are, with the reason."""
    by_hand: tuple[Finding, ...]
    """Findings to change on lines that it leaves as they are."""


def write_patch(scan: RepositoryScan, effort: Effort, style: str = "auto") -> Patch:
    """Return the mechanical part of a move as a patch. Patching a patched repository changes nothing.

    Raises FormatError for an unknown style.
    """
    if style not in STYLES:
        raise FormatError(f"--patch-style {style}: expected one of {', '.join(STYLES)}")
    chosen, reason = _choose(scan, effort, style)
    changes, places, skipped = _neutral(scan, effort) if chosen == "neutral" else _imports(scan, effort)
    diff = "".join(_diff(path, old, new) for path, (old, new) in sorted(changes.items()))
    by_hand = _left_over(scan, effort, changes) if chosen == "neutral" else ()
    return Patch(chosen, reason, diff, tuple(sorted(changes)), places, tuple(skipped), by_hand)


def _left_over(scan: RepositoryScan, effort: Effort, changes: Changes) -> tuple[Finding, ...]:
    """Return the findings to change that a patch leaves: a style names no device, and not each call is mechanical."""
    touched = {path: _touched_lines(old, new) for path, (old, new) in changes.items()}
    return tuple(
        finding
        for finding in scan.findings
        if finding.needs_change
        and finding.path in effort.files_to_change
        and _stands_in(finding, touched.get(finding.path, {}).get(finding.line))
    )


def _stands_in(finding: Finding, lines: str | None) -> bool:
    """Return whether what was found still stands in the lines that replace its own; None: its line is not replaced.

    One line may hold two calls of which one is rewritten: ``with torch.cuda.stream(s), autocast():``.
    """
    if lines is None:
        return True
    if not finding.symbol.startswith("torch."):
        return False
    name = finding.symbol.rpartition(".")[2]
    return finding.symbol in lines or re.search(rf"(?<![\w.]){re.escape(name)}\(", lines) is not None


def _touched_lines(old: str, new: str) -> dict[int, str]:
    """Return by number, from 1 on, the old lines that are replaced, each with all lines that replace its run."""
    before, after = list(_split(old)), list(_split(new))
    steps = difflib.SequenceMatcher(None, before, after).get_opcodes()
    return {
        line + 1: "".join(after[low:high])
        for kind, start, end, low, high in steps
        if kind != "equal"
        for line in range(start, end)
    }


def _choose(scan: RepositoryScan, effort: Effort, style: str) -> tuple[str, str]:
    if style != "auto":
        return style, "asked for"
    if effort.route is Route.PLUGIN and scan.own & {"megatron"}:
        return "import", "MindSpeed patches Megatron as it loads; its own code stays"
    native = [v.name for v in scan.packages if v.name in _NATIVE and v.num_imports and v.name not in scan.own]
    if native:
        return "neutral", f"{native[0]} knows NPUs by itself: beside it a patched torch takes the CUDA branch"
    return "neutral", "code that names no device runs on CUDA as before and needs no package that patches torch"


Changes = dict[str, tuple[str, str]]


def _neutral(scan: RepositoryScan, effort: Effort) -> tuple[Changes, int, list[tuple[str, str]]]:
    from tianji.migration.patching.device_neutral import rewrite

    changes: Changes = {}
    skipped: list[tuple[str, str]] = []
    places = 0
    helper = Path(__file__).with_name("device_layer.py.txt").read_text(encoding="utf-8")
    paths = _files_to_patch(scan, effort)
    homes = HelperHomes(scan, paths)
    for path in paths:
        source = _read(scan, path, skipped)
        if source is None:
            continue
        place, statement = homes.find(path, source.text, helper)
        new, count = rewrite(source.text, statement)
        if not count:
            skipped += [(path, "nothing in it is mechanical")] if path in effort.files_to_change else []
            continue
        changes[path] = (source.shown(source.text), source.shown(new))
        places += count
        if not (Path(scan.root) / place).exists():
            changes[place] = ("", helper)
    return changes, places, skipped


def _files_to_patch(scan: RepositoryScan, effort: Effort) -> tuple[str, ...]:
    """Return the files to change, and those where a parameter's default alone names the device: a call may leave it out."""
    defaults = {
        finding.path
        for finding in scan.findings
        if finding.guard is Guard.DEFAULT and finding.path.endswith(".py") and scan.structure.is_changed(finding.path)
    }
    return tuple(sorted(defaults.union(effort.files_to_change)))


def _imports(scan: RepositoryScan, effort: Effort) -> tuple[Changes, int, list[tuple[str, str]]]:
    module = ADAPTOR if scan.own & {"megatron"} else TRANSFER
    changes: Changes = {}
    skipped: list[tuple[str, str]] = []
    for path in scan.structure.entries:
        source = _read(scan, path, skipped)
        if source is None:
            continue
        new = add_import(source.text, module)
        if new != source.text:
            changes[path] = (source.shown(source.text), source.shown(new))
    return changes, len(changes), skipped


@dataclass(frozen=True, slots=True)
class _Source:
    """A file's text with the encoding that it keeps."""

    text: str
    encoding: str

    def shown(self, text: str) -> str:
        """Return a text as a diff holds it: bytes that are not UTF-8 stand as surrogates and are written as they were."""
        return text.encode(self.encoding).decode("utf-8", "surrogateescape")


def _read(scan: RepositoryScan, path: str, skipped: list[tuple[str, str]]) -> _Source | None:
    """Return a file's text, or None for one that is no Python: a patch of it would not apply.

    Its encoding is the one that its coding line names, or UTF-8.
    """
    try:
        raw = (Path(scan.root) / path).read_bytes()
        encoding = tokenize.detect_encoding(BytesIO(raw).readline)[0]
        text = raw.decode(encoding)
        ast.parse(text)
        # A byte order mark or an encoding that is not one to one would not come back as it was.
        if text.encode(encoding) != raw:
            raise UnicodeError(encoding)
    except (OSError, UnicodeError, SyntaxError, ValueError, RecursionError, MemoryError, LookupError) as error:
        skipped.append((path, f"cannot be patched ({type(error).__name__})"))
        return None
    return _Source(text, encoding)


def _diff(path: str, old: str, new: str) -> str:
    lines = list(_split(old)), list(_split(new))
    before = f"a/{path}" if old else "/dev/null"
    out = []
    for line in difflib.unified_diff(*lines, before, f"b/{path}"):
        out.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(out)


def _split(text: str) -> Iterator[str]:
    """Yield lines that end with a newline alone, as patches count them."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end + 1
        yield text[start:end]
        start = end
