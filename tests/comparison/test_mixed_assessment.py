"""A mixture means what its parts mean together: two halves of a pool are the pool."""

from dataclasses import replace

import pytest

from tianji import Plan, Strategy, load_pool, make_job
from tianji.catalog.mixtures import load_mixture
from tianji.comparison import Assumptions, assess
from tianji.comparison.mixed_assessment import MixedAssessment, assess_mixture
from tianji.hardware.mixture import Mixture
from tianji.prediction import predict
from tianji.ranges import Range
from tianji.report.documents.bottom_line import mixture_line
from tianji.result import Result
from tianji.search.mixed_batches import Division, Share
from tianji.search.mixed_planner import Alone, MixedOutcome

GIVEN = Assumptions(rents={"hgx-h100": 2.0})


@pytest.fixture(scope="module")
def whole() -> Result:
    return predict(Plan(make_job("llama-3.1-8b", tokens="1T"), load_pool("hgx-h100", 64), Strategy(tp=2, pp=2, dp=16)))


def halves(whole: Result, choice: str = "batches") -> MixedOutcome:
    job, part = whole.plan.job, load_pool("hgx-h100", 32)
    strategy, seconds = replace(whole.plan.strategy, dp=8), whole.step_time.nominal
    shares = tuple(Share(part, job.global_batch_size // 2, strategy, seconds, 0.0) for _ in range(2))
    mixture = Mixture("halves", "Halves", (part, part), load_mixture("a100-h100").joint)
    alone = (Alone(whole.plan.pool, whole),)
    step = Range(whole.step_time.low, seconds, whole.step_time.high, "measured on the parts")
    return MixedOutcome(job, mixture, Division(shares, seconds, 0.0), None, alone, choice, step, "Mix.")


def figures(a: "MixedAssessment | object") -> list[float]:
    names = ("useful", "days", "site_power", "cost_per_hour", "cost_of_run", "energy_of_run")
    return [value for name in names for value in getattr(a, name).to_dict().values()]


def test_two_halves_of_a_pool_are_the_pool(whole: Result) -> None:
    mixed, pool = assess_mixture(halves(whole), GIVEN), assess(whole, GIVEN)
    assert mixed.chips == pool.chips
    assert figures(mixed) == pytest.approx(figures(pool), rel=2e-3)
    assert mixed.unknown == ()


def test_a_part_alone_is_paid_for_alone(whole: Result) -> None:
    mixed, pool = assess_mixture(halves(whole, "alone"), GIVEN), assess(whole, GIVEN)
    assert figures(mixed) == pytest.approx(figures(pool), rel=1e-12)


def test_the_bottom_line_says_whether_to_mix_with_days_money_and_power(whole: Result) -> None:
    mixed, alone = (mixture_line(halves(whole, choice), GIVEN) for choice in ("batches", "alone"))
    assert mixed["answer"].startswith("Yes: mix all 64 chips, side by side")
    assert alone["answer"].startswith("No: do not mix; 64 × hgx-h100 alone")
    for line in (mixed, alone):
        assert all(word in line["amounts"] for word in ("days", "USD", "MW" if "MW" in line["amounts"] else "kW"))
    assert mixed["chance"] == pytest.approx(0.5, abs=0.01)  # half of the pool each, and the whole is as fast
    assert mixed["hinge"].startswith("Mixing gains: at least 50 %")
    assert alone["hinge"].startswith("Mixing loses: at least 50 %")
