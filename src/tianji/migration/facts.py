"""What a repository's files say, before anything is judged: occurrences, imports and the facts of each file."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class FileKind(StrEnum):
    """What a file of a repository is read as."""

    PYTHON = "python"
    SHELL = "shell"
    DOCKERFILE = "dockerfile"
    CONFIG = "config"
    REQUIREMENTS = "requirements"
    CUDA = "cuda"


class Guard(StrEnum):
    """What keeps a occurrence from being met on a machine without CUDA."""

    NONE = ""
    CUDA_BRANCH = "cuda branch"
    """Inside ``if torch.cuda.is_available()`` or a test for a CUDA device: skipped, and what it does is lost."""
    OPTIONAL_IMPORT = "optional import"
    """Inside ``try: import ...`` with a handler, or behind a function that asks whether the package is there."""
    LAZY = "inside a function"
    """An import that runs only when its function does."""
    SHOWN = "only shown"
    """In what is printed or logged."""
    OTHER_DEVICE = "branch of another device"
    """Inside a branch for XPU, MPS, ROCm or an NPU."""
    ANNOTATION = "annotation"
    """In a type, which no device reads."""
    NAME = "name in a table"
    """A literal key of a table of the repository's own: whoever reads and writes it agrees."""
    WORKAROUND = "workaround for CUDA"
    """A branch that only makes tensors contiguous for one of CUDA's kernels."""
    ANSWERED = "npu beside it"
    """In a list of devices that has the NPU already."""
    UNSET = "hides or forgets GPUs"
    """Sets the visible devices to none, or takes the variable away."""
    DEFAULT = "default of a parameter"
    """A device that callers choose, in a file that no one starts."""
    LOADING = "where a file is loaded to"
    """A test that loads to the CPU first unless the device is CUDA's: slower, and right."""


HARMLESS = (
    Guard.SHOWN,
    Guard.OTHER_DEVICE,
    Guard.ANNOTATION,
    Guard.NAME,
    Guard.WORKAROUND,
    Guard.ANSWERED,
    Guard.UNSET,
    Guard.DEFAULT,
    Guard.LOADING,
)
"""Guards under which an occurrence may stay as it is."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One place in a file that a move may have to change.

    ``symbol`` is a dotted name resolved through imports and aliases, or ``idiom:...`` or ``env:...`` as the table
    ``cuda_names`` of the catalog writes them. Lines count from 1.
    """

    path: str
    line: int
    symbol: str
    text: str
    """The source line, cut to a readable length."""
    guard: Guard = Guard.NONE
    detail: str = ""
    """What the symbol alone does not say, like the device string or the called function."""


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module or name, absolute: ``torch.nn.functional``, ``.utils.device`` of a package written out."""

    module: str
    name: str
    """The imported name of ``from module import name``; empty for ``import module``."""
    line: int
    guard: Guard = Guard.NONE


@dataclass(frozen=True, slots=True)
class Requirement:
    """A package that the repository asks for, with its version clause as written."""

    name: str
    clause: str
    path: str
    line: int
    optional: bool = False
    """Asked for by an extra, a development file or an example only."""


@dataclass(slots=True)
class FileFacts:
    """Everything that one file says about a move."""

    path: str
    kind: FileKind
    num_lines: int = 0
    occurrences: list[Occurrence] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    names: dict[str, list[int]] = field(default_factory=dict)
    """Dotted names under ``torch`` that are used, with their lines."""
    methods: dict[str, list[int]] = field(default_factory=dict)
    """Methods that are called on what is no module, with their lines: candidates for methods of a tensor."""
    requirements: list[Requirement] = field(default_factory=list)
    launches: list[str] = field(default_factory=list)
    """Python files that a shell script starts."""
    version: str = ""
    """The version of the repository's own package, where the file states one."""
    availability: dict[str, int] = field(default_factory=dict)
    """Functions like ``is_xpu_available`` that are defined here, with their lines."""
    num_kernels: int = 0
    """Triton or CUDA kernels that are defined here."""
    has_main: bool = False
    is_settings: bool = False
    """Python that only assigns values: a configuration written as code."""
    problem: str = ""
    """Why the file could not be read, empty where it could."""
