"""Read a repository's files as text: parsed, never imported or run."""

from tianji.migration.reading.files import SourceFile, Walk, walk_repository
from tianji.migration.reading.readers import read_file

__all__ = ["SourceFile", "Walk", "read_file", "walk_repository"]
