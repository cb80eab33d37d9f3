"""A vendor's headline figures, recomputed from the catalog: which of them follow, and which cannot be checked."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.catalog import load_pool
from tianji.formatting import format_percent
from tianji.units import GIGA, PETA, TB

FOLLOWS, MISSES, UNKNOWABLE = "follows", "does not follow", "cannot be checked"
ANNOUNCED_FP8 = 1200 * PETA
"""FLOP/s of an NVL144 as announced in 2025, an alternative of the catalog's figure (vr-nvl72)."""
ACTIVE = 37 * GIGA
"""Active parameters of DeepSeek-V3, for scale: which model was meant is not known."""
ROUNDING = 0.02
"""A headline is rounded: what lies closer than this follows."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One headline: as printed, as computed, and why they agree or not. ``computed`` is None where nothing can be computed."""

    text: str
    claimed: float
    computed: float | None
    verdict: str
    why: str


def recompute_claims() -> tuple[Claim, ...]:
    """Return the claims of HUAWEI CONNECT 2025 for the Atlas 950 SuperPoD (HW-KEY25), each set against the catalog's figures."""
    atlas, rival, older = (load_pool(n) for n in ("atlas-950-superpod", "vr-nvl72", "cloudmatrix384"))
    superpod, nvl72, cloudmatrix = dict(atlas.facts), dict(rival.facts), dict(older.facts)
    dies = 2 * rival.unit
    fp8 = superpod["peak fp8"].value / nvl72["peak fp8"].value
    announced = superpod["peak fp8"].value / ANNOUNCED_FP8
    sold = atlas.unit * atlas.chip.matrix_peak("fp8") / nvl72["peak fp8"].value
    memory = superpod["memory"].value / nvl72["memory"].value
    links = superpod["interconnect, both directions"].value / nvl72["interconnect, both directions"].value
    training = superpod["training, tokens/s"].value
    published = cloudmatrix["DeepSeek-V3 training on 256 chips, tokens/s of one chip"].value
    share = 6 * ACTIVE * training / atlas.unit / atlas.chip.matrix_peak("bf16")
    of_chip, implied = training / atlas.unit, training / 17 / older.unit
    dies_why = f"8,192 chips over 144 dies; over its 72 packages it is {atlas.unit / rival.unit:.0f}"
    fp8_why = (
        "in FP8, against the 1.2 EFLOP/s that were announced in 2025; against the 1.26 of 2026 it is"
        f" {fp8:.2f}, and with the peak of the chip as listed since {sold:.2f}"
    )
    memory_why = (
        f"high-bandwidth memory on both sides; 15 needs {superpod['memory'].value / 15 / TB:.0f} TB on the other side, so the"
        " rival's host memory must be counted and Atlas's own not"
    )
    rate_why = (
        f"the model is not named; {of_chip:,.0f} tokens/s of a chip would be {format_percent(share, 0)} of its BF16 peak for 37 B"
        " active parameters, which is neither absurd nor a measurement"
    )
    times = training / (published * older.unit)
    times_why = (
        f"it implies {implied:,.0f} tokens/s of a 910C, more than the {of_chip:,.0f} of a 950DT; against the {published:,.0f}"
        f" that Huawei's own release prints for DeepSeek-V3 it is {times:.1f} times, if the models were the same"
    )
    return (
        _claim("56.8 times the NPUs of an NVL144", 56.8, atlas.unit / dies, dies_why),
        _claim("6.7 times the compute", 6.7, announced, fp8_why),
        _claim("15 times the memory", 15.0, memory, memory_why),
        _claim(
            "62 times the interconnect", 62.0, links, "sums of all links, both directions: not what a collective gets"
        ),
        Claim("4.91 M training tokens/s", training, None, UNKNOWABLE, rate_why),
        Claim("17 times an Atlas 900 A3 in training", 17.0, times, UNKNOWABLE, times_why),
    )


def _claim(text: str, claimed: float, computed: float, why: str) -> Claim:
    follows = abs(computed / claimed - 1) <= ROUNDING
    return Claim(text, claimed, computed, FOLLOWS if follows else MISSES, why)
