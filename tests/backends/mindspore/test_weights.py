"""The first weights cross over whole: drawn by the torch trainer, written, and cut for each tensor rank."""

from pathlib import Path

import numpy as np
import pytest

from tianji.backends.first_weights import (
    FirstWeights,
    check_first_weights,
    open_first_weights,
    weight_shapes,
    write_first_weights,
)
from tianji.backends.mindspore.tensor_parallel import axis_of, cut_weight
from tianji.backends.mindspore.weights import draw_carried
from tianji.errors import FormatError, RunError

from ..samples import model_of


@pytest.mark.parametrize("name", ["llama", "qwen", "tied"])
def test_weights_are_those_of_the_torch_trainer_and_come_back_from_the_file(name: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from tianji.backends.trainer.context_parallel import UNCUT
    from tianji.backends.trainer.transformer import Transformer, draw_weights

    model = model_of(name)
    drawn = draw_carried(model, seed=3)
    assert {key: array.shape for key, array in drawn.items()} == weight_shapes(model)
    write_first_weights(FirstWeights(drawn, 1e-5, np.ones(4, np.float32)), tmp_path / "weights.npz")
    first = open_first_weights(tmp_path / "weights.npz")
    check_first_weights(first, model, "weights.npz")
    assert first.norm_epsilon == 1e-5
    assert first.rotary_rates is not None
    read = {key: first.arrays[key] for key in drawn}
    whole = Transformer(model, range(model.num_layers), torch.arange(1), UNCUT, embed=True, predict=True)
    draw_weights(whole, 3)
    names = {key for key, _ in whole.named_parameters()}
    assert set(drawn) <= names
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
        write_first_weights(FirstWeights({"a": np.zeros(1, np.float32)}), tmp_path / "none" / "weights.npz")


@pytest.mark.parametrize("raw", [b"", b"no archive", b"PK\x03\x04broken", b"\x93NUMPY\x01\x00v\x00"])
def test_what_is_no_file_of_weights_is_refused(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    path.write_bytes(raw)
    with pytest.raises(FormatError, match=r"expected the weights\.npz of a twin"):
        open_first_weights(path)


def test_weights_of_another_model_are_refused() -> None:
    model = model_of("llama")
    arrays = {name: np.zeros(shape, np.float32) for name, shape in weight_shapes(model).items()}
    check_first_weights(FirstWeights(arrays), model, "w")
    with pytest.raises(FormatError, match=r"expected \(4,\)"):
        check_first_weights(FirstWeights(arrays, 1e-6, np.ones(3, np.float32)), model, "w")
    arrays["norm.weight"] = np.zeros(1, np.float32)
    with pytest.raises(FormatError, match=r"norm\.weight has the shape"):
        check_first_weights(FirstWeights(arrays), model, "w")
