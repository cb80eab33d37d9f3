"""JSON of a move: what a scan of a repository found, what it takes, which versions fit.

Scripts rely on the names here; they are added to, never renamed. Paths are inside the repository, lines count from 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from tianji.catalog.migration import load_snapshots
from tianji.migration import Conflict, Move, VersionSet
from tianji.migration.effort import Effort
from tianji.migration.judging import Finding, Impact
from tianji.migration.measured_moves import CLASSES, LINES_A_KERNEL, find_record, num_measured
from tianji.migration.mindspore import RELATIONS, Coverage, TwinOffer
from tianji.migration.routes import Route, own_version
from tianji.migration.versions.environment import Environment, Misfit
from tianji.report.documents.checked_lines import versions_line
from tianji.report.documents.migration_types import (
    ApisDocument,
    AreaDocument,
    ClassRecordDocument,
    EffortDocument,
    FindingDocument,
    MindSporeDocument,
    MoveScanDocument,
    MoveVersionsDocument,
    TwinDocument,
    VersionSetDocument,
)
from tianji.report.documents.move_line import scan_line
from tianji.report.documents.move_speed import MoveSpeedDocument
from tianji.report.documents.twin import MoveTwinDocument


def scan_document(
    move: Move, speed: MoveSpeedDocument | None = None, twin: TwinDocument | None = None
) -> MoveScanDocument:
    """Return everything that a scan says.

    ``speed`` is what the target is predicted to take, where a model is known; ``twin`` its training under MindSpore.
    """
    scan, effort = move.scan, move.effort
    num_python = sum(facts.path.endswith(".py") for facts in scan.files)
    taken = _effort(move)
    coverage = None if move.mindspore is None else _mindspore(move.mindspore, twin)
    return {
        "document": "migration_scan",
        "bottom_line": scan_line(taken, len(effort.files_to_change), num_measured(), speed, coverage),
        "repository": {
            "name": Path(scan.root).resolve().name,
            "version": own_version(scan) or None,
            "files_read": len(scan.files),
            "python_files": num_python,
            "python_lines": scan.num_lines,
            "entries": list(scan.structure.entries),
            "left_out": [{"path": path, "reason": reason} for path, reason in scan.left_out],
            "frameworks": dict(scan.frameworks),
            "supports_target": scan.has_npu,
        },
        "target": {"key": scan.target.key, "title": scan.target.title, "torch": scan.torch_version},
        "notes": list(scan.notes),
        "files_to_change": list(effort.files_to_change),
        "files_to_start": list(effort.files_to_start),
        "findings": [finding_document(f) for f in sorted(scan.findings, key=lambda f: (f.path, f.line, f.symbol))],
        "areas": _areas(scan.findings),
        "apis": _apis(move),
        "packages": [
            {
                "name": v.name,
                "clause": v.clause,
                "status": v.status,
                "answer": v.answer,
                "from_version": v.from_version,
                "note": v.note,
                "is_required": v.is_required,
                "imports": v.num_imports,
                "is_inference": v.is_inference,
                "places": [f"{path}:{line}" for path, line in v.places],
                "source": v.source,
            }
            for v in scan.packages
        ],
        "effort": taken,
        "versions": versions_of(move.versions),
        "versions_without_conflict": None if move.fallback is None else versions_of(move.fallback),
        "mindspore": coverage,
        "speed": speed,
        "snapshots": [{"table": s.table, "title": s.title, "date": s.date} for s in load_snapshots().tables.values()],
        "route": effort.route.value,
        "effort_class": _class_of(effort),
    }


def _class_of(effort: Effort) -> str:
    """Return the class, empty where nothing could be judged."""
    return "" if effort.route is Route.UNREAD else effort.effort_class.value


def finding_document(finding: Finding) -> FindingDocument:
    """Return one finding."""
    return {
        "path": finding.path,
        "line": finding.line,
        "symbol": finding.symbol,
        "text": finding.text,
        "meaning": finding.meaning.value,
        "answer": finding.answer,
        "mechanical": finding.mechanical,
        "trap": finding.trap,
        "category": finding.category,
        "needs_change": finding.needs_change,
        "to_start": finding.to_start,
        "area": finding.area.value,
        "guard": finding.guard.value,
        "source": finding.source,
    }


def _areas(findings: tuple[Finding, ...]) -> list[AreaDocument]:
    areas: dict[str, dict[str, Any]] = {}
    for finding in findings:
        row = areas.setdefault(
            finding.area.value,
            {"area": finding.area.value, "findings": 0, "to_change": 0, "handled": 0, "files": set()},
        )
        row["findings"] += finding.count
        row["to_change"] += finding.needs_change
        row["handled"] += finding.meaning is Impact.HANDLED
        row["files"].add(finding.path)
    return [cast(AreaDocument, {**row, "files": len(row["files"])}) for row in areas.values()]


def _apis(move: Move) -> ApisDocument:
    uses = move.scan.apis
    counts = {meaning.value: sum(use.meaning is meaning for use in uses) for meaning in Impact}
    trouble = [use for use in uses if use.meaning not in (Impact.WORKS, Impact.UNKNOWN)]
    return {
        "names": len(uses),
        "counts": {meaning: count for meaning, count in counts.items() if count},
        "unverified": sum(not use.is_verified for use in uses),
        "trouble": [
            {
                "name": use.name,
                "meaning": use.meaning.value,
                "says": use.says,
                "is_verified": use.is_verified,
                "uses": use.num_uses,
                "by_method": use.by_method,
                "places": [f"{path}:{line}" for path, line in use.places],
                "source": use.source,
            }
            for use in sorted(trouble, key=lambda use: (_ORDER.index(use.meaning), -use.num_uses))
        ],
        "unknown": [use.name for use in uses if use.meaning is Impact.UNKNOWN],
    }


_ORDER = (
    Impact.REWRITE,
    Impact.IMPOSSIBLE,
    Impact.CPU_FALLBACK,
    Impact.NUMERICS,
    Impact.DTYPE,
    Impact.SWITCH,
    Impact.ONE_LINE,
    Impact.HANDLED,
)


def _effort(move: Move) -> EffortDocument:
    effort = move.effort
    return {
        "route": effort.route.value,
        "effort_class": _class_of(effort),
        "class_title": CLASSES[effort.effort_class][0] if _class_of(effort) else "",
        "class_record": _record(effort),
        "reason": effort.reason,
        "answer": effort.answer,
        "blockers": list(effort.blockers),
        "lines": {"low": effort.lines_low, "nominal": effort.lines_mid, "high": effort.lines_high},
        "triton_kernels": effort.num_triton_kernels,
        "cuda_kernels": effort.num_cuda_kernels,
        "lines_a_kernel": list(LINES_A_KERNEL),
        "neighbours": [
            {
                "project": n.project,
                "effort_class": n.effort_class.value,
                "code_added": n.code_added,
                "follow_ups_in_a_year": n.follow_ups,
                "duration": n.duration,
                "source": n.source,
            }
            for n in effort.neighbours
        ],
        "breakage": [
            {"name": name, "what": what, "occurrences": count, "places": list(places)}
            for name, what, count, places in effort.checklist
        ],
    }


def _record(effort: Effort) -> ClassRecordDocument | None:
    if effort.route is Route.UNREAD:
        return None
    record = find_record(effort.effort_class)
    return {"cases": record.cases, "right": record.right, "others": dict(record.others)}


def versions_of(answer: VersionSet | Conflict) -> VersionSetDocument:
    """Return a set of versions, or the reasons why none fits."""
    if isinstance(answer, Conflict):
        return {
            "fits": False,
            "name": "",
            "versions": {},
            "notes": [],
            "conflicts": list(answer.reasons),
            "sources": [],
        }
    return {
        "fits": True,
        "name": answer.name,
        "versions": dict(answer.versions),
        "notes": list(answer.notes),
        "conflicts": [],
        "sources": list(answer.sources),
    }


def twin_offer_document(offer: TwinOffer, made: MoveTwinDocument | None) -> TwinDocument:
    """Return whether a model can have a twin, and the twin where one was made."""
    return {"runs": offer.runs, "reason": offer.reason, "commands": list(offer.commands), "made": made}


def _mindspore(coverage: Coverage, twin: TwinDocument | None) -> MindSporeDocument:
    return {
        "names": len(coverage.counterparts),
        "counts": {relation: coverage.count(relation) for relation in RELATIONS},
        "share_of_uses": coverage.share_of_uses,
        "twin": twin,
        "counterparts": [
            {
                "torch": c.torch,
                "mindspore": c.mindspore,
                "relation": c.relation,
                "difference": c.difference,
                "uses": c.num_uses,
                "place": f"{c.place[0]}:{c.place[1]}",
                "source": c.source,
            }
            for c in coverage.counterparts
        ],
    }


def versions_document(
    target: str, answer: VersionSet | Conflict, environment: Environment | None, misfits: list[Misfit]
) -> MoveVersionsDocument:
    """Return which versions fit together on a target, and how an environment stands to it."""
    chosen, snapshot = versions_of(answer), load_snapshots().tables["versions"].date
    return {
        "document": "migration_versions",
        "bottom_line": versions_line(chosen["name"], chosen["fits"], chosen["conflicts"], len(misfits), snapshot),
        "target": {"key": target, "title": load_snapshots().targets[target].title},
        "set": chosen,
        "environment": None
        if environment is None
        else {
            "versions": dict(environment.versions),
            "chips": list(environment.chips),
            "misfits": [{"what": m.what, "expected": m.expected, "source": m.source} for m in misfits],
            "fits": not misfits,
        },
        "snapshot": snapshot,
    }
