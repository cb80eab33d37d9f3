"""Parameter counts of tiny models, each worked out by hand in the comment beside it."""

from dataclasses import replace

import pytest

from tianji.workload import MLA, Model, MoE

TINY = Model(
    name="tiny",
    family="llama",
    hidden_size=8,
    num_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=4,
    intermediate_size=16,
    vocab_size=10,
)
LATENT = MLA(q_lora_rank=4, kv_lora_rank=6, qk_nope_head_dim=3, qk_rope_head_dim=2, v_head_dim=5)
EXPERTS = MoE(num_experts=4, top_k=2, intermediate_size=5, shared_intermediate_size=6, num_leading_dense=1)


def test_dense_layer() -> None:
    # q 8x8, k and v 8x4 each, o 8x8; gate, up and down of 8x16; two norms of 8
    assert TINY.attention_parameters() == 64 + 32 + 32 + 64
    assert TINY.mlp_parameters(16) == 3 * 128
    assert TINY.dense_layer_parameters() == 192 + 384 + 16


def test_whole_dense_model() -> None:
    # table 80, two layers of 592, final norm 8, head 80
    assert TINY.num_parameters == 80 + 2 * 592 + 8 + 80
    assert TINY.num_active_parameters == TINY.num_parameters


def test_tied_embeddings_save_one_table() -> None:
    assert TINY.num_parameters - replace(TINY, tied_embeddings=True).num_parameters == 80


def test_plain_mlp_has_two_matrices() -> None:
    assert replace(TINY, gated_mlp=False).mlp_parameters(16) == 2 * 128


def test_head_dim_is_free_of_hidden_size() -> None:
    # q 8x12, k and v 8x6 each, o 12x8
    assert replace(TINY, head_dim=6).attention_parameters() == 96 + 48 + 48 + 96


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({"qkv_bias": True}, 2 * (8 + 4 + 4)),
        ({"output_bias": True}, 2 * 8),
        ({"mlp_bias": True}, 2 * (16 + 16 + 8)),
        ({"norm_bias": True}, 2 * 16 + 8),
        ({"qk_norm": True}, 2 * (4 + 4)),
        ({"num_norms": 4}, 2 * 16),
        ({"attention_sinks": True}, 2 * 2),
        ({"embedding_norm": True}, 16),
        ({"learned_positions": 7}, 7 * 8),
        ({"sliding_window": 4, "num_sliding_layers": 1}, 0),
        ({"num_mtp_layers": 1}, 0),
    ],
)
def test_each_detail_adds_its_own(change: dict[str, int], more: int) -> None:
    assert replace(TINY, **change).num_parameters - TINY.num_parameters == more


def test_latent_attention() -> None:
    model = replace(TINY, mla=LATENT)
    # query down 8x4 with a norm of 4, up to 2 heads of 3 + 2; latent 8x(6 + 2) with a norm of 6; up to 2 heads of 3 + 5
    assert model.attention_parameters() == (32 + 4 + 40) + (64 + 6) + 6 * 2 * 8 + 2 * 5 * 8
    assert (model.query_size, model.value_size, model.key_value_size) == (10, 10, 20)


def test_latent_attention_with_a_full_query() -> None:
    model = replace(TINY, mla=replace(LATENT, q_lora_rank=0))
    assert model.attention_parameters() == 8 * 10 + (64 + 6) + 96 + 80


def test_mixture_of_experts() -> None:
    model = replace(TINY, moe=EXPERTS)
    expert, shared, router = 3 * 8 * 5, 3 * 8 * 6, 8 * 4
    assert (model.num_dense_layers, model.num_moe_layers) == (1, 1)
    assert model.moe_layer_parameters() == 192 + 16 + router + shared + 4 * expert
    assert model.num_parameters == TINY.num_parameters - 384 + router + shared + 4 * expert
    assert model.num_parameters - model.num_active_parameters == 2 * expert


def test_gate_and_bias_of_the_router() -> None:
    plain, full = (
        replace(TINY, moe=EXPERTS),
        replace(TINY, moe=replace(EXPERTS, shared_expert_gate=True, router_bias=True)),
    )
    assert full.num_parameters - plain.num_parameters == 8 + 4


def test_every_second_layer_has_experts() -> None:
    moe = replace(EXPERTS, num_leading_dense=0, layer_step=2)
    model = replace(TINY, num_layers=6, moe=moe)
    assert (model.num_dense_layers, model.num_moe_layers) == (3, 3)


def test_multi_token_prediction_stands_beside_the_model() -> None:
    model = replace(TINY, moe=EXPERTS, num_mtp_layers=2)
    # a projection of 16 to 8, norms of its two inputs and of its output, one layer with experts
    assert model.mtp_parameters() == 2 * (16 * 8 + 3 * 8 + model.moe_layer_parameters())
    assert model.num_parameters == replace(model, num_mtp_layers=0).num_parameters
