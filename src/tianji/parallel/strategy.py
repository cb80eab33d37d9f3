"""A strategy: into how many parts each axis of a job is cut, and which switches are on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any

from tianji.errors import FormatError
from tianji.parallel.schedules import SCHEDULES
from tianji.parallel.stages import read_stages

RECOMPUTE = ("none", "selective", "full")
CP_KINDS = ("ring", "ulysses", "all_gather")
EP_KINDS = ("deduplicated", "all_to_all")
WEIGHT_GATHERS = ("hidden", "exposed", "broadcasts")
PLACEMENTS = ("dp-inside", "pp-inside")
OFFLOAD_UPDATES = ("host", "chip")
ZERO_KINDS = ("layers", "matrices", "buckets", "modules")
MODULES = ("core_attn", "layernorm", "mla_up_proj", "mlp_act", "moe_act", "mlp", "moe", "shared_experts", "ops")
"""Parts of a layer that can be computed again by themselves; an array of strategies holds one bit for each."""
CHOICES: dict[str, tuple[str, ...]] = {
    "recompute": RECOMPUTE,
    "schedule": tuple(SCHEDULES),
    "cp_kind": CP_KINDS,
    "ep_kind": EP_KINDS,
    "weight_gather": WEIGHT_GATHERS,
    "placement": PLACEMENTS,
    "offload_update": OFFLOAD_UPDATES,
    "zero_kind": ZERO_KINDS,
}
"""The words that each textual switch may take; an array of strategies holds their positions."""

ON_OFF = {
    word: value for value, words in {True: "true on yes 1", False: "false off no 0"}.items() for word in words.split()
}
"""What a switch may be written as."""
LARGEST = 10**9
"""Of any degree or size: beyond it a number is a slip, and arrays of numbers would not hold it."""
DEGREES = ("tp", "pp", "vpp", "cp", "ep", "etp", "dp")
SHARES = ("recompute_layers", "offload_optimizer", "offload_activations")
"""Numbers from 0 to 1; for those of offloading ``on`` means all and ``off`` nothing."""


@dataclass(frozen=True, slots=True)
class Strategy:
    """The degrees and switches of one training layout.

    ``tp * pp * cp * dp`` chips are used; ``ep * etp`` divides ``tp * cp * dp`` (experts are spread over those ranks). What is not
    given has one default everywhere: in Python, in files and on the command line. Data, tensor and pipeline communication
    overlap by default, as they do in a well-tuned engine.
    """

    tp: int = 1
    """Tensor parallel: each matrix is cut over that many chips."""
    pp: int = 1
    """Pipeline parallel: the layers are cut into that many stages."""
    vpp: int = 1
    """Model chunks of each pipeline rank (interleaving)."""
    cp: int = 1
    """Context parallel: each sequence is cut over that many chips."""
    ep: int = 1
    """Expert parallel: the experts of a layer are spread over that many ranks."""
    etp: int = 1
    """Expert tensor parallel: each expert is cut over that many chips."""
    dp: int = 1
    """Data parallel replicas."""
    micro_batch_size: int = 1
    """Sequences of one micro-batch on one data-parallel replica."""
    zero: int = 1
    """Sharded over data-parallel ranks: 0 nothing, 1 optimizer, 2 and gradients, 3 and weights (FSDP)."""
    zero_group: int = 0
    """Ranks of one sharding group when it is smaller than all data-parallel ranks (HSDP); 0: all of them."""
    zero_kind: str = "layers"
    """What ZeRO gathers and keeps at once: whole layers (FSDP), single matrices (XLA), layers beside flat buckets
    (DeepSpeed), or the same with each matrix of each expert by itself (DeepSpeed, experts in a loop)."""
    sequence_parallel: bool = True
    """Activations between the matmuls are cut over the tensor-parallel ranks too."""
    recompute: str = "none"
    recompute_layers: float = 1.0
    """Fraction of the layers that ``recompute`` applies to."""
    recompute_modules: str = ""
    """Modules that selective recomputation takes and no others, like ``core_attn+moe_act``; empty: the cheap outputs."""
    schedule: str = "1f1b"
    stages: str = ""
    """What each stage or chunk holds: ``3,4,4,3`` layers, or Megatron's ``Et*3|(t*4|)*2t*3L`` (:mod:`tianji.parallel.stages`);
    empty: the layers are dealt out."""
    cp_kind: str = "ring"
    ep_kind: str = "deduplicated"
    """How tokens reach experts: each token crosses to a node once and is copied there (DeepEP, HybridEP), or in an all_to_all
    that carries every copy."""
    weight_gather: str = "hidden"
    """How updated weights reach all ranks under ZeRO-1 and 2: beside the next forward pass (with ``overlap_dp``), before it, or
    before it in one broadcast from each rank."""
    overlap_dp: bool = True
    overlap_tp: bool = True
    """Matmuls are split so that their tensor-parallel communication runs beside them."""
    overlap_pp: bool = True
    overlap_ep: bool = False
    """Expert dispatch and combine run beside the computation of another micro-batch."""
    flash_attention: bool = True
    """Fused attention that never stores the score matrix."""
    offload_optimizer: float = 0.0
    """Fraction of the optimizer's state that lives in host memory."""
    offload_activations: float = 0.0
    """Fraction of the layers whose kept activations (under full recomputation their inputs) wait in host memory."""
    offload_weights: bool = False
    """Under ZeRO-3 the shards of the weights and their gradients live in host memory too; the optimizer is all there."""
    offload_overlap: bool = False
    """Copies of an offloaded optimizer run beside its update."""
    offload_update: str = "host"
    """Who updates offloaded state: the host's processors, or the chip, through which the state is swapped."""
    placement: str = "dp-inside"
    """Which axis lies next to the tensor and context axes: data (pipeline outermost) or pipeline."""

    def __post_init__(self) -> None:
        for name in (*DEGREES, "micro_batch_size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise FormatError(f"strategy.{name}: expected a whole number of at least 1, got {value!r}")
        if isinstance(self.zero, bool) or self.zero not in (0, 1, 2, 3):
            raise FormatError(f"strategy.zero: expected 0, 1, 2 or 3, got {self.zero!r}")
        if isinstance(self.zero_group, bool) or not isinstance(self.zero_group, int) or self.zero_group < 0:
            raise FormatError(f"strategy.zero_group: expected 0 or a number of ranks, got {self.zero_group!r}")
        for name in (*DEGREES, "micro_batch_size", "zero_group"):
            if getattr(self, name) > LARGEST:
                raise FormatError(f"strategy.{name}: {getattr(self, name):,} is absurd; expected at most {LARGEST:,}")
        for name in SHARES:
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 <= value <= 1:
                raise FormatError(f"strategy.{name}: expected a fraction from 0 to 1, got {value!r}")
            object.__setattr__(self, name, float(value))
        if self.recompute_modules != "":
            object.__setattr__(self, "recompute_modules", "+".join(read_modules(self.recompute_modules)))
        if self.recompute_modules and self.recompute != "selective":
            raise FormatError("strategy.recompute_modules: named modules are recomputed under recompute=selective only")
        object.__setattr__(self, "stages", str(read_stages(self.stages)) if self.stages else "")
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise FormatError(f"strategy.{name}: expected on or off, got {getattr(self, name)!r}")
        for name, words in CHOICES.items():
            if getattr(self, name) not in words:
                raise FormatError(f"strategy.{name}: expected one of {', '.join(words)}, got {getattr(self, name)!r}")

    @property
    def chips(self) -> int:
        """Chips that the strategy uses."""
        return self.tp * self.pp * self.cp * self.dp

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, for JSON."""
        return asdict(self)


_TYPES: dict[str, type] = {f.name: type(f.default) for f in fields(Strategy)}
FIELDS = tuple(_TYPES)
SWITCHES = tuple(name for name, kind in _TYPES.items() if kind is bool)
DEALT = "dealt"
"""What ``stages`` may be written as where the layers are dealt out, its default."""
VARIED = (*SWITCHES, "offload_optimizer", "offload_activations")
"""What a search tries on and off when it is asked to."""


def read_modules(text: object) -> tuple[str, ...]:
    """Return the modules that a text names, each once and in one order.

    >>> read_modules("moe_act+core_attn")
    ('core_attn', 'moe_act')

    Raises FormatError for a name that is no module.
    """
    words = set(re.split(r"[+,\s]+", str(text).strip())) - {""}
    for word in sorted(words):
        if word not in MODULES:
            raise FormatError(f"strategy.recompute_modules: expected some of {', '.join(MODULES)}, got {word[:40]!r}")
    return tuple(name for name in MODULES if name in words)


def read_field(name: str, text: object) -> Any:
    """Return the value of a strategy field from text or JSON, checked for its type.

    >>> read_field("tp", "8"), read_field("overlap_dp", "off")
    (8, False)

    Raises FormatError for an unknown field or a value of another type.
    """
    if name not in _TYPES:
        near = get_close_matches(name, FIELDS, n=2, cutoff=0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; known: {', '.join(FIELDS)}"
        raise FormatError(f"unknown strategy field {name!r}{hint}")
    kind, word = _TYPES[name], str(text).strip().lower()
    if name == "stages":
        return str(read_stages(word)) if word not in ("", DEALT) else ""
    if kind is bool:
        if word in ON_OFF:
            return ON_OFF[word]
        raise FormatError(f"strategy.{name}: expected on or off, got {text!r}")
    if kind is str:
        return word
    if name.startswith("offload_") and word in ON_OFF:
        return float(ON_OFF[word])
    try:
        if isinstance(text, bool):
            raise ValueError
        return kind(word)
    except ValueError:
        expected = "a whole number" if kind is int else "a number"
        raise FormatError(f"strategy.{name}: expected {expected}, got {text!r}") from None


def read_strategy(table: Mapping[str, object]) -> Strategy:
    """Return a strategy from a JSON or TOML table.

    Raises FormatError for an unknown key or a value of the wrong type or range.
    """
    return Strategy(**{name: read_field(name, value) for name, value in table.items()})
