"""The table of mixers and MLPs on the page of formulas says what the code computes."""

import re
from pathlib import Path

import pytest

from tianji.workload.expressions import evaluate
from tianji.workload.layer_part import LayerPart
from tianji.workload.parts import MIXERS, MLPS

PAGE = (Path(__file__).parents[2] / "docs" / "formulas.md").read_text(encoding="utf-8")
CELL = r"`?([^`|]+?)`?"
ROWS = {
    row[0]: row[1:]
    for row in re.findall(rf"^\| {CELL} \| {CELL} \| {CELL} \| {CELL} \| [^|]+ \| [^|]+ \|$", PAGE, re.M)
}
KINDS = MIXERS | MLPS
h, a, g, d, f = 96, 12, 4, 16, 200
GROUPED = {"num_heads": a, "num_key_value_heads": g, "head_dim": d}
MAMBA = {"num_heads": 6, "head_dim": 10, "state_size": 8, "num_groups": 2, "kernel": 4}
BESIDE = GROUPED | {f"mamba_{name}": value for name, value in (("heads", 6), ("head_dim", 10))}
SAMPLES: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "attention": (GROUPED, {}),
    "source_attention": (GROUPED, {}),
    "cross_attention": (GROUPED, {}),
    "expert_attention": (GROUPED | {"num_experts": 8, "top_k": 2}, {"E": 8}),
    "latent": (
        {"num_heads": a, "q_lora_rank": 24, "kv_lora_rank": 32, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 6},
        {"q": 24, "l": 32, "n": 8, "r": 4, "v": 6},
    ),
    "compressed": (
        {"num_heads": a, "head_dim": d, "q_lora_rank": 24, "out_groups": 3, "out_lora_rank": 5, "window": 128},
        {"q": 24, "G": 3, "o": 5},
    ),
    "gated_delta_net": (
        {"num_key_heads": 2, "num_value_heads": 6, "key_head_dim": 10, "value_head_dim": 12, "kernel": 4},
        {"K": 20, "V": 72, "b": 6},
    ),
    "delta_attention": ({"num_heads": a, "head_dim": d, "kernel": 4}, {"w": a * d}),
    "mamba2": (MAMBA, {"I": 60, "S": 32, "a": 6}),
    "attention_mamba2": (BESIDE | {"state_size": 8, "num_groups": 2, "kernel": 4}, {"I": 60, "S": 32, "b": 6}),
    "mamba": (
        {"inner": 50, "state_size": 8, "rank": 7, "kernel": 4, "conv_bias": 1, "bias": 0, "norms": 0},
        {"I": 50, "N": 8, "R": 7},
    ),
    "lightning": ({"num_heads": a, "head_dim": d}, {"w": a * d}),
    "rwkv": ({"width": 128, "head_dim": d}, {"w": 128}),
    "channel_recurrence": ({"width": 128, "inputs": 3}, {"w": 128}),
    "mlstm": ({"num_heads": a, "key_dim": 5, "value_dim": 9}, {"K": 60, "V": 108}),
    "short_convolution": ({"kernel": 3}, {}),
    "linear": ({}, {}),
    "dense": ({"width": f}, {"f": f}),
    "experts": ({"num_experts": 8, "top_k": 2, "width": f, "shared_width": 40}, {"f": f, "E": 8, "k": 2, "s": 40}),
}  # fmt: skip


def on_page(kind: str, column: int) -> float:
    values = {"h": h, "a": a, "g": g, "d": d} | SAMPLES[kind][1]
    return float(evaluate(ROWS[kind][column].replace("·", " * "), values, values))


def part(kind: str) -> LayerPart:
    return KINDS[kind](h, **SAMPLES[kind][0])


def test_every_kind_is_on_the_page() -> None:
    assert set(KINDS) - set(ROWS) == set()
    assert set(KINDS) - set(SAMPLES) == {"traced"}


@pytest.mark.parametrize("kind", SAMPLES)
def test_weights_and_kept_elements_are_the_code_s(kind: str) -> None:
    made = part(kind)
    routed = sum(m.k * m.n for m in made.experts.matmuls) * made.experts.top_k if made.experts else 0
    assert on_page(kind, 0) == sum(m.k * m.n for m in made.matmuls) + routed
    assert on_page(kind, 1) == made.saved
    routed_pairs = sum(m.cut == "row" for m in made.matmuls)
    assert on_page(kind, 2) == routed_pairs
