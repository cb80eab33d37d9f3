"""What a user leaves out of a job is filled in and told."""

import pytest

from samples import DENSE, SPARSE
from tianji.catalog import make_job
from tianji.errors import FormatError, TianjiError


def test_what_is_given_is_taken_and_nothing_assumed() -> None:
    found = make_job(DENSE, 8192, 256, "15T")
    assert (found.seq_len, found.global_batch_size, found.tokens, found.assumed) == (8192, 256, 15e12, ())


def test_a_published_run_fills_in() -> None:
    found = make_job("llama-3.1-8b")
    assert len(found.assumed) == 2
    assert all("as in the published run" in said for said in found.assumed)


def test_another_length_keeps_the_tokens_of_the_published_step() -> None:
    usual = make_job("llama-3.1-8b")
    half = make_job("llama-3.1-8b", seq_len=usual.seq_len // 2)
    assert half.tokens_per_step == usual.tokens_per_step
    assert any("the tokens of a step as in" in said for said in half.assumed)


def test_an_unknown_model_takes_about_four_million_tokens_a_step() -> None:
    found = make_job(DENSE)
    assert (found.seq_len, found.global_batch_size) == (4096, 1024)
    assert "no published run" in found.assumed[0]


@pytest.mark.parametrize(("chips", "batch"), [(8192, 1024), (384, 768), (65_536, 4096)])
def test_the_usual_batch_leaves_work_for_all_chips(chips: int, batch: int) -> None:
    """384 = 3 · 128: three times a power of two nearest to 1,024; 65,536 chips take a sequence for each 16."""
    assert make_job(DENSE, chips=chips).global_batch_size == batch


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"seq_len": 10**9}, "seq_len: 1000000000 is absurd"),
        ({"global_batch_size": 10**9}, "global_batch_size"),
        ({"tokens": 0}, "tokens: expected a count"),
        ({"moe_imbalance": 0.5}, "moe_imbalance: expected a ratio from 1"),
        ({"moe_imbalance": 9.0}, "all tokens to one of the 8 experts"),
    ],
)
def test_absurd_sizes_are_refused(fields: dict[str, float], said: str) -> None:
    with pytest.raises(FormatError, match=said):
        make_job(SPARSE, **fields)  # type: ignore[arg-type]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(TianjiError, match=r"llama-3\.1-8b"):
        make_job("llama-3.1-8c")


def test_learned_positions_limit_the_sequence() -> None:
    with pytest.raises(FormatError, match="a table of 2,048 positions"):
        make_job("gpt3-175b", seq_len=4096)
