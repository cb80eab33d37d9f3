"""What binds is what is largest, with the lever that shortens it."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import CHIP, SPARSE, figure, job, pool
from tianji.catalog import load_pool, make_job
from tianji.formatting import format_percent
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.perf.step import KINDS
from tianji.prediction import predict
from tianji.search import plan
from tianji.search.binding import LEVERS, NAMES, find_binding
from tianji.units import GB

REAL = Calibration(chips={CHIP.name: Constants(matmul_half_size=50.0, scale_up_latency=3e-6, scale_out_latency=1e-5)})


def test_every_kind_of_time_has_a_name_and_a_lever() -> None:
    assert set(NAMES) == set(LEVERS) == set(KINDS)


@settings(max_examples=30, deadline=None)
@given(
    launch=st.floats(0, 1e-2),
    latency=st.floats(0, 1e-3),
    efficiency=st.floats(0.01, 1.0),
    micro_batch=st.sampled_from([1, 2, 4]),
)
def test_the_first_is_the_largest_part_of_the_step(
    launch: float, latency: float, efficiency: float, micro_batch: int
) -> None:
    constants = Constants(
        op_overhead=launch, scale_up_latency=latency, scale_out_latency=latency, scale_out_efficiency=efficiency
    )
    strategy = Strategy(tp=2, pp=2, dp=4, ep=4, micro_batch_size=micro_batch)
    result = predict(Plan(job(SPARSE), pool(16), strategy), Calibration(chips={CHIP.name: constants}))
    largest = max(result.breakdown, key=lambda kind: result.breakdown[kind])
    said = find_binding(result, feasible=1, candidates=1)
    share = format_percent(result.breakdown[largest] / result.step_time.nominal, 0)
    assert said[0].startswith(f"{NAMES[largest]}: {share} of the step; ")
    shares = [float(text.split(": ")[1].split("%")[0]) for text in said if not text.startswith("memory: ")]
    assert shares == sorted(shares, reverse=True)


def test_launches_name_graphs_a_larger_micro_batch_and_fewer_experts_on_a_rank() -> None:
    slow = Calibration(chips={CHIP.name: Constants(op_overhead=1.0)})
    result = predict(Plan(job(SPARSE), pool(8), Strategy(dp=8, ep=2)), slow)
    (launches,) = (said for said in find_binding(result, 1, 1) if said.startswith("launches: "))
    assert "graphs" in launches
    assert "a larger micro-batch (now 1)" in launches
    assert "fewer experts on a rank (now 4: a larger ep)" in launches


def test_an_exposed_exchange_names_its_switch() -> None:
    slow = pool(
        64, replace(pool().tiers[0], bandwidth=figure(0.05 * GB)), replace(pool().tiers[1], bandwidth=figure(0.01 * GB))
    )
    exposed = predict(Plan(job(batch=64), slow, Strategy(dp=64, overlap_dp=False)), REAL)
    assert find_binding(exposed, 1, 1)[0].startswith("data links: ")
    assert "hide it (overlap_dp=on)" in find_binding(exposed, 1, 1)[0]


def test_memory_binds_where_most_does_not_fit() -> None:
    tight = plan(job(), pool(16, chip=replace(CHIP, memory=figure(0.25 * GB))), REAL)
    assert any(said.startswith("memory: ") for said in tight.binding)


@pytest.mark.parametrize(("model", "chips", "batch"), [("qwen3-30b-a3b", 16, 16), ("llama-3.1-8b", 8, 64)])
def test_a_catalog_plan_names_its_largest_part(model: str, chips: int, batch: int) -> None:
    best = plan(make_job(model, global_batch_size=batch), load_pool("hgx-h100", chips), top=1)
    largest = max(best.best.breakdown, key=lambda kind: best.best.breakdown[kind])
    assert best.binding[0].startswith(NAMES[largest])
