"""Unlike chips together: the mix beats its best part where the link allows, and is refused where it does not."""

from dataclasses import replace

import pytest

from tianji.catalog import load_calibration, load_model
from tianji.catalog.mixtures import load_mixture
from tianji.errors import IllegalStrategyError
from tianji.hardware.mixture import Mixture
from tianji.search.mixed_planner import MixedOutcome, plan_mixture
from tianji.workload import Job, find_precision

CALIBRATION = load_calibration()


def small(name: str = "a100-h100", chips: int = 16) -> Mixture:
    found = load_mixture(name)
    return replace(found, parts=tuple(part.with_chips(chips) for part in found.parts))


def scale_joint(mixture: Mixture, factor: float) -> Mixture:
    joint = mixture.joint
    assert joint.bandwidth is not None
    figure = replace(joint.bandwidth, value=joint.bandwidth.value * factor)
    return replace(mixture, joint=replace(joint, bandwidth=figure))


def planned(factor: float, name: str = "a100-h100", model: str = "llama-3.1-8b") -> MixedOutcome:
    job = Job(load_model(model), 4096, 128, find_precision("bf16"))
    return plan_mixture(job, scale_joint(small(name), factor), CALIBRATION)


def best_alone(outcome: MixedOutcome) -> float:
    return min(a.result.step_time.nominal for a in outcome.alone if a.result)


@pytest.fixture(scope="module")
def fast() -> MixedOutcome:
    return planned(1.0)


def test_over_a_fast_link_the_mix_beats_its_best_part(fast: MixedOutcome) -> None:
    assert fast.choice == "batches"
    assert fast.step_time.nominal < best_alone(fast)
    assert fast.chips == 32


def test_over_a_slow_link_one_pipeline_runs_through_both() -> None:
    outcome = planned(0.1)
    assert outcome.choice == "stages"
    assert outcome.step_time.nominal < best_alone(outcome)


def test_over_a_hopeless_link_mixing_is_refused_with_the_reason() -> None:
    outcome = planned(1e-4)
    assert outcome.choice == "alone"
    assert outcome.step_time.nominal == best_alone(outcome)
    assert outcome.verdict.startswith("Do not mix: hgx-h100 alone")
    assert outcome.chips == 16


def test_the_faster_chips_get_the_larger_batch_and_all_of_it_is_dealt_out(fast: MixedOutcome) -> None:
    division = fast.division
    assert division is not None
    slow, quick = division.shares
    assert slow.pool.name == "hgx-a100"
    assert slow.batch < quick.batch
    assert slow.batch + quick.batch == fast.job.global_batch_size


def test_the_parts_finish_nearly_together(fast: MixedOutcome) -> None:
    assert fast.division is not None
    seconds = [share.seconds for share in fast.division.shares]
    assert min(seconds) > 0.75 * max(seconds)


def test_the_faster_chips_hold_more_layers_and_every_layer_has_its_place(fast: MixedOutcome) -> None:
    chain = fast.chain
    assert chain is not None
    layers = dict(zip((p.name for p in chain.pools), chain.layers, strict=True))
    assert max(layers["hgx-a100"]) < min(layers["hgx-h100"])
    assert sum(map(sum, chain.layers)) == fast.job.model.num_layers
    assert sum(map(len, chain.layers)) == chain.strategy.pp


def test_the_breakdown_of_the_chain_adds_up(fast: MixedOutcome) -> None:
    assert fast.chain is not None
    assert sum(fast.chain.breakdown.values()) == pytest.approx(fast.chain.step_time)


def test_no_plan_fits_a_pool_that_is_too_small() -> None:
    from tianji.errors import InfeasibleError

    job = Job(load_model("llama-3.1-405b"), 4096, 128, find_precision("bf16"))
    with pytest.raises(InfeasibleError, match=r"no plan for llama-3\.1-405b on a100-h100"):
        plan_mixture(job, small(chips=8), CALIBRATION)


def test_layers_are_held_for_a_pipeline_through_both() -> None:
    """Half the layers on each part is what unlike chips should not have: naming it costs time, and what is named is taken."""
    job = Job(load_model("llama-3.1-8b"), 4096, 128, find_precision("bf16"))
    free = plan_mixture(job, small(), CALIBRATION, fixed={"cp": 1, "tp": 2}).chain
    held = plan_mixture(job, small(), CALIBRATION, fixed={"cp": 1, "tp": 2, "stages": "8,8,8,8"}).chain
    assert free is not None
    assert held is not None
    assert held.layers == ((8, 8), (8, 8))
    assert free.step_time < 0.9 * held.step_time
    slow, fast = sorted(zip(free.pools, free.layers, strict=True), key=lambda part: part[0].chip.matrix_peak("bf16"))
    assert sum(slow[1]) < sum(fast[1])
    with pytest.raises(IllegalStrategyError, match="holds 3 layers, but the model has 32"):
        plan_mixture(job, small(), CALIBRATION, fixed={"stages": "1,2"})
