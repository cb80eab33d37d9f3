"""The same question at other batches: one table, and a sentence where the answer moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tianji
from tianji.api.quantities import read_batches
from tianji.catalog import load_pool
from tianji.comparison import compare
from tianji.comparison.batches import SAME, describe_batches, round_batches
from tianji.errors import FormatError
from tianji.hardware.calibration import Calibration
from tianji.workload import Job

MODEL = "llama-3.1-8b"


@given(st.integers(1, 10**6))
def test_round_batches_are_the_nearest_powers_of_two_on_both_sides(batch: int) -> None:
    around = round_batches(batch)
    assert all(n & (n - 1) == 0 for n in around)
    assert batch not in around
    assert around[-1] > batch >= around[-1] / 2
    assert all(batch / 2 <= n < batch for n in around[:-1])


def test_a_batch_that_divides_badly_on_one_pool_is_said(calibration: Calibration) -> None:
    job = tianji.make_job(MODEL, 8192, 768)
    found = compare([(job, load_pool("hgx-h100", 1024)), (job, load_pool("hgx-h100", 768))], calibration)
    assert [point.batch for point in found.batches] == [512, 768, 1024]
    own, other = found.batches[1].ratio(0, 1), found.batches[2].ratio(0, 1)
    assert own is not None
    assert other is not None
    assert abs(other.nominal / own.nominal - 1) > SAME
    assert f"{other.nominal:.2f} at 1,024" in describe_batches(found.batches, 768, 0, 1)
    assert f"instead of {own.nominal:.2f}" in describe_batches(found.batches, 768, 0, 1)


def test_a_pool_against_itself_is_the_same_at_every_batch(job: Job, calibration: Calibration) -> None:
    pool = load_pool("hgx-h100", 64)
    found = compare([(job, pool), (job, pool)], calibration)
    assert found.batch_line == "At 512 and 2,048 sequences a step the answer is the same."


def test_each_batch_of_a_list_gives_what_it_gives_alone() -> None:
    pools = "64xhgx-h100", "64xatlas-900-a2"
    document = tianji.compare(MODEL, *pools, batch="256, 512").document
    assert document["job"]["global_batch_size"] == 256
    points = {point["batch"]: point for point in document["batches"]["points"]}
    assert [batch for batch, point in points.items() if point["is_answer"]] == [256]
    alone = tianji.compare(MODEL, *pools, batch=512).document
    for here, there in zip(points[512]["pools"], alone["pools"], strict=True):
        assert here["useful_tokens_per_s"] == there["measures"]["useful_tokens_per_day"]["value"] or here[
            "step_time_s"
        ] == pytest.approx(there["plan"]["step_time_s"], rel=1e-12)


def test_plan_size_and_replace_take_a_list() -> None:
    planned = tianji.plan(MODEL, "hgx-h100", chips=64, batch=[256, 512], top=1).document
    alone = tianji.plan(MODEL, "hgx-h100", chips=64, batch=512, top=1)
    (_, at_512) = planned["batches"]["points"]
    assert at_512["pools"][0]["step_time_s"] == pytest.approx(alone.best.step_time.nominal)
    assert alone.document["batches"] is None
    sized = tianji.size(MODEL, "hgx-h100", days=30, tokens="1T", batch="1024,2048").document
    assert [point["batch"] for point in sized["batches"]["points"]] == [1024, 2048]
    assert sized["batches"]["says"]
    replaced = tianji.replace(MODEL, "16xhgx-h100", "atlas-900-a2", batch="256, 512", points=2).document
    chips = {point["batch"]: point["pools"][1]["chips"] for point in replaced["batches"]["points"]}
    assert chips[256] == replaced["chips"]
    assert set(chips) == {256, 512}


@pytest.mark.parametrize("text", ["64,512", [], ",", "512,", "x,2", ",".join(str(n) for n in range(100, 120))])
def test_what_is_no_list_of_batches_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="--batch"):
        read_batches(text)
