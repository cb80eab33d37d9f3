"""Many unlike plans at once cost what each costs alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import CHIP, DENSE, SPARSE, make_plan
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.prediction import bundle, predict, predict_many
from tianji.prediction.many import predict_slopes
from tianji.workload import Model

REAL = Calibration(chips={CHIP.name: Constants(matmul_half_size=50.0, straggle=0.01, scale_up_latency=1e-6)})


def one(model: Model, tp: int, dp: int, batch: int, seq_len: int) -> Plan:
    return make_plan(Strategy(tp=tp, dp=dp), model, chips=64, batch=batch, seq_len=seq_len)


PLANS = st.builds(
    one,
    st.sampled_from([DENSE, SPARSE]),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([1, 8]),
    st.sampled_from([64, 128]),
    st.sampled_from([512, 1024]),
)


@given(st.lists(PLANS, min_size=1, max_size=6))
def test_together_as_alone(plans: list[Plan]) -> None:
    prices = predict_many(bundle(plans), REAL.constants)
    for i, plan in enumerate(plans):
        alone = predict(plan, REAL)
        assert prices.step_time[i] == pytest.approx(alone.step_time.nominal, rel=1e-12)
        assert prices.memory[i] == pytest.approx(alone.memory_total, rel=1e-12)
        assert sum(t[i] for t in prices.terms.values()) == pytest.approx(prices.step_time[i], rel=1e-12)


def test_like_jobs_share_a_bundle() -> None:
    assert len(bundle([one(DENSE, 1, 1, 64, 512), one(DENSE, 2, 8, 128, 1024)])) == 1
    assert len(bundle([one(DENSE, 1, 1, 64, 512), one(SPARSE, 1, 1, 64, 512)])) == 2


def test_slopes_alone_are_those_beside_prices() -> None:
    constants = Constants(matmul_efficiency=0.7, straggle=0.01, op_overhead=1e-6, overlap_efficiency=0.5)
    groups = bundle([one(DENSE, 2, 8, 64, 512), one(DENSE, 1, 8, 64, 512), one(SPARSE, 2, 8, 128, 1024)])
    felt = ("matmul_efficiency", "straggle", "op_overhead", "overlap_efficiency")
    slopes = predict_slopes(groups, constants, felt)
    assert slopes == pytest.approx(predict_many(groups, lambda _: constants, felt).slopes, rel=1e-9, abs=1e-12)
    assert (slopes[0] < -0.1).all()
