"""What ran: framework, release, and the switches of the software that a row states; empty where it states nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tianji.measurements.cells import Cells


@dataclass(frozen=True, slots=True)
class Software:
    """A framework in a release with its switches, each empty where nothing is stated."""

    framework: str
    release: str = ""
    launch: str = ""
    dispatcher: str = ""
    routing: str = ""
    permute: str = ""
    experts: str = ""
    tp_overlap: str = ""
    attention_dtype: str = ""
    loss: str = ""
    optimizer: str = ""
    scaling: str = ""
    model_code: str = ""
    offload: tuple[str, ...] = ()
    packed: bool | None = None
    proxy: bool | None = None
    regression: bool | None = None

    @property
    def generation(self) -> str:
        """The framework with its release, where one is stated."""
        return f"{self.framework}-{self.release}" if self.release else self.framework

    @property
    def modes(self) -> tuple[str, ...]:
        """Ways of running the same software that a calibration may hold an effect on time for, in a fixed order."""
        return tuple(mode for mode, (field, value) in MODES.items() if getattr(self, field) == value)

    def traits(self, model: str = "", chip: str = "") -> tuple[str, ...]:
        """Return the names that a calibration knows this software by: framework, release, modes, recipe and port.

        The recipe is how well the framework runs one mixture of experts (dense models need none), the port how well it runs on
        one generation of chips.

        >>> Software("megatron-bridge", "26.04", dispatcher="deep_ep").traits("deepseek_v3", "b200")
        ('megatron-bridge', 'megatron-bridge-26.04', 'deepep', 'megatron-bridge/deepseek_v3', 'megatron-bridge@b200')
        """
        release = (self.generation,) if self.release else ()
        recipe = (f"{self.framework}/{model}",) if model else ()
        port = (f"{self.framework}@{chip}",) if chip else ()
        return (self.framework, *release, *self.modes, *recipe, *port)


MODES: dict[str, tuple[str, object]] = {
    "launch-blocking": ("launch", "blocking"),
    "deepep": ("dispatcher", "deep_ep"),
    "hybridep": ("dispatcher", "hybrid_ep"),
    "cuda-graph": ("launch", "partial_graph"),
    "full-graph": ("launch", "full_graph"),
    "known-regression": ("regression", True),
    "token-drop": ("routing", "dropped"),
    "natural-routing": ("routing", "natural"),
    "activation-offload": ("offload", ("activations",)),
    "eager": ("launch", "eager"),
    "compiled": ("launch", "compiled"),
    "rowwise": ("scaling", "row"),
    "legacy": ("model_code", "legacy"),
}
"""Names of modes in a calibration, and the switch that each is."""

WORDS = (
    "launch", "dispatcher", "routing", "permute", "experts", "tp_overlap", "attention_dtype", "loss", "optimizer", "scaling",
    "model_code",
)  # fmt: skip
SWITCHES = ("packed", "proxy", "regression")


def read_software(cells: Cells) -> Software:
    """Return the software of a row.

    Raises CellError for a word that a switch does not know.
    """
    words: dict[str, Any] = {name: cells.word(name) for name in WORDS}
    switches: dict[str, Any] = {name: cells.switch(name) for name in SWITCHES}
    return Software(
        cells.name("framework") or "unknown", cells.name("release"), offload=cells.words("offload"), **words, **switches
    )
