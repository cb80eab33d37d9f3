"""Which versions fit together on Ascend: solve over the table of sets, check an environment, write what to install."""

from tianji.migration.versions.environment import Environment, check_environment, read_environment
from tianji.migration.versions.files import write_constraints, write_dockerfile
from tianji.migration.versions.solver import Conflict, VersionSet, find_versions
from tianji.migration.versions.table import COMPONENTS

__all__ = [
    "COMPONENTS",
    "Conflict",
    "Environment",
    "VersionSet",
    "check_environment",
    "find_versions",
    "read_environment",
    "write_constraints",
    "write_dockerfile",
]
