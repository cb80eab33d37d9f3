"""How to search: what is held, what varies, how many plans are wanted and who prices them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tianji.prediction.mapper import Mapper


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """The options of a search over the strategies of a job on a pool."""

    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Strategy fields held to values."""
    extra: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Further switches to vary, each over the given values (the overlap switches, for one)."""
    top: int = 5
    """Plans to return, the fastest first."""
    progress: Callable[[int], None] | None = None
    """Called with the number of strategies that were priced, again and again."""
    mapper: Mapper | None = None
    """Prices the slices of the space elsewhere; the answer is the same."""
