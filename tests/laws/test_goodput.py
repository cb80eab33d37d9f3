"""Laws of goodput: a share of the time, less of it with more failures, and no better interval than the best."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reliability.samples import PROFILE, exposure

from tianji.errors import EnvelopeError
from tianji.hardware.failure_profile import RUNGS
from tianji.reliability import Reliability, expect
from tianji.reliability.montecarlo import sample

STORES = (("storage",), ("peer", "storage"), ("local", "peer", "storage"))

choices = st.fixed_dictionaries(
    {
        "recovery": st.sampled_from(RUNGS),
        "stores": st.sampled_from(STORES),
        "asynchronous": st.booleans(),
        "replacement": st.sampled_from(["spare", "shrink"]),
        "loss": st.sampled_from(["job", "replica"]),
        "corruption": st.booleans(),
        "spare_nodes": st.sampled_from([0, 2, 20, 400]),
    },
    optional={
        "save_time": st.floats(0.01, 600.0),
        "recovery_time": st.floats(1.0, 3600.0),
        "interval": st.floats(30.0, 20_000.0),
    },
).map(lambda changes: Reliability(**changes))
jobs = st.builds(exposure, st.integers(1, 2**14).map(lambda n: 8 * n), st.sampled_from(["hgx-h100", "cloudmatrix384"]))


def at_rate(chosen: Reliability, job: Any, factor: float) -> float | None:
    rate = replace(PROFILE.node_rate, value=PROFILE.node_rate.value * factor, low=None, high=None)
    try:
        return expect(chosen, replace(PROFILE, node_rate=rate), job).goodput
    except EnvelopeError:
        return None


@given(chosen=choices, job=jobs, case=st.sampled_from(["low", "nominal", "high"]))
def test_goodput_is_a_share_of_the_time(chosen: Reliability, job: Any, case: str) -> None:
    try:
        found = expect(chosen, PROFILE, job, case)
    except EnvelopeError:
        return
    assert 0 < found.goodput <= 1
    assert abs(found.goodput + sum(found.losses.values()) - 1) < 1e-9
    assert min(found.losses.values()) >= 0


@given(chosen=choices, job=jobs, factor=st.floats(1.0, 4.0))
def test_more_failures_never_help(chosen: Reliability, job: Any, factor: float) -> None:
    before, after = at_rate(chosen, job, 1.0), at_rate(chosen, job, factor)
    if before is not None and after is not None:
        assert after <= before * (1 + 1e-9)


@given(chosen=choices, job=jobs, factor=st.floats(0.3, 3.0))
def test_no_interval_is_better_than_the_recommended_one(chosen: Reliability, job: Any, factor: float) -> None:
    chosen = replace(chosen, interval=None, loss="job", stores=("storage",), recovery="job")
    try:
        best = expect(chosen, PROFILE, job)
        other = expect(replace(chosen, interval=best.intervals["storage"] * factor), PROFILE, job)
    except EnvelopeError:
        return
    drain = job.state / PROFILE.storage_bandwidth.value
    # An interval shorter than a save takes to drain, or than a step, cannot be.
    if best.intervals["storage"] * factor >= max(drain, job.step_time):
        assert other.goodput <= best.goodput * (1 + 1e-12)


@given(chosen=choices, job=jobs, factor=st.floats(1.0, 10.0))
def test_a_slower_recovery_never_helps(chosen: Reliability, job: Any, factor: float) -> None:
    quick, slow = (replace(chosen, recovery_time=60.0 * f) for f in (1.0, factor))
    try:
        assert expect(slow, PROFILE, job).goodput <= expect(quick, PROFILE, job).goodput * (1 + 1e-9)
    except EnvelopeError:
        return


@settings(max_examples=10)
@given(chosen=choices, job=jobs, seed=st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_runs(chosen: Reliability, job: Any, seed: int) -> None:
    short = replace(chosen, horizon=86400.0)
    first, again = (sample(short, PROFILE, job, jobs=20, seed=seed) for _ in range(2))
    assert first == again
    assert 0 < first.goodput <= 1
