"""Types of the documents of a move: a scan of a repository, and versions that fit together."""

from __future__ import annotations

from typing import Literal, TypedDict

from tianji.report.documents.move_speed import MoveSpeedDocument
from tianji.report.documents.ranges import RangeDocument
from tianji.report.documents.three_lines import BottomLineDocument
from tianji.report.documents.twin import MoveTwinDocument


class FindingDocument(TypedDict):
    """One place in the repository."""

    path: str
    line: int
    symbol: str
    """A dotted name resolved through imports, or ``idiom:...`` or ``env:...``."""
    text: str
    meaning: str
    """works, falls back to the CPU, differs in numerics, dtype limits, needs a switch, one-line change, rewrite, ..."""
    answer: str
    mechanical: str
    """automatic, one-line, rewrite or impossible."""
    trap: str
    category: str
    needs_change: bool
    to_start: bool
    """It chooses, counts or waits for a device or its back-end: changed before anything starts."""
    area: str
    guard: str
    source: str


class VersionSetDocument(TypedDict):
    """Versions that fit together, or why there are none."""

    fits: bool
    name: str
    versions: dict[str, str]
    notes: list[str]
    conflicts: list[str]
    sources: list[str]


class LeftOutDocument(TypedDict):
    """A file that was not read."""

    path: str
    reason: str


class RepositoryDocument(TypedDict):
    """What was scanned."""

    name: str
    version: str | None
    """Its own, where it states one."""
    files_read: int
    python_files: int
    python_lines: int
    entries: list[str]
    """Entry points that training starts from."""
    left_out: list[LeftOutDocument]
    frameworks: dict[str, int]
    """Uses of frameworks that choose the device themselves."""
    supports_target: bool


class MoveTargetDocument(TypedDict):
    """What a repository is moved to."""

    key: str
    title: str
    torch: str
    """Version of PyTorch."""


class AreaDocument(TypedDict):
    """Findings by where their files stand in the repository."""

    area: str
    findings: int
    to_change: int
    handled: int
    """By a framework that chooses the device."""
    files: int


class ApiDocument(TypedDict):
    """A PyTorch name that does not simply work on the target."""

    name: str
    meaning: str
    says: str
    is_verified: bool
    """False: the table has the name for another chip or version only."""
    uses: int
    by_method: bool
    places: list[str]
    source: str


class ApisDocument(TypedDict):
    """All PyTorch names that the repository uses."""

    names: int
    counts: dict[str, int]
    unverified: int
    trouble: list[ApiDocument]
    unknown: list[str]


class PackageDocument(TypedDict):
    """A requirement of the repository."""

    name: str
    clause: str
    """Versions that it asks for."""
    status: str
    answer: str
    from_version: str
    note: str
    is_required: bool
    imports: int
    is_inference: bool
    places: list[str]
    source: str


class NeighbourDocument(TypedDict):
    """A measured move that the repository resembles."""

    project: str
    effort_class: str
    code_added: int
    follow_ups_in_a_year: int | None
    duration: str
    source: str


class BreakageDocument(TypedDict):
    """One thing that breaks, in the usual order."""

    name: str
    what: str
    occurrences: int
    places: list[str]


class ClassRecordDocument(TypedDict):
    """How often the class of a scan was that of the lines which a measured first support added."""

    cases: int
    right: int
    others: dict[str, int]
    """Class that it was instead, and how often."""


class EffortDocument(TypedDict):
    """What the move takes, from measured moves."""

    route: str
    effort_class: str
    class_title: str
    class_record: ClassRecordDocument | None
    reason: str
    answer: str
    blockers: list[str]
    lines: RangeDocument
    triton_kernels: int
    cuda_kernels: int
    lines_a_kernel: list[int]
    """Least and most that a ported kernel took."""
    neighbours: list[NeighbourDocument]
    breakage: list[BreakageDocument]


class CounterpartDocument(TypedDict):
    """A PyTorch name and what MindSpore has for it."""

    torch: str
    mindspore: str
    relation: str
    difference: str
    uses: int
    place: str
    source: str


class TwinDocument(TypedDict):
    """The model of the repository, trained by both executors of Tianji."""

    runs: bool
    reason: str
    commands: list[str]
    made: MoveTwinDocument | None
    """The twin with its parity, where one was asked for."""


class MindSporeDocument(TypedDict):
    """How far MindSpore covers what the repository uses."""

    names: int
    counts: dict[str, int]
    share_of_uses: float
    twin: TwinDocument | None
    counterparts: list[CounterpartDocument]


class SnapshotDocument(TypedDict):
    """A table that answers come from, with its date."""

    table: str
    title: str
    date: str


class MoveScanDocument(TypedDict):
    """What a move of a repository meets, and what it takes."""

    document: Literal["migration_scan"]
    bottom_line: BottomLineDocument
    repository: RepositoryDocument
    target: MoveTargetDocument
    notes: list[str]
    files_to_change: list[str]
    files_to_start: list[str]
    """Those without which nothing starts; the rest is met when it is used."""
    findings: list[FindingDocument]
    areas: list[AreaDocument]
    apis: ApisDocument
    packages: list[PackageDocument]
    effort: EffortDocument
    versions: VersionSetDocument
    versions_without_conflict: VersionSetDocument | None
    """Where the repository's own requirements conflict: a set that leaves them aside."""
    mindspore: MindSporeDocument | None
    speed: MoveSpeedDocument | None
    snapshots: list[SnapshotDocument]
    route: str
    effort_class: str


class FamilyDocument(TypedDict):
    """A family of chips."""

    key: str
    title: str


class MisfitDocument(TypedDict):
    """A part of an environment that does not fit."""

    what: str
    expected: str
    source: str


class EnvironmentDocument(TypedDict):
    """An environment as its listings state it."""

    versions: dict[str, str]
    chips: list[str]
    misfits: list[MisfitDocument]
    fits: bool


class MoveVersionsDocument(TypedDict):
    """Which versions fit together on a target."""

    document: Literal["migration_versions"]
    bottom_line: BottomLineDocument
    target: FamilyDocument
    set: VersionSetDocument
    environment: EnvironmentDocument | None
    snapshot: str
    """Date of the table."""
