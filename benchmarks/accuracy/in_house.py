"""Makers' own tuned runs, predicted with the profile `in-house` and without any of them in the fit."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.catalog import find_software, load_model, load_pool
from tianji.hardware.calibration import Calibration
from tianji.measurements.rows import Setup
from tianji.parallel.layouts import complete_layout, read_layout
from tianji.units import Seconds
from tianji.validation.pricing import Forecast, forecast
from tianji.workload import Job
from tianji.workload.formats import Formats
from tianji.workload.precision import find_precision

CLOSE = 0.20
"""Error up to which the profile is right."""

_DUAL = "pp=16,ep=64,zero=1,mbs=1,schedule=dualpipe,overlap_ep=on,recompute=selective"
_MEGA = "tp=8,pp=8,vpp=6,zero=1,mbs=1"
_ULTRA = "tp=8,pp=16,vpp=2,ep=32,zero=1,mbs=1,overlap_ep=on,recompute=selective"
RUNS: tuple[tuple[str, str, str, int, str, int, int, str, Seconds, str], ...] = (
    ("DeepSeek-V3", "deepseek-v3", "hgx-h800", 2048, "fp8", 4096, 15360, _DUAL, 19.926, "DeepSeek-V3 report and its profile"),
    ("Llama 3.1 405B", "llama-3.1-405b", "hgx-h100", 16384, "bf16", 8192, 2048, "tp=8,pp=16,vpp=8,zero=1,mbs=1", 6.48,
     "Llama 3 report, table 4: 400 TFLOP/s a chip (41 %), counted as 6N and causal attention; one layer a chunk"),
    ("MegaScale 175B", "gpt3-175b", "hgx-a100", 12288, "bf16", 2048, 6144, _MEGA, 6.34, "MegaScale (NSDI 24), table 2"),
    ("Pangu Ultra 135B", "pangu-ultra-135b", "atlas-900-a2", 8192, "bf16", 4096, 2048, "tp=8,pp=8,vpp=6,zero=1,mbs=1", 4.6,
     "Pangu Ultra report: over 50 % MFU, of 354 TFLOP/s (the bin of the chip is not stated)"),
    ("Pangu Ultra MoE 718B", "pangu-ultra-moe", "atlas-900-a2", 6144, "bf16", 8192, 6144, _ULTRA, 34.6,
     "Pangu Ultra MoE report: 1.46 M tokens/s on 6,000 chips"),
)  # fmt: skip
"""Name, model, pool, chips, precision, sequence, batch, layout, seconds of a step, source."""
FORMATS = {"DeepSeek-V3": Formats(optimizer_dtype="bf16")}
"""What a maker keeps in formats other than the recipe's (DeepSeek-V3 report, 3.3.3: both moments of AdamW in bf16)."""


@dataclass(frozen=True, slots=True)
class InHouse:
    """One such run: measured beside predicted."""

    name: str
    pool: str
    chips: int
    source: str
    measured: Seconds
    forecast: Forecast

    @property
    def error(self) -> float:
        """Predicted over measured, less 1."""
        return (self.forecast.step_time or float("nan")) / self.measured - 1.0

    @property
    def is_covered(self) -> bool:
        """It lies in its 80 % range."""
        low, high = self.forecast.low or 0.0, self.forecast.high or 0.0
        return low <= self.measured <= high


def predict_in_house(calibration: Calibration | None = None) -> list[InHouse]:
    """Return all of them."""
    setups = []
    for name, model, pool_name, chips, precision, seq_len, batch, layout, _, _ in RUNS:
        pool = load_pool(pool_name).with_chips(chips)
        software, _ = find_software("in-house", ecosystem=pool.chip.ecosystem)
        formats = FORMATS.get(name, Formats()).apply(find_precision(precision))
        job = Job(load_model(model), seq_len, batch, formats)
        setups.append(Setup(job, pool, complete_layout(read_layout(layout), chips), software))
    found = forecast(setups, calibration)
    return [
        InHouse(name, pool, chips, source, measured, one)
        for (name, _, pool, chips, *_, measured, source), one in zip(RUNS, found, strict=True)
    ]
