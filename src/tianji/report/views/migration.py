"""What is shown of a move: a scan of a repository, and versions that fit together."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor

from tianji.formatting import count_noun, format_percent
from tianji.report.documents.migration_types import (
    MoveScanDocument,
)
from tianji.report.view import Block, Facts, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of
from tianji.report.views.migration_tables import (
    CHANGED,
    SHOWN,
    Document,
    area_table,
    breakage_table,
    finding_table,
    neighbour_table,
    package_table,
)
from tianji.report.views.migration_versions import version_blocks
from tianji.report.views.mindspore import mindspore_blocks, mindspore_highlight, mindspore_lead
from tianji.report.views.parity import check_table, loss_chart, parity_lead
from tianji.report.views.request_summary import bottom_lines

UNREAD, PLUGIN = "not judged", "plugin"


def scan_view(document: MoveScanDocument) -> View:
    """Return what is shown of ``scan_document``."""
    repository, effort = document["repository"], document["effort"]
    sections = [
        ViewSection(
            "What the plugin stands for" if effort["route"] == PLUGIN else "What to change",
            () if effort["route"] == UNREAD else tuple(_changes(document)),
        ),
        ViewSection("Packages", (package_table(document["packages"]),) if document["packages"] else ()),
        ViewSection("Versions", tuple(_versions(document))),
        ViewSection("Launch and installation", tuple(_launch(document["findings"]))),
        ViewSection("PyTorch names that differ", tuple(_apis(document["apis"]))),
        *(() if effort["route"] == UNREAD else _experience(effort)),
        ViewSection("Apart", (area_table(document["areas"]),) if document["areas"] else ()),
        ViewSection("Every finding", (finding_table("findings", document["findings"]),), is_detail=True),
    ]
    if document["mindspore"] is not None:
        sections[0] = ViewSection("What names CUDA: changed in a move that keeps PyTorch", sections[0].blocks)
        sections.insert(0, ViewSection("MindSpore", tuple(mindspore_blocks(document["mindspore"]))))
        twin = document["mindspore"]["twin"]
        if twin is not None and twin["made"] is not None and twin["made"]["parity"] is not None:
            sections.insert(1, ViewSection("The twin's parity", tuple(_parity(twin["made"]))))
    if document["speed"] is not None:
        sections.insert(1, ViewSection("Speed", tuple(_speed(document["speed"]))))
    return View(
        f"Move of {repository['name']} to {_target_of(document)}",
        tuple(_lead(document)),
        tuple(_highlights(document)),
        tuple(section for section in sections if section.blocks),
        Facts(tuple(_asked(document))),
        bottom_lines(document["bottom_line"]),
    )


def _experience(effort: Document) -> Iterable[ViewSection]:
    yield ViewSection("In the usual order of breakage", (breakage_table(effort["breakage"]),))
    yield ViewSection("Measured moves that it resembles", tuple(neighbour_table(effort)))


def _target_of(document: Document) -> str:
    target = document["target"]
    if document["mindspore"] is not None:
        return f"MindSpore, on {target['title']}"
    return f"{target['title']}, torch {target['torch']}"


def _lead(document: Document) -> Iterable[str]:
    if document["mindspore"] is not None:
        yield from mindspore_lead(document["mindspore"])
    effort, files = document["effort"], len(document["files_to_change"])
    if effort["route"] == UNREAD:
        yield f"Not judged: {effort['answer']}."
        return
    if effort["route"] == "blocked by a dependency":
        yield f"Blocked: {'; '.join(effort['blockers'])}."
        own = f"{effort['effort_class']} ({effort['class_title']}: {effort['reason']})"
        yield f"Once that is solved, its own code is class {own}."
    elif effort["route"] == PLUGIN:
        yield f"A plugin takes it over at import: {effort['answer']}. Its own code stays as it is."
        yield f"What the plugin stands for: {files} files that name CUDA on the training path and in the library."
    elif effort["route"] == "supported by itself":
        yield f"It supports NPUs by itself: {effort['answer']}. What is left are {files} files that still name CUDA."
    else:
        yield f"Class {effort['effort_class']}, {effort['class_title']}: {effort['reason']}."
    lines = effort["lines"]
    names = ", ".join(f"{n['project']} ({n['code_added']} lines)" for n in effort["neighbours"])
    if effort["route"] != PLUGIN:
        later = sorted(n["follow_ups_in_a_year"] for n in effort["neighbours"] if n["follow_ups_in_a_year"] is not None)
        span = str(later[0]) if later and later[0] == later[-1] else f"{later[0]} to {later[-1]}" if later else ""
        after = f" Then {span} commits about NPUs within a year." if span else ""
        yield f"Measured first supports of this kind added {lines['low']} to {lines['high']} lines; nearest: {names}.{after}"
    record = effort["class_record"]
    if effort["route"] != PLUGIN and record["others"]:
        others = ", ".join(f"{count} {name}" for name, count in record["others"].items())
        yield (
            f"Of {record['cases']} measured repositories that a scan called {effort['effort_class']}, {record['right']} were;"
            f" the others: {others}."
        )
    kernels = effort["triton_kernels"] + effort["cuda_kernels"]
    if kernels:
        low, high = effort["lines_a_kernel"]
        yield f"{kernels} kernels of its own stand apart: {low} to {high} lines each where they were ported by hand."


def _highlights(document: Document) -> Iterable[Highlight]:
    if document["mindspore"] is not None:
        yield mindspore_highlight(document["mindspore"])
    effort, total = document["effort"], document["repository"]["python_files"]
    if effort["route"] == UNREAD:
        yield Highlight("Python files", count_of(total), "none that a scan can judge")
        return
    files, start = len(document["files_to_change"]), len(document["files_to_start"])
    is_plugin = effort["route"] == PLUGIN
    words = "files that name CUDA" if is_plugin else "files to change"
    note = "the plugin stands for them" if is_plugin else f"{start:,} of them to start"
    yield Highlight(words, Number(files, f"{files:,}", span=f"of {total:,} Python files"), note)
    if not is_plugin:
        yield _lines_to_add(effort["lines"])
    to_change = _to_change(document)
    automatic = sum(f["mechanical"] in ("automatic", "one-line") for f in to_change)
    if to_change:
        share = floor(100 * automatic / len(to_change)) / 100  # 100 % says all of them
        yield Highlight(
            "automatic or one line",
            Number(share, format_percent(share, 0), span=f"{automatic:,} of {len(to_change):,} places"),
        )
    none = sum(p["status"] == "none" and p["is_required"] for p in document["packages"])
    partial = sum(p["status"] == "partial" and p["is_required"] for p in document["packages"])
    yield Highlight("packages without answer", count_of(none), f"and {partial} that run in part" if partial else "")


def _lines_to_add(lines: Document) -> Highlight:
    span = f"{lines['low']:,} to {lines['high']:,}"
    number = Number(lines["nominal"], f"{lines['nominal']:,}", lines["low"], lines["high"], span)
    return Highlight("lines to add", number, "kernels apart")


def _asked(document: Document) -> Iterable[tuple[str, str]]:
    repository = document["repository"]
    read = count_noun(repository["files_read"], "file")
    yield "Read", f"{read}, {repository['python_lines']:,} lines of Python; nothing was run"
    entries = repository["entries"]
    shown = ", ".join(entries[:4]) + (f" and {len(entries) - 4} more" if len(entries) > 4 else "")
    yield "Entry points", shown or "none was found: all modules count"
    if repository["frameworks"]:
        counts = ", ".join(f"{name} in {count_noun(count, 'file')}" for name, count in repository["frameworks"].items())
        yield "Device chosen by", counts
    for note in document["notes"]:
        yield "Note", note
    if repository["left_out"]:
        first = repository["left_out"][0]
        number = count_noun(len(repository["left_out"]), "file")
        yield "Left out", f"{number}, such as {first['path']}: {first['reason']}"


def _to_change(document: Document) -> list[Document]:
    """Return the findings in the files to change, those to start with first; of what is no Python, those of the same areas."""
    files, start = set(document["files_to_change"]), set(document["files_to_start"])
    changes = [
        f
        for f in document["findings"]
        if f["needs_change"] and (f["path"] in files or (f["area"] in CHANGED and not f["path"].endswith(".py")))
    ]
    return sorted(changes, key=lambda f: f["path"] not in start)


def _changes(document: Document) -> Iterable[Block]:
    rows = _to_change(document)
    if not rows:
        yield "Nothing on the training path or in the library names CUDA in a way that has to change."
        return
    yield finding_table("changes", rows, frozenset(document["files_to_start"]))
    if document["effort"]["route"] != PLUGIN:
        yield "One new file is usual: a small device helper that the changed files import."


def _versions(document: Document) -> Iterable[Block]:
    yield from version_blocks(document["versions"], "versions")
    if document["versions_without_conflict"] is not None:
        yield "Without the components that conflict:"
        yield from version_blocks(document["versions_without_conflict"], "versions-plain")


def _launch(findings: Iterable[Document]) -> Iterable[Block]:
    rows = [f for f in findings if f["area"] in ("launch and installation", "settings")]
    if rows:
        yield finding_table("launch", rows)


def _apis(apis: Document) -> Iterable[Block]:
    if not apis["names"]:
        return
    counts = ", ".join(f"{count:,} {meaning}" for meaning, count in apis["counts"].items())
    unverified = f" {apis['unverified']:,} are not verified on this chip yet." if apis["unverified"] else ""
    yield f"{apis['names']:,} PyTorch names are used: {counts}.{unverified}"
    columns = (
        ViewColumn("name"),
        ViewColumn("meaning"),
        ViewColumn("says"),
        ViewColumn("uses"),
        ViewColumn("first place", rank=1),
        ViewColumn("source", rank=3),
    )
    rows = tuple(
        (
            use["name"] + (" (by its name alone)" if use["by_method"] else ""),
            use["meaning"],
            use["says"] or "-",
            count_of(use["uses"]),
            use["places"][0],
            use["source"] or "-",
        )
        for use in apis["trouble"]
    )
    if rows:
        yield ViewTable("apis", "", columns, rows, most=SHOWN)


def _parity(twin: Document) -> Iterable[Block]:
    carried = twin["weights"]["carried_from"] or "the seed"
    yield f"{twin['model']} with weights from {carried}, trained by PyTorch and by MindSpore from {twin['files'][0]}."
    yield from parity_lead(twin["parity"])
    yield check_table(twin["parity"]["checks"])
    yield loss_chart(twin["parity"])


def _speed(speed: Document) -> Iterable[Block]:
    yield Facts(tuple((fact["label"], fact["text"]) for fact in speed["facts"]))
    if speed["switches"]:
        columns = (ViewColumn("switch"), ViewColumn("why"))
        yield ViewTable(
            "switches",
            "Switches of the target stack",
            columns,
            tuple((s["switch"], s["why"]) for s in speed["switches"]),
        )
