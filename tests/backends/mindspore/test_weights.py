"""The first weights cross over whole: drawn by the torch trainer, written, and cut for each tensor rank."""

from pathlib import Path

import numpy as np
import pytest

from tianji.backends.mindspore.tensor_parallel import axis_of, cut_weight
from tianji.backends.mindspore.weights import draw_carried, open_carried, write_carried
from tianji.errors import RunError

from ..samples import model_of


@pytest.mark.parametrize("name", ["llama", "qwen", "tied"])
def test_weights_are_those_of_the_torch_trainer_and_come_back_from_the_file(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from tianji.backends.trainer.context_parallel import attend_whole
    from tianji.backends.trainer.transformer import Transformer, draw_weights

    model = model_of(name)
    drawn = draw_carried(model, seed=3)
    write_carried(drawn, tmp_path / "weights.npz")
    read = open_carried(tmp_path / "weights.npz")
    whole = Transformer(model, range(model.num_layers), torch.arange(1), attend_whole, embed=True, predict=True)
    draw_weights(whole, 3)
    names = {key for key, _ in whole.named_parameters()}
    assert set(read) == set(drawn) <= names
    assert ("head.weight" in drawn) is not model.tied_embeddings
    for key, weight in whole.named_parameters():
        if key in drawn:
            assert np.array_equal(read[key], weight.detach().numpy())
            assert read[key].dtype == np.float32


@pytest.mark.parametrize("size", [1, 2, 4, 8])
@pytest.mark.parametrize("name", ["llama", "qwen", "tied"])
def test_the_parts_of_the_tensor_ranks_are_the_whole(name: str, size: int) -> None:
    pytest.importorskip("torch")
    model = model_of(name)
    for key, whole in draw_carried(model, seed=0).items():
        parts = [cut_weight(key, whole, rank, size, model.num_key_value_heads) for rank in range(size)]
        axis = axis_of(key, size, model.num_key_value_heads)
        assert np.array_equal(parts[0] if axis is None else np.concatenate(parts, axis), whole), key
        assert axis is not None or all(np.array_equal(part, whole) for part in parts)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written"):
        write_carried({"a": np.zeros(1, np.float32)}, tmp_path / "none" / "weights.npz")
