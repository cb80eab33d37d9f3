"""FLOPs are conserved under any cut, and a dense model's step is 6 N tokens plus attention."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tianji
from samples import DENSE, SPARSE, flat, job
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.parallel.legality import refusals
from tianji.perf.step import estimate
from tianji.units import TERA
from tianji.workload import Model
from tianji.workload.layers import step_flops

FREE = Constants(memory_efficiency=1e9, scale_up_efficiency=1e9, scale_out_efficiency=1e9)
DEGREE = st.sampled_from([1, 2, 4, 8])


@given(DEGREE, DEGREE, DEGREE, DEGREE, st.sampled_from([1, 2, 4]), st.sampled_from([DENSE, SPARSE]), st.integers(0, 3))
def test_conserved_under_any_cut(tp: int, cp: int, dp: int, ep: int, etp: int, model: Model, zero: int) -> None:
    """Chip-seconds of matrix work, at the peak and with nothing else in the way, are those of one chip."""
    strategy = Strategy(tp=tp, cp=cp, dp=dp, ep=ep, etp=etp, zero=zero)
    one = estimate(job(model), flat(1), FREE, Grid.of(Strategy()))
    assume(not refusals(strategy, job(model), flat(512)))
    many = estimate(job(model), flat(strategy.chips), FREE, Grid.of(strategy))
    for kind in ("matmul", "attention"):
        assert np.ravel(many.terms[kind])[0] * strategy.chips == pytest.approx(np.ravel(one.terms[kind])[0], rel=1e-6)


@given(st.sampled_from([2, 4, 8]), st.sampled_from(["1f1b", "gpipe", "zero-bubble"]))
def test_equal_stages_share_the_matmuls(pp: int, schedule: str) -> None:
    headless = replace(DENSE, vocab_size=1)
    one = estimate(job(headless), flat(1), FREE, Grid.of(Strategy()))
    many = estimate(job(headless), flat(pp), FREE, Grid.of(Strategy(pp=pp, schedule=schedule)))
    assert np.ravel(many.terms["matmul"])[0] * pp == pytest.approx(np.ravel(one.terms["matmul"])[0], rel=1e-3)


@pytest.mark.parametrize("name", ["llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b", "gpt3-175b", "qwen3-8b"])
def test_a_dense_step_is_six_n_tokens_plus_attention(name: str) -> None:
    model = tianji.load_model(name)
    tokens, seq_len = 4096.0 * 1000, 4096
    tables = model.embedding_parameters()
    vectors = model.num_layers * model.norm_parameters() + model.norm_parameters() / model.num_norms
    shared = model.vocab_size * model.hidden_size if model.tied_embeddings else 0
    biases = model.num_parameters - tables - vectors - matmul_weights(model) + shared
    assert 0 <= biases / model.num_parameters < 1e-4, "all other parameters are matmul weights"
    attention = 3 * model.num_layers * 2 * (seq_len / 2) * model.num_attention_heads * 2 * model.head_dim
    expected = (6 * matmul_weights(model) + attention) * tokens
    assert step_flops(model, seq_len, tokens) == pytest.approx(expected, rel=1e-12)


def matmul_weights(model: Model) -> int:
    h, heads = model.hidden_size, model.head_dim * model.num_attention_heads
    keys = 2 * model.head_dim * model.num_key_value_heads
    mlp = (3 if model.gated_mlp else 2) * h * model.intermediate_size
    return int(model.num_layers * (h * (heads + keys) + heads * h + mlp) + model.vocab_size * h)


def test_the_published_step_of_gpt3() -> None:
    """Narayanan 2021, eq. 3: 96 B s l h² (1 + s/6h + V/16lh) counts full attention and recomputation, 4 passes in place of 3."""
    model = tianji.load_model("gpt3-175b")
    b, s, layers, h, v = 1536, 2048, model.num_layers, model.hidden_size, model.vocab_size
    paper = 96 * b * s * layers * h**2 * (1 + s / (6 * h) + v / (16 * layers * h))
    full = step_flops(model, s, b * s, causal=False)
    head = 6 * h * v * b * s
    assert (full - head) * 4 / 3 + head == pytest.approx(paper, rel=2e-3)


def test_experts_count_for_the_tokens_they_get() -> None:
    idle = replace(SPARSE, moe=replace(SPARSE.moe, num_experts=16))
    router = 3 * 2 * 512 * 8 * idle.num_moe_layers
    assert step_flops(idle, 1024, 1.0) - step_flops(SPARSE, 1024, 1.0) == pytest.approx(router)


def test_no_plan_is_above_the_peak() -> None:
    found = estimate(job(), flat(8), FREE, Grid.of(Strategy(dp=8), Strategy(tp=8), Strategy(pp=8)))
    mfu = step_flops(DENSE, 1024, 64 * 1024) / (found.step_time * 8 * 100 * TERA)
    assert np.all(mfu <= 1)
