"""How to search: what is held, what varies, how many plans are wanted and who prices them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tianji.parallel.strategy import Strategy
from tianji.prediction.mapper import Mapper
from tianji.search.candidate import Smaller
from tianji.units import Seconds

LEADING = 2000
"""Unlike layouts that are weighed under doubt."""
MARGIN = 0.03
"""Share of the usable memory that a plan leaves free unless told otherwise."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """The options of a search over the strategies of a job on a pool."""

    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Strategy fields held to values."""
    extra: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Further switches to vary, each over the given values (the overlap switches, for one)."""
    top: int = 5
    """Plans to return, the best first."""
    leading: int = LEADING
    """Unlike layouts to keep beside them, the fastest ones: those that are weighed under doubt."""
    most_micro_batch: int = 0
    """Sequences that a micro-batch has at most; 0: as many as the space has."""
    smaller: tuple[Smaller, ...] | None = None
    """Smaller numbers of chips to try too; None: those that look as fast as all (:mod:`tianji.search.sizes`)."""
    reached: Seconds = float("inf")
    """A step time that some strategy is known to reach: with it the search leaves out sooner what is too slow to be told of."""
    uneven: Literal["dealt", "noted", "named"] = "dealt"
    """What becomes of pipelines that uneven stages make faster: layers stay dealt out, a search notes those that may then be the
    fastest, or the leading ones get their best stages, too (:mod:`tianji.search.refinement`)."""
    can_name: Callable[[Strategy], bool] | None = None
    """Whether a strategy with named stages can be run; None: every one. Those that cannot stay dealt out."""
    margin: float = 0.0
    """Share of the usable memory that a plan leaves free; where none can, the answer says so."""
    progress: Callable[[int], None] | None = None
    """Called with the number of strategies that were priced, again and again."""
    mapper: Mapper | None = None
    """Prices the slices of the space elsewhere; the answer is the same."""
