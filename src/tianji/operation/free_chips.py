"""Which chips of a pool can be had: what nodes report, what has failed lately, and what a person has taken out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tianji.operation.failure_detection import Heard
from tianji.units import Seconds


class FreeChips:
    """Knows the chips that are left out though their node calls them healthy."""

    def __init__(self, cordoned: Iterable[int] = ()) -> None:
        self.cordoned = set(cordoned)
        """Taken out by a person, until a person gives them back."""
        self._suspects: dict[int, Seconds] = {}
        """Until when a chip is left out whose worker was killed or hung."""

    def suspect(self, chips: Iterable[int], until: Seconds) -> None:
        """Leave chips out until a time."""
        self._suspects |= dict.fromkeys(chips, until)

    def list_free(self, heard: Mapping[int, Heard], now: Seconds, node_timeout: Seconds) -> list[int]:
        """Return the chips that can be had, those of fuller nodes first."""
        of_nodes = []
        for node, last in heard.items():
            if last.report.dead or now - last.at > node_timeout:
                continue
            chips = [c.chip for c in last.report.chips if c.healthy and not c.busy() and self._is_trusted(c.chip, now)]
            of_nodes.append((-len(chips), node, sorted(chips)))
        return [chip for _, _, chips in sorted(of_nodes) for chip in chips]

    def _is_trusted(self, chip: int, now: Seconds) -> bool:
        return chip not in self.cordoned and self._suspects.get(chip, now) <= now
