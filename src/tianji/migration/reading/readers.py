"""One reader for each kind of file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tianji.migration.facts import FileFacts, FileKind
from tianji.migration.reading.files import SourceFile, read_text
from tianji.migration.reading.python_files import read_python
from tianji.migration.reading.requirement_files import find_version, read_requirements, read_setup_script
from tianji.migration.reading.text_files import read_config, read_cuda, read_dockerfile, read_shell

READERS: Mapping[FileKind, Callable[[str, str], FileFacts]] = MappingProxyType(
    {
        FileKind.PYTHON: read_python,
        FileKind.SHELL: read_shell,
        FileKind.DOCKERFILE: read_dockerfile,
        FileKind.CONFIG: read_config,
        FileKind.REQUIREMENTS: read_requirements,
        FileKind.CUDA: read_cuda,
    }
)


def read_file(file: SourceFile) -> FileFacts:
    """Return the facts of a file; one that cannot be read says why in ``problem``."""
    try:
        text = read_text(file)
    except OSError as error:
        return FileFacts(file.path, file.kind, problem=f"cannot be read ({error.strerror})")
    facts = READERS[file.kind](file.path, text)
    name = file.path.rsplit("/", 1)[-1]
    if name == "setup.py":
        read_setup_script(facts, text)
    if name in ("setup.py", "__init__.py", "version.py", "package_info.py") and file.path.count("/") <= 2:
        facts.version = find_version(text)
    return facts
