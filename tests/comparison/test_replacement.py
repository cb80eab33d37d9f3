import pytest

from tianji.catalog import load_calibration, load_pool, make_job
from tianji.comparison import Assumptions, Replacement, replace_pool
from tianji.comparison.replacement import describe_answer
from tianji.errors import InfeasibleError, UnknownFigureError, UnknownNameError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.workload import Job

pytestmark = pytest.mark.xdist_group("comparison")  # They share what they search.


@pytest.fixture(scope="module")
def found(job: Job, h100: Pool, calibration: Calibration) -> Replacement:
    return replace_pool((job, h100), (job, load_pool("cloudmatrix384")), calibration)


def test_the_answer_is_enough_and_the_next_smaller_size_is_not(found: Replacement) -> None:
    chips, target = found.other.pool.chips, found.first.useful.nominal
    assert found.other.useful.nominal >= target
    smaller = [a for n, a in found.other_curve.points.items() if n < chips and a is not None]
    assert smaller
    assert all(a.useful.nominal < target for a in smaller)


def test_a_pool_is_replaced_by_itself(job: Job, h100: Pool, calibration: Calibration) -> None:
    same = replace_pool((job, h100), (job, h100), calibration)
    assert same.other.pool.chips <= 256
    assert same.other.useful.nominal >= same.first.useful.nominal


def test_every_size_has_its_own_strategy(found: Replacement) -> None:
    layouts = {str(a.result.plan.strategy) for a in found.other_curve.points.values() if a is not None}
    assert len(layouts) > 1
    assert len([a for a in found.other_curve.points.values() if a is not None]) >= 8


def test_the_range_holds_the_answer(found: Replacement) -> None:
    few, nominal, many = found.chips
    assert few is None or few <= nominal
    assert many is None or many >= nominal
    assert describe_answer(found).startswith(f"{nominal:,.0f} chips of cloudmatrix384")


def test_swings_move_around_the_nominal_answer(found: Replacement) -> None:
    assert {s.assumption for s in found.sensitivities} >= {"MFU", "link efficiency", "failure rate", "rent"}
    mfu = next(s for s in found.sensitivities if s.assumption == "MFU")
    assert mfu.at_low > mfu.at_high, "a slower chip costs more for a token"
    assert [s.width for s in found.sensitivities] == sorted((s.width for s in found.sensitivities), reverse=True)


def test_equal_power_and_equal_cost_stay_within_them(job: Job, h100: Pool, calibration: Calibration) -> None:
    other = (job, load_pool("cloudmatrix384"))
    power = replace_pool((job, h100), other, calibration, match="power")
    assert power.other.power is not None
    assert power.first.power is not None
    assert power.other.power.site.nominal <= power.first.power.site.nominal
    cost = replace_pool((job, h100), other, calibration, match="cost")
    assert cost.other.cost_per_hour is not None
    assert cost.first.cost_per_hour is not None
    assert cost.other.cost_per_hour.nominal <= cost.first.cost_per_hour.nominal
    for found in (power, cost):
        few, nominal, many = found.chips
        assert few is not None
        assert many is not None
        assert few < nominal < many
    # By hand: as many chips as the least money buys at the highest price, in whole nodes.
    least, dearest = cost.first.cost_per_hour.low, cost.other.cost_per_hour.high / cost.other.pool.chips
    assert cost.chips[0] == least / dearest // 8 * 8


def test_a_deadline_of_its_own(job: Job, h100: Pool, calibration: Calibration) -> None:
    soon = replace_pool((job, h100), (job, h100), calibration, match="deadline", days=200.0)
    assert soon.other.days is not None
    assert soon.other.days.nominal <= 200.0


def test_at_equal_money_a_higher_rent_buys_fewer_tokens(job: Job, h100: Pool, calibration: Calibration) -> None:
    found = replace_pool((job, h100), (job, load_pool("cloudmatrix384")), calibration, match="cost", points=2)
    rent = next(s for s in found.sensitivities if s.assumption == "rent")
    price = found.other.chip_hour.price
    assert price is not None
    assert rent.at_low / rent.at_high == pytest.approx(price.high / price.low)
    assert "for the same money" in found.answer


def test_at_equal_power_a_bracketed_power_moves_the_answer(job: Job, h100: Pool, calibration: Calibration) -> None:
    found = replace_pool((job, h100), (job, load_pool("atlas-950-superpod")), calibration, match="power", points=2)
    power = next(s for s in found.sensitivities if s.assumption.startswith("power"))
    assert (power.low, power.high) == ("1,100 W", "1,500 W")
    assert power.at_low / power.at_high == pytest.approx(1500 / 1100)


def test_an_owner_is_shown_what_the_price_of_a_chip_does(job: Job, h100: Pool, calibration: Calibration) -> None:
    owned = Assumptions(own=True)
    found = replace_pool((job, h100), (job, h100), calibration, owned, points=2)
    assert {"purchase price", "electricity price"} <= {s.assumption for s in found.sensitivities}


def test_the_range_of_a_given_deadline_is_that_of_the_other_pool_alone(
    job: Job, h100: Pool, calibration: Calibration
) -> None:
    given = replace_pool((job, h100), (job, h100), calibration, match="deadline", days=200.0)
    own = replace_pool((job, h100), (job, h100), calibration, match="deadline")
    assert given.chips[0] is not None
    assert given.chips[2] is not None
    assert own.chips[0] is not None
    assert own.chips[2] is not None
    assert given.chips[2] / given.chips[0] < own.chips[2] / own.chips[0]


def test_a_price_that_nobody_published_is_asked_for(job: Job, h100: Pool, calibration: Calibration) -> None:
    other = (job, load_pool("atlas-950-superpod"))
    with pytest.raises(UnknownFigureError, match="--rent ascend-950dt=USD"):
        replace_pool((job, h100), other, calibration, match="cost")
    given = Assumptions(rents={"ascend-950dt": 1.5})
    assert replace_pool((job, h100), other, calibration, given, match="cost").other.cost is not None


def test_what_cannot_be_is_said(job: Job, h100: Pool, calibration: Calibration) -> None:
    with pytest.raises(UnknownNameError, match="throughput"):
        replace_pool((job, h100), (job, h100), calibration, match="price")
    with pytest.raises(InfeasibleError, match="does not fit 8 chips"):
        replace_pool((make_job("llama-3.1-405b"), load_pool("hgx-h100", 8)), (job, h100), calibration)
    with pytest.raises(InfeasibleError, match="at most 8,192"):
        replace_pool((job, h100), (job, load_pool("atlas-950-superpod")), calibration, match="deadline",
                     days=0.01)  # fmt: skip


def test_swings_move_the_number_of_chips_as_they_move_the_speed(found: Replacement, job: Job, h100: Pool) -> None:
    for s in found.sensitivities:
        faster, slower = sorted(((s.speed_at_low, s.chips_at_low), (s.speed_at_high, s.chips_at_high)), reverse=True)
        if faster[1] and slower[1]:
            assert faster[1] <= slower[1], s.assumption
    same = next(s for s in found.sensitivities if s.assumption == "rent")
    assert (same.speed_at_low, same.speed_at_high) == (1.0, 1.0)
    assert same.chips_at_low == same.chips_at_high
    power = replace_pool((job, h100), (job, load_pool("cloudmatrix384")), load_calibration(), match="power", points=4)
    assert all(s.chips_at_low is None for s in power.sensitivities)
