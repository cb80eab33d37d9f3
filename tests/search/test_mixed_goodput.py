"""Goodput of a mixture: the failures of its parts add up."""

from dataclasses import replace

import pytest

from tianji import Plan, Reliability, Strategy, load_pool, make_job
from tianji.catalog.failures import failures_of
from tianji.catalog.mixtures import load_mixture
from tianji.errors import IllegalStrategyError
from tianji.hardware import Pool
from tianji.hardware.mixture import Mixture
from tianji.parallel.grid import Grid
from tianji.perf.stages import Stage, stage
from tianji.prediction import predict
from tianji.prediction.goodput import expect_goodput, find_exposure
from tianji.ranges import Range
from tianji.reliability.failure_case import find_case, find_joint_case
from tianji.result import Result
from tianji.search.mixed_batches import Division, Share
from tianji.search.mixed_goodput import expect_mixed_goodput, find_exposures
from tianji.search.mixed_planner import Alone, MixedOutcome
from tianji.search.mixed_stages import Chain, find_stages
from tianji.units import DAY

WHOLE = Strategy(tp=2, pp=2, dp=16)
HALF = replace(WHOLE, dp=8)


@pytest.fixture(scope="module")
def whole() -> Result:
    return predict(Plan(make_job("llama-3.1-8b", tokens="1T"), load_pool("hgx-h100", 64), WHOLE))


def mix(whole: Result, *parts: Pool, choice: str = "batches", strategy: Strategy = HALF) -> MixedOutcome:
    """Return parts side by side, and as one pipeline, in the step time of the whole."""
    job, seconds = whole.plan.job, whole.step_time.nominal
    shares = tuple(Share(part, job.global_batch_size // len(parts), strategy, seconds, 0.0) for part in parts)
    chain = Chain(WHOLE, parts, ((16,), (16,)), seconds, (0.0, 0.0), {})
    mixture = Mixture("halves", "Halves", parts, load_mixture("a100-h100").joint)
    alone = tuple(Alone(part, whole if choice == "alone" else None) for part in parts)
    division = Division(shares, seconds, 0.0)
    return MixedOutcome(job, mixture, division, chain, alone, choice, Range(seconds, seconds, seconds), "")


def halves(whole: Result, choice: str = "batches", **changed: int) -> MixedOutcome:
    half = load_pool("hgx-h100", 32)
    return mix(whole, half, half, choice=choice, strategy=replace(HALF, **changed))


@pytest.mark.parametrize("zero", [0, 1])
@pytest.mark.parametrize("choice", ["batches", "stages"])
def test_two_halves_of_a_pool_are_exposed_as_the_whole_pool(whole: Result, choice: str, zero: int) -> None:
    strategy = replace(WHOLE, zero=zero)
    pooled = find_exposure(predict(replace(whole.plan, strategy=strategy)))
    outcome = halves(whole, choice, zero=zero)
    assert outcome.chain is not None
    outcome = replace(outcome, chain=replace(outcome.chain, strategy=strategy))
    parts = find_exposures(outcome)
    assert sum(part.chips for part in parts) == pooled.chips == 64
    assert {part.state for part in parts} == {pooled.state}
    # One stage has the embedding, the other the head and the last norm: the pool's fullest chip counts the former.
    assert max(part.share for part in parts) == pytest.approx(pooled.share, rel=1e-5)
    profile = failures_of(pooled.pool.chip)
    joined, single = (
        find_joint_case(Reliability(), [(profile, part) for part in parts]),
        find_case(Reliability(), profile, pooled),
    )
    assert joined.rate == pytest.approx(single.rate)
    # 8 hosts of the published rate each.
    assert joined.rate * DAY == pytest.approx(8 * 3.789e-3)
    assert joined.corruption_rate == pytest.approx(single.corruption_rate)
    assert (joined.straggle, joined.repair, joined.spares) == (single.straggle, single.repair, single.spares)


@pytest.mark.parametrize("choice", ["batches", "stages"])
def test_two_halves_of_a_pool_have_its_goodput(whole: Result, choice: str) -> None:
    found, pooled = expect_mixed_goodput(halves(whole, choice)), expect_goodput(whole)
    for case in ("low", "nominal", "high"):
        assert getattr(found, case).goodput == pytest.approx(getattr(pooled, case).goodput, rel=1e-6)
    assert found.goodput.leans_on == pooled.goodput.leans_on == "failure profile default"
    assert found.spare_nodes == pooled.spare_nodes


def test_unlike_parts_fail_by_their_own_profiles_and_have_their_own_spares(whole: Result) -> None:
    hopper, rack = load_pool("hgx-h100", 32), load_pool("gb200-nvl72", 32)
    found = expect_mixed_goodput(mix(whole, hopper, rack))
    # Four nodes of eight H100 and eight of four GB200.
    assert DAY / found.nominal.mtbf == pytest.approx(4 * 3.789e-3 + 8 * 2.0e-3)
    assert found.goodput.leans_on == "failure profiles default, gb200-nvl72"
    # A spare of each kind for at most 0.04 nodes in repair of each: P(none away) is under 99 %.
    assert found.spare_nodes == 2
    assert found.low.goodput < found.nominal.goodput < found.high.goodput < 1


def test_the_slowest_part_sets_the_save_and_the_recovery(whole: Result) -> None:
    hopper, rack = load_pool("hgx-h100", 32), load_pool("gb200-nvl72", 32)
    parts = [(failures_of(part.pool.chip), part) for part in find_exposures(mix(whole, hopper, rack))]
    joined, single = find_joint_case(Reliability(), parts), [find_case(Reliability(), *part) for part in parts]
    assert joined.storage.stop == max(course.storage.stop for course in single)
    assert joined.storage.load == max(course.storage.load for course in single)


@pytest.mark.parametrize(("choice", "reason"), [("batches", "unlike"), ("stages", "runs through all parts")])
def test_a_lost_replica_of_a_mixture_is_refused_with_the_reason(whole: Result, choice: str, reason: str) -> None:
    with pytest.raises(IllegalStrategyError, match=reason):
        expect_mixed_goodput(halves(whole, choice), Reliability(loss="replica"))


def test_a_part_alone_has_the_goodput_of_its_pool(whole: Result) -> None:
    outcome, lost = halves(whole, "alone"), Reliability(loss="replica")
    assert expect_mixed_goodput(outcome) == expect_goodput(whole)
    assert expect_mixed_goodput(outcome, lost) == expect_goodput(whole, lost)


def test_a_part_has_the_stages_of_its_layers(whole: Result) -> None:
    model = whole.plan.job.model
    (first,), (last,) = find_stages(model, ((16,), (16,)))
    expected: list[Stage] = [stage(model, Grid.of(WHOLE).pp, Grid.of(WHOLE).pp * 0 + place) for place in (0, 1)]
    assert [float(s.layers) for s in (first, last)] == [float(s.layers.item()) for s in expected]
