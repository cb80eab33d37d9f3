"""Bytes on one chip, against published formulas and by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tianji.catalog import load_model, load_pool
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.perf.activations import activation_bytes, layer_activations
from tianji.perf.memory import fixed_bytes, state_bytes, usable_memory
from tianji.perf.pipeline_stages import every_stage
from tianji.perf.rank_parameters import dense_parameters
from tianji.perf.stages import stage
from tianji.perf.step import estimate_memory
from tianji.units import GIB
from tianji.workload import Job, Model
from tianji.workload.layer_widths import layer_sizes
from tianji.workload.precision import PRECISIONS

BARE = Constants()
BF16, FP16 = PRECISIONS["bf16"], PRECISIONS["fp16"]


def job(model: Model, seq_len: int = 2048, batch: int = 64) -> Job:
    return Job(model, seq_len, batch, BF16)


def one(values: np.ndarray) -> float:
    return float(np.ravel(values)[0])


def total(parts: dict[str, np.ndarray]) -> float:
    return sum(one(v) for v in parts.values())


@pytest.mark.parametrize("tp", [1, 2, 8])
@pytest.mark.parametrize(
    ("name", "seq_len"), [("gpt3-175b", 2048), ("gpt3-175b", 512)]
)  # Korthikanti et al. 2022, table 2: GPT-3 has a = 96, h = 12,288
def test_activations_of_a_layer_are_as_published(name: str, seq_len: int, tp: int) -> None:
    model = load_model(name)
    s, a, h, t = seq_len, model.num_attention_heads, model.hidden_size, tp
    plain = Strategy(tp=tp, flash_attention=False, sequence_parallel=False)

    def kept(strategy: Strategy) -> float:
        return one(layer_activations(job(model, seq_len), Grid.of(strategy), layer_sizes(model)["dense"].widths)[1])

    assert kept(plain) == pytest.approx(h * (10 + 24 / t + 5 * a * s / (h * t)))
    assert kept(replace(plain, sequence_parallel=True)) == pytest.approx(h / t * (34 + 5 * a * s / h))
    assert kept(replace(plain, sequence_parallel=True, recompute="selective")) == pytest.approx(34 * h / t)
    assert kept(replace(plain, recompute="full")) == pytest.approx(2 * h)


def test_states_are_sixteen_bytes_and_are_shared_out_by_zero() -> None:
    model = load_model("llama-3-8b")
    n = model.num_parameters

    def states(zero: int) -> dict[str, float]:
        g = Grid.of(Strategy(dp=8, zero=zero))
        whole = stage(model, np.asarray([1]), np.asarray([0]))
        return {k: one(v) for k, v in state_bytes(Job(model, 8192, 64, FP16_GRADS), whole, g).items()}

    FP16_GRADS = replace(BF16, gradient_size=2.0)  # Rajbhandari et al. 2020: 2 + 2 + 12 bytes
    assert states(0) == pytest.approx({"weights": 2 * n, "gradients": 2 * n, "optimizer": 12 * n})
    assert states(1)["optimizer"] == pytest.approx(12 * n / 8)
    assert states(1)["gradients"] == pytest.approx(2 * n)
    assert states(2)["gradients"] == pytest.approx(2 * n / 8)
    assert states(3)["weights"] < states(2)["weights"]


def test_fully_sharded_training_gathers_two_layers_and_reduces_one() -> None:
    model = load_model("llama-3-8b")
    layer = model.dense_layer_parameters()
    whole = stage(model, np.asarray([1]), np.asarray([0]))
    found = state_bytes(job(model), whole, Grid.of(Strategy(dp=64, zero=3)))
    # Two layers in bf16, the gradient of one in bf16 and in the fp32 of its reduction.
    assert one(found["weights"]) == pytest.approx(layer * (2 * 2 + 2 + 4))


def test_the_loss_and_a_layer_do_not_peak_together() -> None:
    model = load_model("llama-3-8b")
    g = Grid.of(Strategy(recompute="full"))
    whole = stage(model, np.asarray([1]), np.asarray([0]))
    found = activation_bytes(job(model, 8192), whole, g, np.asarray(1), BARE)
    logits = 8192 * model.vocab_size * BF16.logit_size
    everything, kept = layer_activations(job(model, 8192), g, layer_sizes(model)["dense"].widths)
    assert logits > 8192 * one(everything - kept)
    assert one(found["working"]) == pytest.approx(logits)
    assert one(found["activations"]) == pytest.approx(8192 * 32 * 2 * model.hidden_size)


def test_stages_before_the_last_work_on_a_layer_not_on_the_loss() -> None:
    model = load_model("llama-3-8b")
    strategy = Strategy(pp=4, dp=2, recompute="full")
    g = Grid.of(strategy)
    mine = job(model, 8192)
    parts = estimate_memory(mine, BARE, g, every_stage(model, strategy))
    everything, kept = layer_activations(mine, g, layer_sizes(model)["dense"].widths)
    assert one(parts[0]["working"]) == pytest.approx(8192 * one(everything - kept))
    assert one(parts[3]["working"]) == pytest.approx(8192 * model.vocab_size * BF16.logit_size)


def test_an_earlier_stage_holds_more_micro_batches() -> None:
    parts = estimate_memory(
        job(load_model("llama-3-8b")),
        BARE,
        Grid.of(Strategy(pp=4, dp=2)),
        every_stage(load_model("llama-3-8b"), Strategy(pp=4)),
    )
    held = [one(p["activations"]) for p in parts]
    assert held == pytest.approx([held[3] * n for n in (4, 3, 2, 1)])


def test_overhead_reserve_and_communicators_add_up() -> None:
    constants = Constants(activation_overhead=1.2, framework_reserve=GIB, communicator_size=0.25 * GIB)
    g = Grid.of(Strategy(tp=2, pp=2, dp=2))
    # World, tensor, data, and two directions of the pipeline.
    assert total(fixed_bytes(constants, g)) == pytest.approx(GIB + 5 * 0.25 * GIB)
    whole = stage(load_model("llama-3-8b"), np.asarray([2]), np.asarray([0]))
    bare = activation_bytes(job(load_model("llama-3-8b")), whole, g, np.asarray(4), BARE)
    more = activation_bytes(job(load_model("llama-3-8b")), whole, g, np.asarray(4), constants)
    assert total(more) == pytest.approx(1.2 * total(bare))


def test_memory_broadcasts_over_a_grid() -> None:
    strategies = [Strategy(tp=t, pp=p, zero=z, dp=2) for t in (1, 2) for p in (1, 4) for z in (1, 3)]
    mine = job(load_model("deepseek-v2-lite"))
    together = estimate_memory(
        mine, BARE, Grid.of(*strategies), [stage(mine.model, Grid.of(*strategies).pp, np.asarray(0))]
    )
    for place, strategy in enumerate(strategies):
        g = Grid.of(strategy)
        alone = estimate_memory(mine, BARE, g, [stage(mine.model, g.pp, np.asarray([0]))])
        for name, value in alone[0].items():
            assert np.broadcast_to(together[0][name], (len(strategies),))[place] == pytest.approx(one(value)), name


def test_usable_memory_is_a_share_of_the_chip() -> None:
    assert usable_memory(load_pool("hgx-a100")) == pytest.approx(0.98 * 80 * GIB)


def test_tensor_ranks_hold_all_of_norms_routers_and_latent_projections() -> None:
    model = load_model("deepseek-v3")
    whole = stage(model, np.asarray([1]), np.asarray([0]))
    one_rank, eight = (one(dense_parameters(model, whole, Grid.of(Strategy(tp=tp)))) for tp in (1, 8))
    norms, latents = 2 * 7168, 7168 * (1536 + 512 + 64) + 1536 + 512
    layers = 61 + 1  # one more in the module that predicts a second token
    shared = layers * (norms + latents) + (58 + 1) * 7168 * 256
    assert eight == pytest.approx(shared + (one_rank - shared) / 8)


def test_selective_recomputation_frees_what_mla_expands() -> None:
    model = load_model("deepseek-v3")
    heads, lanes = 128, 128 + 64
    widths = layer_sizes(model)["dense"].widths
    whole, kept = (one(x) for x in layer_activations(job(model), Grid.of(Strategy(recompute="selective")), widths))
    expanded = (heads * lanes + heads * (lanes + 128)) * 2
    norms_and_gates = 2 * 7168 * 2 + 18432 * 2
    assert whole - kept == pytest.approx(expanded + norms_and_gates)


def test_ranks_of_dualpipe_hold_a_stage_from_each_end() -> None:
    model = load_model("deepseek-v3")
    strategy = Strategy(pp=16, schedule="dualpipe", ep=64, dp=64)
    ends, g = every_stage(model, strategy)[::15], Grid.of(strategy)
    first, last = (estimate_memory(job(model, 4096, 15360), BARE, g, [s])[0] for s in ends)
    assert one(first["weights"]) == one(last["weights"])
    assert one(first["activations"]) == pytest.approx(one(last["activations"]))
