"""A training repository moves to Ascend: what breaks, which versions fit, what it costs, how fast it is, and proof."""

from tianji.migration.effort import Effort, estimate_effort
from tianji.migration.measured_moves import EffortClass
from tianji.migration.move import Move, plan_move
from tianji.migration.routes import Route
from tianji.migration.scan import RepositoryScan, scan_repository
from tianji.migration.versions import (
    Conflict,
    VersionSet,
    check_environment,
    find_versions,
    read_environment,
    write_constraints,
    write_dockerfile,
)

__all__ = [
    "Conflict",
    "Effort",
    "EffortClass",
    "Move",
    "RepositoryScan",
    "Route",
    "VersionSet",
    "check_environment",
    "estimate_effort",
    "find_versions",
    "plan_move",
    "read_environment",
    "scan_repository",
    "write_constraints",
    "write_dockerfile",
]
