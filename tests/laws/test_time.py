"""Laws of a step's time, over any legal strategy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from samples import CHIP, DENSE, SPARSE, job, pool, tier
from tianji.errors import InputError
from tianji.hardware import Chip, Figure, Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.legality import refusals
from tianji.parallel.plan import Plan
from tianji.prediction import predict
from tianji.units import GB
from tianji.workload import Job

POOL = pool(4096, tier("node", 8, 100 * GB), tier("rack", 64, 40 * GB, topology="mesh"), tier("all", 0, 10 * GB))
REAL = Constants(
    matmul_efficiency=0.8, matmul_half_size=60.0, attention_efficiency=0.5, attention_half_length=100.0,
    memory_efficiency=0.9, scale_up_efficiency=0.8, scale_out_efficiency=0.7, scale_up_latency=3e-6,
    scale_out_latency=1e-5, overlap_efficiency=0.7, op_overhead=5e-6, step_overhead=0.01, straggle=0.01,
)  # fmt: skip
PHYSICS = Calibration()
DEGREE = st.sampled_from([1, 2, 4, 8])


@st.composite
def strategies(draw: st.DrawFn, has_experts: bool) -> Strategy:
    """Draw a strategy; what one choice would make illegal in another is not drawn."""
    tp, cp, dp, pp = draw(DEGREE), draw(DEGREE), draw(DEGREE), draw(st.sampled_from([1, 2, 3, 4, 8]))
    schedules = ["1f1b", "gpipe", "zero-bubble"] + ["dualpipe"] * (pp % 2 == 0) + ["interleaved"] * (pp in (2, 4))
    schedule = draw(st.sampled_from(schedules))
    zero = draw(st.sampled_from([0, 1, 2, 3] if pp == 1 else [0, 1, 3]))
    groups = [n for n in (2, 4) if cp * dp % n == 0] if zero else []
    return Strategy(
        tp=tp,
        pp=pp,
        vpp=2 if schedule == "interleaved" else 1,
        cp=cp,
        dp=dp,
        ep=draw(st.sampled_from([n for n in (1, 2, 4, 8) if tp * cp * dp % (2 * n) == 0] or [1])) if has_experts else 1,
        etp=draw(st.sampled_from([1, 2])) if has_experts and tp * cp * dp > 1 else 1,
        micro_batch_size=draw(st.sampled_from([1, 2])),
        zero=zero,
        zero_group=draw(st.sampled_from([0, *groups])),
        recompute=draw(st.sampled_from(["none", "selective", "full"])),
        schedule=schedule,
        cp_kind=draw(st.sampled_from(["ring", "ulysses"] if tp * cp <= 8 else ["ring"])),
        placement=draw(st.sampled_from(["dp-inside", "pp-inside"])),
        overlap_dp=draw(st.booleans()),
        overlap_tp=draw(st.booleans()),
        overlap_pp=draw(st.booleans()),
        overlap_ep=draw(st.booleans()),
        offload_optimizer=draw(st.booleans()),
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    model = draw(st.sampled_from([DENSE, SPARSE]))
    task = job(model, precision=draw(st.sampled_from(["bf16", "fp8", "fp4"])))
    strategy = draw(strategies(model.moe is not None))
    assume(not refusals(strategy, task, POOL))
    return Plan(task, POOL, strategy)


def under(constants: Constants) -> Calibration:
    return Calibration(chips={CHIP.name: constants})


def step_time(plan: Plan, constants: Constants = REAL) -> float:
    return predict(plan, under(constants)).step_time.nominal


@settings(max_examples=50)
@given(plans())
def test_the_breakdown_adds_up_to_the_step_and_nothing_is_negative(plan: Plan) -> None:
    found = predict(plan, under(REAL))
    assert sum(found.breakdown.values()) == pytest.approx(found.step_time.nominal, rel=1e-12)
    assert all(seconds >= 0 for seconds in found.breakdown.values()), found.breakdown
    assert all(size >= 0 for stage in found.stages for size in stage.values())


@settings(max_examples=50)
@given(plans())
def test_nothing_is_above_the_peak(plan: Plan) -> None:
    assert predict(plan, under(REAL)).mfu < predict(plan, PHYSICS).mfu <= 1


def doubled(constants: Constants, chip: Chip) -> tuple[Constants, Chip]:
    """Return every rate twice and every latency half."""

    def twice(figure: Figure | None) -> Figure | None:
        return None if figure is None else replace(figure, value=figure.value * 2)

    fast = replace(
        chip,
        peak={k: replace(f, value=f.value * 2) for k, f in chip.peak.items()},
        vector_peak={k: replace(f, value=f.value * 2) for k, f in chip.vector_peak.items()},
        memory_bandwidth=twice(chip.memory_bandwidth),
        scale_up_bandwidth=twice(chip.scale_up_bandwidth),
        scale_out_bandwidth=twice(chip.scale_out_bandwidth),
        host_bandwidth=twice(chip.host_bandwidth),
        host_memory_bandwidth=twice(chip.host_memory_bandwidth),
    )
    delays = [
        n for n in Constants.__dataclass_fields__ if n.endswith(("_latency", "_overhead")) and "activation" not in n
    ]
    return replace(constants, **{name: getattr(constants, name) / 2 for name in delays}), fast


def faster_tiers(where: Pool, factor: float) -> Pool:
    tiers = (
        replace(t, bandwidth=t.bandwidth and replace(t.bandwidth, value=t.bandwidth.value * factor))
        for t in where.tiers
    )
    return replace(where, tiers=tuple(tiers))


@settings(max_examples=50)
@given(plans())
def test_twice_every_rate_and_half_every_latency_is_half_the_time(plan: Plan) -> None:
    constants, chip = doubled(REAL, CHIP)
    fast = replace(faster_tiers(plan.pool, 2.0), chip=chip)
    assert step_time(replace(plan, pool=fast), constants) == pytest.approx(step_time(plan) / 2, rel=1e-9)


@settings(max_examples=50)
@given(plans(), st.floats(1.0, 100.0))
def test_a_faster_link_is_never_slower(plan: Plan, factor: float) -> None:
    assert step_time(replace(plan, pool=faster_tiers(plan.pool, factor))) <= step_time(plan) * (1 + 1e-12)


@settings(max_examples=50)
@given(
    plans(), st.sampled_from(["matmul_efficiency", "attention_efficiency", "memory_efficiency", "overlap_efficiency"])
)
def test_a_better_chip_or_engine_is_never_slower(plan: Plan, name: str) -> None:
    # Where two communications hide behind the same computation, faster computation uncovers both; and the schedules that
    # fill gaps with weight gradients have less to fill them with.
    plain = {"overlap_ep": False, "overlap_dp": False, "schedule": "1f1b", "vpp": 1}
    plan = replace(plan, strategy=replace(plan.strategy, **plain))
    assert step_time(plan, replace(REAL, **{name: 1.0})) <= step_time(plan) * (1 + 1e-12)


@settings(max_examples=50)
@given(plans(), st.sampled_from(["overlap_dp", "overlap_tp", "overlap_pp", "overlap_ep"]))
def test_overlap_never_costs_time(plan: Plan, name: str) -> None:
    if name == "overlap_ep":
        # It goes with no full recomputation. Shorter passes hide less of what data parallelism sends, which may cost more than
        # they save where the host is what a step waits for (0.4 % at most, of 2,000 drawn).
        recompute = "selective" if plan.strategy.recompute == "full" else plan.strategy.recompute
        plan = replace(plan, strategy=replace(plan.strategy, recompute=recompute, overlap_dp=False))
    on, off = (replace(plan, strategy=replace(plan.strategy, **{name: value})) for value in (True, False))
    assert step_time(on) <= step_time(off) * (1 + 1e-12)


@settings(max_examples=50)
@given(plans())
def test_split_matmuls_hide_links_of_one_scale_up_domain_only(plan: Plan) -> None:
    on, off = (replace(plan, strategy=replace(plan.strategy, overlap_tp=value)) for value in (True, False))
    if on.hides_tensor_links:
        assert step_time(on) <= step_time(off) * (1 + 1e-12)
    else:
        assert step_time(on) == step_time(off)


@settings(max_examples=50)
@given(plans())
def test_recomputing_more_takes_longer_and_holds_less(plan: Plan) -> None:
    # No full recomputation runs beside another micro-batch's dispatch.
    found = [
        predict(replace(plan, strategy=replace(plan.strategy, recompute=word, overlap_ep=False)), under(REAL))
        for word in ("none", "selective", "full")
    ]
    times = [r.step_time.nominal for r in found]
    assert times[0] <= times[2] * (1 + 1e-12) and times[0] <= times[1] * (1 + 1e-12)
    assert found[2].memory["activations"] <= found[0].memory["activations"] * (1 + 1e-12)


@settings(max_examples=50)
@given(plans())
def test_no_plan_exceeds_the_pool(plan: Plan) -> None:
    too_small = replace(plan.pool, chips=max(plan.strategy.chips - 1, 1))
    if too_small.chips < plan.strategy.chips:
        with pytest.raises(InputError, match="but the pool has"):
            predict(replace(plan, pool=too_small))


@settings(max_examples=50)
@given(plans())
def test_idle_chips_change_nothing(plan: Plan) -> None:
    exact = replace(plan, pool=plan.pool.with_chips(plan.strategy.chips))
    assert predict(exact, PHYSICS).step_time == predict(plan, PHYSICS).step_time


def test_more_data_is_proportional_work() -> None:
    def matmul(task: Job) -> float:
        return predict(Plan(task, POOL, Strategy(dp=8)), under(REAL)).breakdown["matmul"]

    assert matmul(job(batch=128)) == pytest.approx(2 * matmul(job(batch=64)))
    assert np.isfinite(matmul(job(batch=64)))
