"""Write the mechanical part of a move as a patch: formatting and comments stay, CUDA and CPU behave as before."""

from tianji.migration.patching.patch import STYLES, Patch, write_patch

__all__ = ["STYLES", "Patch", "write_patch"]
