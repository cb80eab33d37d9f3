"""Say how the files of a repository hang together: imports, entry points, and what is reached from them."""

from tianji.migration.resolving.areas import Area, Structure, resolve_structure

__all__ = ["Area", "Structure", "resolve_structure"]
