"""What a ``config.json`` says beside the shape: the norm's epsilon and the rotary rates, without which weights mean nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tianji.backends.first_weights import EPSILON, ROTARY_BASE
from tianji.errors import FormatError, UnsupportedModelError
from tianji.workload import Model

FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
"""Dense families whose mathematics both executors have, to the last detail: their logits are those of Hugging Face's classes."""
_ROPES = ("default", "linear", "llama3")


def read_settings(config: Mapping[str, object], model: Model) -> tuple[float, NDArray[np.float32]]:
    """Return the norm's epsilon, and the radians that each pair of a head turns by a position, (head_dim / 2,).

    Raises UnsupportedModelError for a family or a setting that the executors do not have.
    """
    if model.family not in FAMILIES:
        raise UnsupportedModelError(
            f"{model.name}: a twin needs a dense model of {', '.join(FAMILIES)}, whose mathematics both executors have;"
            f" got {model.family}"
        )
    if (act := config.get("hidden_act", "silu")) != "silu":
        raise UnsupportedModelError(f"{model.name}: hidden_act {str(act)[:40]!r}; the executors have silu")
    if (part := config.get("partial_rotary_factor", 1)) != 1:
        raise UnsupportedModelError(
            f"{model.name}: partial_rotary_factor {str(part)[:40]}; the executors turn whole heads"
        )
    epsilon = _number(config, "rms_norm_eps", EPSILON)
    return epsilon, _rotary_rates(config, model)


def _rotary_rates(config: Mapping[str, object], model: Model) -> NDArray[np.float32]:
    """Return base^(-i / half), stretched as the file says.

    ``linear`` divides all by a factor; ``llama3`` leaves wavelengths below ``original / high_freq_factor``, divides those above
    ``original / low_freq_factor``, and goes from one to the other between (Llama 3.1).
    """
    stated = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(stated, Mapping):
        raise FormatError(f"{model.name}: rope_scaling is no table")
    base = _number(stated if "rope_theta" in stated else config, "rope_theta", ROTARY_BASE)
    half = model.head_dim // 2
    rates = base ** (-np.arange(half, dtype=np.float64) / half)
    kind = str(stated.get("rope_type") or stated.get("type") or "default")
    if kind not in _ROPES:
        raise UnsupportedModelError(
            f"{model.name}: rotary positions of kind {kind[:40]!r}; a twin has {', '.join(_ROPES)}"
        )
    if kind == "linear":
        rates = rates / _number(stated, "factor", 1.0)
    elif kind == "llama3":
        factor, low = _number(stated, "factor", 8.0), _number(stated, "low_freq_factor", 1.0)
        high, original = (
            _number(stated, "high_freq_factor", 4.0),
            _number(stated, "original_max_position_embeddings", 8192),
        )
        turns = original * rates / (2 * math.pi)
        smooth = np.clip((turns - low) / max(high - low, 1e-9), 0.0, 1.0)
        rates = (1 - smooth) * rates / factor + smooth * rates
    return rates.astype(np.float32)


def _number(table: Mapping[str, object], key: str, usual: float) -> float:
    value = table.get(key, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise FormatError(f"{key}: expected a positive number, got {str(value)[:40]}")
    return float(value)
