"""Tokens depend on the step and the place in the batch, never on the cut."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tianji.backends.trainer.tokens import Corpus
from tianji.errors import FormatError


def test_the_default_is_a_text_by_bytes() -> None:
    found = Corpus(None, seq_len=8, vocab_size=256).sequences(0, 0, 1, 1)
    assert bytes(found[0].tolist()) == b"Tian Ji a"


@pytest.mark.parametrize(("ending", "dtype"), [(".u16", np.uint16), (".u32", np.uint32), (".txt", np.uint8)])
def test_a_file_of_token_numbers_is_mapped(tmp_path: Path, ending: str, dtype: type) -> None:
    path = tmp_path / f"tokens{ending}"
    np.arange(100, dtype=dtype).tofile(path)
    found = Corpus(path, seq_len=4, vocab_size=1000).sequences(1, 1, 2, 3)
    assert found.tolist() == [[16, 17, 18, 19, 20], [20, 21, 22, 23, 24]]  # sequences 4 and 5 of all


def test_replicas_see_what_one_process_sees() -> None:
    corpus = Corpus(None, seq_len=16, vocab_size=256)
    whole = corpus.sequences(2, 0, 8, 8)
    assert torch.equal(torch.cat([corpus.sequences(2, first, 2, 8) for first in (0, 2, 4, 6)]), whole)


def test_past_the_end_it_begins_again_and_numbers_stay_in_the_vocabulary(tmp_path: Path) -> None:
    path = tmp_path / "few.u16"
    np.asarray([1, 2, 300], dtype=np.uint16).tofile(path)
    assert Corpus(path, seq_len=4, vocab_size=256).sequences(0, 0, 1, 1).tolist() == [[1, 2, 44, 1, 2]]


@pytest.mark.parametrize("content", [b"", b"x"])
def test_a_file_without_two_tokens_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "empty.txt"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"empty\.txt"):
        Corpus(path, 8, 256)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read as tokens"):
        Corpus(tmp_path / "nothing.txt", 8, 256)
