"""First weights that come from a file, with the two settings under which they mean what they meant: a plain archive of arrays.

The file is an npz. Its arrays have the trainer's names and shapes, matrices as (out, in), and fp32; ``settings.norm_epsilon``
and ``settings.rotary_rates`` stand beside them. Nothing of it is executed.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tianji.errors import FormatError, RunError
from tianji.workload import Model

EPSILON = 1e-6
ROTARY_BASE = 10_000.0
EPSILON_KEY, RATES_KEY = "settings.norm_epsilon", "settings.rotary_rates"

Arrays = Mapping[str, NDArray[np.float32]]
"""By their names in the torch trainer's model; matrices are (out, in)."""


@dataclass(frozen=True, slots=True)
class FirstWeights:
    """Weights of a dense model by the trainer's names, each read when it is asked for, and what they were trained under."""

    arrays: Arrays
    norm_epsilon: float = EPSILON
    rotary_rates: NDArray[np.float32] | None = None
    """Radians that each pair of a head turns by a position, (head_dim / 2,); None: those of base 10,000."""


def weight_shapes(model: Model) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a dense model's weights, as the trainer has them."""
    h, d, width = model.hidden_size, model.head_dim, model.intermediate_size
    queries, pairs = model.num_attention_heads * d, model.num_key_value_heads * d
    layer: dict[str, tuple[int, ...]] = {"attention_norm.weight": (h,), "mlp_norm.weight": (h,)}
    for name, rows, columns, has_bias in (
        ("attention.wq", queries, h, model.qkv_bias),
        ("attention.wk", pairs, h, model.qkv_bias),
        ("attention.wv", pairs, h, model.qkv_bias),
        ("attention.wo", h, queries, model.output_bias),
        *((("mlp.gate", width, h, model.mlp_bias),) if model.gated_mlp else ()),
        ("mlp.up", width, h, model.mlp_bias),
        ("mlp.down", h, width, model.mlp_bias),
    ):
        layer[f"{name}.weight"] = (rows, columns)
        if has_bias:
            layer[f"{name}.bias"] = (rows,)
    if model.qk_norm:
        layer |= {"attention.q_norm.weight": (d,), "attention.k_norm.weight": (d,)}
    shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (model.vocab_size, h), "norm.weight": (h,)}
    if not model.tied_embeddings:
        shapes["head.weight"] = (model.vocab_size, h)
    shapes |= {f"layers.{i}.{name}": shape for i in range(model.num_layers) for name, shape in layer.items()}
    return shapes


def write_first_weights(first: FirstWeights, path: Path) -> None:
    """Write weights with their settings.

    Raises RunError when the file cannot be written.
    """
    arrays: dict[str, Any] = dict(first.arrays) | {EPSILON_KEY: np.float64(first.norm_epsilon)}
    if first.rotary_rates is not None:
        arrays[RATES_KEY] = first.rotary_rates
    try:
        np.savez(path, **arrays)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror}); free some space and run again") from None


def open_first_weights(path: Path) -> FirstWeights:
    """Return the weights of a file, each read when it is asked for.

    Raises FormatError for what is no such file.
    """
    try:
        if not zipfile.is_zipfile(path):
            path.stat()
            raise ValueError("no zip")
        archive = np.load(path)  # Without pickles: arrays only.
        names = set(archive.files)
        epsilon = float(archive[EPSILON_KEY]) if EPSILON_KEY in names else EPSILON
        rates = archive[RATES_KEY].astype(np.float32) if RATES_KEY in names else None
    except OSError as error:
        reason = error.strerror or "no archive of arrays"
        raise FormatError(f"{path}: cannot be read ({reason}); expected the weights.npz of a twin") from None
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        text = f"{path}: is no archive of arrays ({error}); expected the weights.npz of a twin"
        raise FormatError(text) from None
    return FirstWeights(archive, epsilon, rates)


def check_first_weights(first: FirstWeights, model: Model, where: str) -> None:
    """Raise FormatError unless a file has every weight of a model in its shape; reads no more than the shapes.

    >>> check_first_weights(FirstWeights({}), Model("m", "llama", 8, 1, 2, 2, 4, 16, 10), "weights.npz")
    Traceback (most recent call last):
    tianji.errors.FormatError: weights.npz: has no embedding.weight (10, 8), which m needs
    """
    for name, shape in weight_shapes(model).items():
        if name not in first.arrays:
            raise FormatError(f"{where}: has no {name} {shape}, which {model.name} needs")
        stored = first.arrays[name].shape
        if stored != shape:
            raise FormatError(f"{where}: {name} has the shape {stored}; expected {shape} for {model.name}")
    rates = first.rotary_rates
    if rates is not None and rates.shape != (model.head_dim // 2,):
        raise FormatError(f"{where}: {RATES_KEY} has the shape {rates.shape}; expected ({model.head_dim // 2},)")
