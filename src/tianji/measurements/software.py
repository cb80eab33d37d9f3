"""What ran: framework, release, and the switches of the software that a row states; empty where it states nothing."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from tianji.hardware.software import SWITCHES, Software
from tianji.measurements.cells import Cells

FLAGS = ("packed", "proxy", "regression")
COLUMNS = ("framework", "release", *SWITCHES, "optimizer", *FLAGS, "dispatcher_sms", "offload")


def read_software(cells: Cells) -> Software:
    """Return the software of a row.

    Raises CellError for a word that a switch does not know.
    """
    return _read_software(cells.raw(COLUMNS))


@lru_cache(maxsize=512)
def _read_software(raw: tuple[str, ...]) -> Software:
    """Return the software of the rows that have these cells: most have those of another row."""
    cells = Cells(dict(zip(COLUMNS, raw, strict=True)), 0)
    words: dict[str, Any] = {name: cells.word(name) for name in (*SWITCHES, "optimizer")}
    flags: dict[str, Any] = {name: cells.switch(name) for name in FLAGS}
    sms = cells.count("dispatcher_sms", default=1) if cells.text("dispatcher_sms") else 0
    return Software(
        cells.name("framework") or "unknown", cells.name("release"), dispatcher_sms=sms, offload=cells.words("offload"),
        **words, **flags,
    )  # fmt: skip
