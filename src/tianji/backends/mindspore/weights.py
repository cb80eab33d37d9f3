"""The first weights: drawn by the torch trainer, whole; a file of plain arrays carries them over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tianji.workload import Model

WEIGHTS = "weights.npz"
"""The file of the first weights, in the folder of a run."""


def draw_carried(model: Model, seed: int) -> dict[str, NDArray[np.float32]]:
    """Return the weights that the torch trainer begins with, by name."""
    import torch

    from tianji.backends.trainer.context_parallel import UNCUT
    from tianji.backends.trainer.transformer import Transformer, draw_weights

    layers = range(model.num_layers)
    whole = Transformer(model, layers, torch.arange(1), UNCUT, embed=True, predict=True)
    draw_weights(whole, seed)
    if model.tied_embeddings and whole.head is not None and whole.embedding is not None:
        whole.head.weight = whole.embedding.weight
    return {name: weight.detach().numpy() for name, weight in whole.named_parameters()}
