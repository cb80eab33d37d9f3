"""The first weights: drawn by the torch trainer, whole, and carried over in a file of plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tianji.errors import RunError
from tianji.workload import Model

WEIGHTS = "weights.npz"
"""The file of the first weights, in the folder of a run."""

Weights = Mapping[str, NDArray[np.float32]]
"""By their names in the torch trainer's model; matrices are (out, in)."""


def draw_carried(model: Model, seed: int) -> dict[str, NDArray[np.float32]]:
    """Return the weights that the torch trainer begins with, by name."""
    import torch

    from tianji.backends.trainer.context_parallel import attend_whole
    from tianji.backends.trainer.transformer import Transformer, draw_weights

    layers = range(model.num_layers)
    whole = Transformer(model, layers, torch.arange(1), attend_whole, embed=True, predict=True)
    draw_weights(whole, seed)
    if model.tied_embeddings and whole.head is not None and whole.embedding is not None:
        whole.head.weight = whole.embedding.weight
    return {name: weight.detach().numpy() for name, weight in whole.named_parameters()}


def write_carried(weights: Weights, path: Path) -> None:
    """Write weights as npz.

    Raises RunError when the file cannot be written.
    """
    try:
        arrays: dict[str, Any] = dict(weights)
        np.savez(path, **arrays)
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror}); free some space and run again") from None


def open_carried(path: Path) -> Weights:
    """Return the weights of a file, each read when it is asked for."""
    weights: Weights = np.load(path)
    return weights
