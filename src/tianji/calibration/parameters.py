"""What a calibration may set, and what is believed before any whole run is seen.

Every constant is positive and is fitted as its logarithm. A prior is a median and a relative spread; the medians come from
published micro-benchmarks (best matmul shapes over the dense peak, bus bandwidth of collectives over the link's), the spreads
say how far a whole run may differ from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tianji.hardware import Chip
from tianji.hardware.calibration import REGRESSION
from tianji.hardware.constants import BEST_ATTENTION, CONSTANTS, FUSED_LOSS, Constants


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of one constant: its median, its spread (one standard deviation of the logarithm), its evidence."""

    median: float
    spread: float
    source: str
    ceiling: float = float("inf")

    @property
    def is_published(self) -> bool:
        """A micro-benchmark was published for it; the others are broad beliefs, or counted and sure."""
        return self.source != _SOURCE_GUESS and self.spread > 0.0


FREE = tuple(name for name, constant in CONSTANTS.items() if constant.is_fitted)
"""Constants that whole runs may move, in the order in which rows are spent on them. The others keep their prior median."""

UNFUSED_LOSS = 52.0
"""Bytes that Megatron-LM's vocabulary-parallel cross entropy moves for each logit: its fp32 copy (6), the largest (4), less the
largest (8), powers (8), their sum (4), shares (8), and back the shares less the target (8) and their copy in bf16 (6)."""

MAX_FREE = 8
"""Free constants of one chip at most."""

ROWS_FOR_EACH = 3
"""A chip gets one free constant for so many rows (counting distinct jobs); the rest stay at their priors."""

TRAIT_SPREAD = {"family": 0.10, "release": 0.05, "recipe": 0.03, "port": 0.08}
"""Relative spread of a trait's effect on time around the mean of all software, by kind of trait."""

REGRESSION_SPREAD = 0.5
"""Of what the publisher of a run calls a known regression: it may cost anything."""

SPECIFIC = {
    "attention_efficiency": (0.5, ()),
    "op_overhead": (0.5, ()),
    "moe_overhead": (
        0.5,
        (
            "launch=partial_graph",
            "launch=full_graph",
            "dispatcher=hybrid_ep",
            "dispatcher=deep_ep",
            "routing=dropped",
        ),
    ),
    "narrow_efficiency": (0.3, ("scaling=row",)),
    "step_overhead": (0.5, ()),
}
"""Constants that software changes by itself: the spread of an effect, and the traits that have one (empty: frameworks)."""


def choose_effects(traits: Iterable[Sequence[str]]) -> dict[tuple[str, str], float]:
    """Return the effects that a fit looks for, (trait, constant), with their spreads; the first trait is the framework."""
    effects: dict[tuple[str, str], float] = {}
    for stated in traits:
        for trait in stated:
            kind = (
                "recipe" if "/" in trait else "port" if "@" in trait else "family" if trait == stated[0] else "release"
            )
            effects[(trait, "software")] = REGRESSION_SPREAD if trait == REGRESSION else TRAIT_SPREAD[kind]
        for constant, (spread, owners) in SPECIFIC.items():
            for trait in (t for t in stated if t in owners) if owners else stated[:1]:
                effects[(trait, constant)] = spread
    return dict(sorted(effects.items()))


_MATMUL = {
    "a100-80": 0.87,
    "a100-40": 0.87,
    "h100-sxm": 0.80,
    "b200": 0.78,
    "b300": 0.79,
    "gb200": 0.73,
    "mi300x": 0.51,
}
_MATMUL |= {"mi325x": 0.60, "mi355x": 0.68}
_NARROW = {"h100-sxm": 0.71, "h200": 0.73, "b200": 0.76, "gb200": 0.72}
_SCALE_UP = {"a100-80": 0.58, "a100-40": 0.58, "h100-sxm": 0.66, "h200": 0.66, "b200": 0.60, "b300": 0.60}
_SCALE_UP |= {"gb200": 0.56, "gb300": 0.56}
_SOURCE_MATMUL = "best measured matmul shape over dense peak (Bekman, Machine Learning Engineering, 2026)"
_SOURCE_LINK = "measured bus bandwidth of all_gather and reduce_scatter over the link's (AIConfigurator tables, 2026)"
_SOURCE_HCCL = "efficiency that Huawei's own modelling tool assumes (MindStudio, 2026)"
_SOURCE_GUESS = "broad prior"

_BROAD: dict[str, Prior] = {
    "matmul_efficiency": Prior(0.70, 0.20, _SOURCE_GUESS, 0.95),
    "narrow_efficiency": Prior(0.65, 0.25, _SOURCE_GUESS, 0.95),
    "matmul_half_size": Prior(600.0, 0.6, _SOURCE_GUESS),
    "attention_efficiency": Prior(0.45, 0.40, _SOURCE_GUESS, BEST_ATTENTION),
    "attention_half_length": Prior(300.0, 0.5, _SOURCE_GUESS),
    "memory_efficiency": Prior(0.70, 0.30, _SOURCE_GUESS, 0.95),
    "loss_size": Prior(FUSED_LOSS, 0.0, "passes of a fused cross entropy, counted"),
    "scale_up_efficiency": Prior(0.60, 0.25, _SOURCE_GUESS, 0.95),
    "scale_out_efficiency": Prior(
        0.73, 0.25, "share of the network card's rate reached at 1 GiB on four B200 nodes", 0.95
    ),
    "scale_up_latency": Prior(
        3e-6, 1.0, "small-message time over steps of an 8-chip collective (AIConfigurator tables)"
    ),
    "scale_out_latency": Prior(1e-5, 0.7, "small-message time of a collective over several nodes"),
    "overlap_efficiency": Prior(0.80, 0.20, _SOURCE_GUESS, 0.98),
    "op_overhead": Prior(4e-5, 1.0, "several kernels an op at 5 to 10 us a launch"),
    "moe_overhead": Prior(2e-3, 0.7, "hundreds of launches and one wait for the counts of tokens"),
    "straggle": Prior(
        0.012, 0.3, "one job on 128, 256 and 512 GB200 loses 1 % a doubling (NVIDIA dgxc-benchmarking v25.05)"
    ),
    "step_overhead": Prior(0.02, 1.0, _SOURCE_GUESS),
}


def priors(chip: Chip | None = None) -> dict[str, Prior]:
    """Return what is believed of a chip's constants (None: of any chip's) before any whole run."""
    known = dict(_BROAD)
    if chip is None:
        return known
    if chip.name in _MATMUL:
        known["matmul_efficiency"] = Prior(_MATMUL[chip.name], 0.12, _SOURCE_MATMUL, 0.95)
    if chip.name in _NARROW:
        known["narrow_efficiency"] = Prior(_NARROW[chip.name], 0.15, _SOURCE_MATMUL, 0.95)
    if chip.name in _SCALE_UP:
        known["scale_up_efficiency"] = Prior(_SCALE_UP[chip.name], 0.20, _SOURCE_LINK, 0.95)
    if chip.ecosystem == "cann":
        known["matmul_efficiency"] = Prior(0.75, 0.15, _SOURCE_HCCL, 0.95)
        known["memory_efficiency"] = Prior(0.60, 0.30, _SOURCE_HCCL, 0.95)
        known["scale_up_efficiency"] = Prior(0.70, 0.20, _SOURCE_HCCL, 0.95)
        known["scale_out_efficiency"] = Prior(0.70, 0.25, _SOURCE_HCCL, 0.95)
        known["loss_size"] = Prior(
            UNFUSED_LOSS,
            0.0,
            "passes of Megatron-LM's own cross entropy, counted; the scripts of MindSpeed-LLM ask for no fused one",
        )
    return known


def prior_constants(chip: Chip | None = None) -> Constants:
    """Return the constants that are believed of a chip (None: of any) before any whole run."""
    return replace(Constants(), **{name: prior.median for name, prior in priors(chip).items()})
