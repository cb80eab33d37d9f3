"""More chips are never slower, a framework never beats the free search, and curves rise."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import CHIP, SPARSE, job, pool
from tianji.api.software import SoftwareOptions, choose_software
from tianji.api.started_software import find_varied, say_target
from tianji.catalog import load_calibration, load_pool, make_job
from tianji.comparison.assessment import Assumptions
from tianji.comparison.curve import Curve
from tianji.exporters.runnable import SPACES, plan_for_framework
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.search import SearchOptions, plan
from tianji.search.coarse import find_fast

REAL = Constants(matmul_half_size=50.0, scale_up_latency=3e-6, scale_out_latency=1e-5)
HELD = Calibration(chips={CHIP.name: REAL})
EXACT = 1 + 1e-9


@settings(max_examples=8, deadline=None)
@given(
    few=st.integers(1, 32), more=st.integers(0, 8), batch=st.sampled_from([13, 16, 24, 60]),
    latency=st.floats(0, 1e-3), launch=st.floats(0, 1e-3), sparse=st.booleans(),
)  # fmt: skip
def test_more_chips_are_never_slower(
    few: int, more: int, batch: int, latency: float, launch: float, sparse: bool
) -> None:
    constants = replace(REAL, scale_up_latency=latency, scale_out_latency=latency, op_overhead=launch)
    task = job(SPARSE, batch=batch) if sparse else job(batch=batch)
    one, other = (find_fast(task, pool(n), constants, at_most=True) for n in (few, few + more))
    if one is not None:
        assert other is not None
        assert other.step_time <= one.step_time * EXACT
        assert other.strategy.chips <= few + more


@settings(max_examples=4, deadline=None)
@given(st.integers(1, 24), st.integers(1, 8), st.sampled_from([13, 16, 60]))
def test_a_plan_on_more_chips_is_never_slower(few: int, more: int, batch: int) -> None:
    one, other = (plan(job(batch=batch), pool(n), HELD, top=1, leading=0).best for n in (few, few + more))
    assert other.step_time.nominal <= one.step_time.nominal * EXACT


@pytest.mark.parametrize("chips", [7, 12, 22])
def test_every_smaller_number_is_no_faster(chips: int) -> None:
    task = job(batch=16)
    best = plan(task, pool(chips), HELD, top=1, leading=0).best.step_time.nominal
    alone = [find_fast(task, pool(n), REAL) for n in range(1, chips + 1)]
    assert best <= min(c.step_time for c in alone if c is not None) * EXACT


TRAINED = {
    "megatron": (("qwen3-14b", "hgx-h20", 40, 240),), "nemo": (("qwen3-30b-a3b", "hgx-h100", 16, 64),),
    "mindspeed": (("llama-3.1-8b", "atlas-900-a2", 8, 2048),), "mindformers": (("qwen3-8b", "atlas-900-a2", 16, 256),),
    "torchtitan": (("qwen3-14b", "hgx-h20", 16, 48), ("llama-3.1-8b", "hgx-h100", 16, 64)),
    "deepspeed": (("qwen3-30b-a3b", "hgx-h100", 16, 64), ("mixtral-8x7b", "atlas-900-a2", 32, 64)),
    "llama-factory": (("llama-3.1-8b", "hgx-h100", 16, 64),), "swift": (("qwen3-14b", "hgx-h20", 16, 48),),
    "megatron-swift": (("llama-3.1-8b", "hgx-h100", 16, 64),),
    "tianji": (("qwen3-8b", "atlas-900-a2", 16, 96), ("qwen3-30b-a3b", "hgx-h100", 16, 64)),
}  # fmt: skip
"""What each framework is asked about, under the software that its files start, else that which is assumed. Those of Megatron,
MindSpeed and MindFormers beat the free search until it named stages in all of its memory and varied what they recompute."""


@pytest.mark.parametrize("framework", sorted(SPACES))
def test_no_framework_beats_the_free_search(framework: str) -> None:
    for model, name, chips, batch in TRAINED[framework]:
        where, loss = load_pool(name, chips), "torch" if framework in ("llama-factory", "swift") else "plain"
        task = make_job(model, global_batch_size=batch, loss_kernel=loss)
        asked = say_target(SoftwareOptions(), framework, task, where.chip)
        calibration = choose_software(load_calibration(), [where.chip], asked).calibration
        options = SearchOptions(top=1, leading=0, margin=0.03, uneven="named")
        free = plan(task, where, calibration, options, extra=find_varied(calibration, where.chip)).best
        held = plan_for_framework(framework, task, where, calibration, options).outcome.best
        assert held.step_time.nominal >= free.step_time.nominal / EXACT, model


def test_a_curve_rises_whatever_is_tried_first() -> None:
    where, task = load_pool("hgx-h100"), make_job("llama-3.1-8b", global_batch_size=60)
    curve = Curve(task, where, load_calibration(), Assumptions())
    curve.fill([56, 8, 40, 24])
    curve.at(32)
    steps = [a.result.step_time.nominal for _, a in sorted(curve.points.items()) if a is not None]
    assert len(steps) == 5
    assert all(later <= earlier * EXACT for earlier, later in pairwise(steps))
    assert all(a is None or a.pool.chips == n for n, a in curve.points.items())


def test_a_number_that_divides_badly_names_the_smaller_one_that_does_as_well() -> None:
    outcome = plan(make_job("llama-3.1-8b", global_batch_size=768), load_pool("hgx-h100", 63), top=1)
    assert outcome.best.plan.strategy.chips < 63
    assert "chips stand idle" in outcome.idle_reason
    if outcome.near is not None:
        assert outcome.near.chips < outcome.best.plan.strategy.chips
        assert outcome.near.step_time <= 1.02 * outcome.best.step_time.nominal
