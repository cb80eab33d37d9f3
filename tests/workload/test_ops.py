"""FLOPs of ops, layers and steps, counted by hand on a small model."""

from dataclasses import replace

import pytest

from samples import DENSE, SPARSE
from tianji.workload.layers import dense_layer, embedding, head, moe_layer, mtp_layer, step_flops
from tianji.workload.ops import AttentionOp, Matmul

# hidden 512, 8 heads of 64, 4 of them with keys and values, MLP 2048 (gated), vocabulary 1024
QKV, OUT, MLP = 512 * (512 + 2 * 256), 512 * 512, 3 * 512 * 2048


def test_a_matmul_multiplies_and_adds() -> None:
    assert Matmul("a", 3, 5, "none").flops == 2 * 3 * 5


@pytest.mark.parametrize(
    ("window", "causal", "expected"),
    [(0, False, 1000), (0, True, 500), (200, True, 200 - 200**2 / 2000), (5000, True, 500)],
)
def test_context(window: int, causal: bool, expected: float) -> None:
    assert AttentionOp(8, 4, 64, 64, window).context(1000, causal) == expected


def test_attention_scores_and_values() -> None:
    assert AttentionOp(8, 4, 64, 32).flops(1000, True) == 2 * 500 * 8 * (64 + 32)


def test_a_dense_layer() -> None:
    layer = dense_layer(DENSE)
    assert {m.name: (m.k, m.n, m.cut) for m in layer.matmuls} == {
        "qkv": (512, 1024, "column"),
        "attention output": (512, 512, "row"),
        "mlp in": (512, 4096, "column"),
        "mlp out": (2048, 512, "row"),
    }
    assert sum(m.flops for m in layer.matmuls) == 2 * (QKV + OUT + MLP)
    assert layer.flops(1024, True) == 2 * (QKV + OUT + MLP) + 2 * 512 * 8 * 128


def test_a_sparse_layer_counts_the_experts_of_a_token() -> None:
    layer = moe_layer(SPARSE)
    assert layer.experts is not None
    assert layer.experts.flops == 2 * (2 * 3 * 512 * 512), "two of eight experts, three matrices each"
    router = next(m for m in layer.matmuls if m.name == "router")
    assert (router.k, router.n, router.high) == (512, 8, True)
    assert layer.flops(1024, True) == 2 * (QKV + OUT + 512 * 8) + 2 * 512 * 8 * 128 + layer.experts.flops
    assert moe_layer(DENSE) == dense_layer(DENSE)


def test_a_sliding_window_takes_its_share_of_the_layers() -> None:
    kinds = dense_layer(replace(DENSE, sliding_window=256, num_sliding_layers=6)).attention
    assert [(share, a.window) for share, a in kinds] == [(0.25, 0), (0.75, 256)]


def test_embedding_looks_up_and_head_multiplies() -> None:
    assert embedding(DENSE).flops(1024, True) == 0
    assert head(DENSE).flops(1024, True) == 2 * 512 * 1024


def test_a_prediction_module_is_a_layer_and_a_projection_and_asks_the_head_once_more() -> None:
    assert mtp_layer(SPARSE).flops(1024, True) == moe_layer(SPARSE).flops(1024, True) + 2 * 1024 * 512
    ahead = step_flops(replace(SPARSE, num_mtp_layers=1), 1024, 1.0) - step_flops(SPARSE, 1024, 1.0)
    assert ahead == pytest.approx(3 * (mtp_layer(SPARSE).flops(1024, True) + head(SPARSE).flops(1024, True)))


def test_step_flops_are_six_times_parameters_and_attention() -> None:
    tokens, matmuls = 1e6, 8 * (QKV + OUT + MLP) + 512 * 1024
    attention = 8 * 2 * 512 * 8 * 128
    assert step_flops(DENSE, 1024, tokens) == pytest.approx(6 * matmuls * tokens + 3 * attention * tokens)
    assert step_flops(DENSE, 1024, tokens, causal=False) == pytest.approx((6 * matmuls + 6 * attention) * tokens)
