"""One layer on one chip under pure physics: what each cut does to computing and to communication."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import CHIP, DENSE, SPARSE, flat, job
from tianji.catalog import load_model
from tianji.hardware.constants import Constants
from tianji.identity import Answers
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.parallel.strategy import MODULES
from tianji.perf.communication import Links
from tianji.perf.compute import ATTENTION_BACKWARD, ChipRates
from tianji.perf.context import Context, Terms, total
from tianji.perf.layer import LayerTime, layer_time
from tianji.units import GB, TERA
from tianji.workload import Model, find_precision
from tianji.workload.layers import dense_layer, head, model_layers, moe_layer
from tianji.workload.ops import ExpertOps, LayerOps

FAST_MEMORY = 1e9
"""With memory that is never in the way a matmul takes its FLOPs over the peak, whatever its shape."""


def context(model: Model = DENSE, *, memory: float = FAST_MEMORY, precision: str = "bf16", **fields: object) -> Context:
    task = job(model, precision=precision)
    physics = Constants(memory_efficiency=memory)
    strategy = Strategy(**{"overlap_tp": False} | fields)  # type: ignore[arg-type]
    machine = ChipRates.of(CHIP, task.precision, physics)
    return Context(task, machine, Links.of(flat(max(strategy.chips, 2)), physics), physics, Grid.of(strategy))


def dense(**fields: object) -> LayerTime:
    return layer_time(dense_layer(DENSE), context(**fields))  # type: ignore[arg-type]


def one(terms: Terms, kind: str) -> float:
    return float(np.ravel(terms[kind])[0])


MATMUL_FLOPS = 2 * 1024 * (512 * (512 + 512) + 512 * 512 + 3 * 512 * 2048)
"""Of 1,024 tokens: queries of 8 heads, keys and values of 4 each, output, and the MLP's three matrices."""


def test_matmuls_of_a_layer() -> None:
    layer = dense()
    assert one(layer.forward, "matmul") == pytest.approx(MATMUL_FLOPS / (100 * TERA))
    assert one(layer.backward, "matmul") == pytest.approx(2 * MATMUL_FLOPS / (100 * TERA))
    assert float(np.ravel(layer.weight)[0]) == pytest.approx(MATMUL_FLOPS / (100 * TERA))


def gathering(layer: LayerOps, *, narrow: bool, **fields: object) -> LayerTime:
    c = context(**fields)  # type: ignore[arg-type]
    return layer_time(layer, replace(c, constants=replace(c.constants, tp_gather_narrow=float(narrow))))


@pytest.mark.parametrize(
    ("recipe", "there", "back"), [("fp8", 1.0, 1.0), ("mxfp8", 1.03, 2.06), ("fp4", 0.5625, 1.125)]
)
def test_transformer_engine_casts_what_tensor_ranks_gather(recipe: str, there: float, back: float) -> None:
    # 1,024 tokens of 512 elements over 4 of 8 flat chips at 100 GB/s: two gathers, and two sums in 16 bits
    layer, element = dense_layer(DENSE), 2 * 1024 * 512 * 3 / 4 / (100 * GB)
    wide, cast = (gathering(layer, narrow=is_on, precision=recipe, tp=4) for is_on in (False, True))
    assert one(wide.forward, "tp_comm") == pytest.approx(element * (2 + 2))
    assert one(cast.forward, "tp_comm") == pytest.approx(element * (there + 2))
    assert one(cast.backward, "tp_comm") == pytest.approx(element * (back + 2))
    summed = gathering(layer, narrow=True, precision=recipe, tp=4, sequence_parallel=False)
    assert one(summed.forward, "tp_comm") == pytest.approx(element * 4)
    for untouched, word in ((head(DENSE), recipe), (layer, "bf16")):
        before, after = (gathering(untouched, narrow=is_on, precision=word, tp=4) for is_on in (False, True))
        assert one(before.backward, "tp_comm") == one(after.backward, "tp_comm") > 0


@pytest.mark.parametrize("recipe", ["bf16", "fp8"])
def test_userbuffers_cut_matmuls_in_pieces_that_each_pay_the_half_size(recipe: str) -> None:
    # Over 8 ranks a ring has 8 pieces and a pipeline of 16 bits 4; each pays c² = 64² elements of output
    def seconds(cuts: float, **fields: object) -> LayerTime:
        c = context(precision=recipe, tp=8, **fields)  # type: ignore[arg-type]
        sized = replace(c.constants, matmul_half_size=64.0, narrow_half_size=64.0, tp_pieces=cuts)
        rates = ChipRates.of(CHIP, c.job.precision, sized)
        return layer_time(dense_layer(DENSE), replace(c, constants=sized, rates=rates))

    whole, cut = (seconds(cuts, overlap_tp=True) for cuts in (0.0, 1.0))
    peak = CHIP.matrix_peak(recipe)
    matrices = [m for m in dense_layer(DENSE).matmuls if m.cut != "none"]
    more = [(7 if m.cut == "column" or recipe == "fp8" else 3) * (m.k / 8 if m.cut == "row" else m.k) for m in matrices]
    back = [7 * m.n for m in matrices if m.cut == "row"]
    assert one(cut.forward, "matmul") - one(whole.forward, "matmul") == pytest.approx(2 * 64**2 * sum(more) / peak)
    assert one(cut.backward, "matmul") - one(whole.backward, "matmul") == pytest.approx(2 * 64**2 * sum(back) / peak)
    for fields in ({"overlap_tp": False}, {"overlap_tp": True, "sequence_parallel": False}):
        assert one(seconds(1.0, **fields).forward, "matmul") == one(seconds(0.0, **fields).forward, "matmul")


@pytest.mark.parametrize("fields", [{"tp": 4}, {"cp": 4}, {"tp": 2, "cp": 2}])
def test_four_chips_take_a_quarter(fields: dict[str, int]) -> None:
    for kind in ("matmul", "attention"):
        assert one(dense(**fields).forward, kind) == pytest.approx(one(dense().forward, kind) / 4)


def test_attention() -> None:
    # causal: 2 · s/2 · heads · (64 + 64) FLOPs a token
    flops = 1024 * 2 * 512 * 8 * 128
    assert one(dense().forward, "attention") == pytest.approx(flops / (100 * TERA))
    assert one(dense().backward, "attention") == pytest.approx(ATTENTION_BACKWARD * flops / (100 * TERA))


def test_tensor_communication_is_four_gathers_a_layer_forward() -> None:
    # Megatron: two all_reduces forward, each 2 · (t - 1)/t · s b h · 2 bytes over 100 GB/s
    expected = 2 * 2 * 3 / 4 * 1024 * 512 * 2 / (100 * GB)
    for sequence_parallel in (True, False):
        layer = dense(tp=4, sequence_parallel=sequence_parallel)
        assert one(layer.forward, "tp_comm") == pytest.approx(expected)
        assert one(layer.backward, "tp_comm") == pytest.approx(expected)
    assert one(dense().forward, "tp_comm") == 0


def test_ulysses_moves_queries_keys_values_and_outputs() -> None:
    # a chip holds 256 tokens of 512 + 512 + 512 elements of 2 bytes and sends 3/4 of them away
    layer = dense(cp=4, cp_kind="ulysses")
    assert one(layer.forward, "cp_comm") == pytest.approx(256 * 1536 * 2 * 3 / 4 / (100 * GB))


def test_a_ring_hides_behind_attention() -> None:
    moved = 3 * 256 * 512 * 2 / (100 * GB)
    behind = one(dense(cp=4).forward, "attention") * 3 / 4
    assert one(dense(cp=4).forward, "cp_comm") == pytest.approx(max(moved - behind, 0))


def test_recompute() -> None:
    assert one(dense().backward, "recompute") == 0
    whole = dense(recompute="full")
    assert one(whole.backward, "recompute") == pytest.approx(float(np.ravel(total(whole.forward))[0]))
    half = dense(recompute="full", recompute_layers=0.5)
    assert one(half.backward, "recompute") == pytest.approx(one(whole.backward, "recompute") / 2)
    some = dense(recompute="selective", memory=1.0)
    assert one(some.backward, "recompute") == pytest.approx(one(some.forward, "vector"))


def test_overlap_hides_communication_and_never_more_than_all() -> None:
    bare = one(dense(tp=4).forward, "tp_comm")
    work = one(dense(tp=4).forward, "matmul")
    assert one(dense(tp=4, overlap_tp=True).forward, "tp_comm") == pytest.approx(max(bare - work, 0))


def test_experts_compute_top_k_of_each_token_however_they_are_spread() -> None:
    # 2 experts of 3 · 512 · 512 weights for each of 1,024 tokens
    routed = 2 * 1024 * 2 * 3 * 512 * 512 / (100 * TERA)
    for fields in ({}, {"ep": 8, "dp": 8}, {"ep": 4, "etp": 2, "dp": 8}):
        layer = layer_time(moe_layer(SPARSE), context(SPARSE, **fields))
        others = layer_time(moe_layer(SPARSE), context(SPARSE))
        assert one(layer.forward, "matmul") == pytest.approx(one(others.forward, "matmul"))
        attention = 2 * 1024 * (512 * 1024 + 512 * 512 + 512 * 8) / (100 * TERA)
        assert one(layer.forward, "matmul") == pytest.approx(routed + attention)


def test_dispatch_and_combine() -> None:
    # 2 copies of 1,024 tokens of 512 elements: 7/8 leave the chip, there in 2 bytes and back in 2 bytes, 1/16 of both to one rank
    layer = layer_time(moe_layer(SPARSE), context(SPARSE, ep=8, dp=8))
    assert one(layer.forward, "ep_comm") == pytest.approx(15 / 16 * 2 * 1024 * 2 * 512 * 2 * 7 / 8 / (100 * GB))
    hidden = layer_time(moe_layer(SPARSE), context(SPARSE, ep=8, dp=8, overlap_ep=True))
    assert one(hidden.forward, "ep_comm") <= one(layer.forward, "ep_comm")


def test_no_second_of_work_hides_two_kinds_of_communication() -> None:
    fields = {"tp": 4, "ep": 8, "dp": 8}
    bare = layer_time(moe_layer(SPARSE), context(SPARSE, **fields))
    both = layer_time(moe_layer(SPARSE), context(SPARSE, **fields, overlap_tp=True, overlap_ep=True))
    ways = [(getattr(bare, way), getattr(both, way)) for way in ("forward", "backward")]
    hidden = sum(one(before, kind) - one(after, kind) for before, after in ways for kind in ("tp_comm", "ep_comm"))
    work = sum(one(before, kind) for before, _ in ways for kind in ("matmul", "attention", "vector"))
    assert 0 < hidden <= work * (1 + 1e-12)


def test_the_logits_stay_in_high_precision() -> None:
    flops = 2 * 1024 * 512 * 1024
    for precision in ("bf16", "fp8", "fp4"):
        layer = layer_time(head(DENSE), context(precision=precision))
        assert one(layer.forward, "matmul") == pytest.approx(flops / (100 * TERA))


def test_a_loss_that_is_not_fused_passes_more_bytes_both_ways() -> None:
    fused = context(memory=1.0)
    unfused = replace(fused, constants=replace(fused.constants, loss_size=52.0), known=Answers())
    seconds = [
        sum(one(layer.forward, "vector") + one(layer.backward, "vector") for layer in [layer_time(head(DENSE), c)])
        for c in (fused, unfused)
    ]
    rate = CHIP.memory_rate()
    assert seconds[1] - seconds[0] == pytest.approx(1024 * DENSE.vocab_size * (52 - 36) / rate)


@pytest.mark.parametrize("precision", ["bf16", "fp32", "fp8"])
def test_a_loss_moves_its_bytes_in_any_number_format(precision: str) -> None:
    # A third forward; without the logits' other ops: the norm of 512 elements is read and written forward, twice that back.
    layer = layer_time(head(DENSE), context(memory=1.0, precision=precision))
    norm = 1024 * 2 * 512 * find_precision(precision).activation_size
    moved = [one(terms, "vector") * CHIP.memory_rate() for terms in (layer.forward, layer.backward)]
    assert moved == pytest.approx([norm + 1024 * DENSE.vocab_size * 12, 2 * norm + 1024 * DENSE.vocab_size * 24])


@given(st.data())
def test_the_names_of_ops_change_nothing(data: st.DataObject) -> None:
    hybrid = load_model("qwen3-next-80b-a3b")
    model = data.draw(
        st.sampled_from([DENSE, replace(SPARSE, num_mtp_layers=1), load_model("deepseek-v2-lite"), hybrid])
    )
    names = st.sampled_from(["loss", "logits", "q up", "kv up", "router", "norms", "mlp activation", "a", ""])

    def rename(ops: LayerOps | ExpertOps) -> Any:
        inner = {"experts": rename(ops.experts)} if isinstance(ops, LayerOps) and ops.experts else {}
        renamed = {
            kind: tuple(replace(op, name=data.draw(names)) for op in getattr(ops, kind))
            for kind in ("matmuls", "vectors")
        }
        return replace(ops, **renamed, **inner)

    fields = {"tp": 2, "dp": 4, "recompute": data.draw(st.sampled_from(["none", "selective", "full"]))}
    if fields["recompute"] == "selective":
        fields["recompute_modules"] = data.draw(st.sampled_from(["", *MODULES]))
    before, after = context(model, memory=1.0, **fields), context(model, memory=1.0, **fields)
    for layer in model_layers(model).values():
        old, new = layer_time(layer, before), layer_time(rename(layer), after)
        assert new.forward == old.forward
        assert new.backward == old.backward
