"""What holds of any two pools: ratios mirror each other, ranges nest, more chips are never fewer, units agree."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tianji.catalog import load_calibration, load_pool, make_job
from tianji.comparison import MATCHES, Assessment, Assumptions, Comparison, assess, replace_pool
from tianji.comparison.curve import Curve
from tianji.comparison.measures import MEASURES, Measure
from tianji.comparison.side_by_side import _cost_factors, _speed_factors, describe_verdicts
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.prediction import predict
from tianji.ranges import Range
from tianji.units import TERA

CALIBRATION = load_calibration("default")
JOB = make_job("llama-3.1-8b", 8192, 256, tokens="1T")
STRATEGY = Strategy(tp=2, dp=16)
H100 = assess(predict(Plan(JOB, load_pool("hgx-h100", 32), STRATEGY), CALIBRATION))
ASCEND = assess(predict(Plan(JOB, load_pool("cloudmatrix384", 32), STRATEGY), CALIBRATION))
SIZES = Curve(JOB, load_pool("hgx-h100"), CALIBRATION, Assumptions()).counts(8, 1024)

factors = st.floats(0.2, 5.0)
both = st.permutations([H100, ASCEND])


def at_speed(a: Assessment, factor: float, chips: int | None = None) -> Assessment:
    """Return an assessment whose useful tokens a second are so many times as many, on so many chips."""
    plan = replace(a.result.plan, pool=replace(a.pool, chips=chips or a.pool.chips))
    return replace(a, result=replace(a.result, plan=plan, step_time=a.result.step_time * (1 / factor)))


def curve_of(speeds: list[float]) -> Curve:
    """Return a curve that gives so many times the useful tokens of the H100s, one factor for each size."""
    points = {n: at_speed(H100, speed, n) for n, speed in zip(SIZES, speeds, strict=False)}
    pool = load_pool("hgx-h100")
    return Curve(JOB, replace(pool, max_chips=max(points)), CALIBRATION, Assumptions(), dict(points))


def useful_of(a: Assessment | None) -> float:
    assert a is not None
    return a.useful.nominal


growing = st.lists(st.floats(1.001, 2.0), min_size=len(SIZES), max_size=len(SIZES)).map(
    lambda steps: [math.prod(steps[: i + 1]) for i in range(len(steps))]
)
"""Speeds that grow with the chips, by any steps."""


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.key)
@given(both, factors)
def test_ratios_mirror_each_other(measure: Measure, pair: list[Assessment], factor: float) -> None:
    a, b = pair[0], at_speed(pair[1], factor)
    (itself, over), (_, back) = (Comparison(two, ()).ratios(measure.key) for two in ((a, b), (b, a)))
    assert itself is None or itself.nominal == pytest.approx(1.0)
    assert (over is None) == (back is None)
    if over is not None and back is not None:
        assert (over.low, over.nominal, over.high) == pytest.approx((1 / back.high, 1 / back.nominal, 1 / back.low))


@given(st.floats(0.5, 1.0), st.floats(1.0, 2.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_narrower_step_narrows_all_that_follows(low: float, high: float, up: float, down: float) -> None:
    """``up`` and ``down`` move both ends towards the nominal value."""
    nominal = H100.result.step_time.nominal
    wide = Range(nominal * low, nominal, nominal * high)
    narrow = Range(wide.low + (nominal - wide.low) * up, nominal, wide.high - (wide.high - nominal) * down)
    inner, outer = (assess(replace(H100.result, step_time=step)) for step in (narrow, wide))
    for measure in MEASURES:
        x, y = measure.of(inner), measure.of(outer)
        assert (x is None) == (y is None)
        if x is not None and y is not None:
            assert y.low <= x.low * (1 + 1e-12), measure.key
            assert x.high <= y.high * (1 + 1e-12), measure.key
            assert x.nominal == pytest.approx(y.nominal)


@given(both, factors)
def test_measures_agree_with_each_other_in_their_units(pair: list[Assessment], factor: float) -> None:
    a = assess(at_speed(pair[0], factor).result)
    value = {m.key: one.nominal * m.scale for m in MEASURES if (one := m.of(a)) is not None}
    assert value["days"] * value["useful_tokens_per_day"] * 1e9 == pytest.approx(JOB.tokens)
    assert value["tokens_per_s"] * value["goodput"] / 100 * 86400 / 1e9 == pytest.approx(value["useful_tokens_per_day"])
    assert value["tokens_per_s_per_chip"] * a.pool.chips == pytest.approx(value["tokens_per_s"])
    hours = TERA / a.useful.nominal / 3600
    assert value["cost"] * 1e3 == pytest.approx(value["chip_hour"] * value["chips"] * hours)
    assert a.power is not None
    watts = value["power"] * 1e3 * a.power.pue.nominal
    assert value["energy_per_token"] == pytest.approx(watts / a.useful.nominal)
    assert value["carbon"] * 1e3 == pytest.approx(value["energy_per_token"] * TERA / 3.6e6 * a.site.carbon.value)
    assert value["power_idle"] < value["power"] <= value["power_site"]


@given(both, factors)
def test_the_parts_that_decide_multiply_to_the_whole(pair: list[Assessment], factor: float) -> None:
    a, b = pair[0], assess(at_speed(pair[1], factor).result)
    assert math.prod(_speed_factors(a, b).values()) == pytest.approx(a.useful.nominal / b.useful.nominal)
    assert a.cost is not None
    assert b.cost is not None
    assert math.prod(_cost_factors(a, b).values()) == pytest.approx(a.cost.nominal / b.cost.nominal)


@given(both, st.floats(0.02, 50.0))
def test_there_is_a_verdict_where_ranges_do_not_overlap_and_who_is_ahead_does_not_hang_on_the_order(
    pair: list[Assessment], factor: float
) -> None:
    a, b = pair[0], assess(at_speed(pair[1], factor).result)
    speed, cost = describe_verdicts((a, b))
    assert speed.startswith("No verdict") == a.useful.overlaps(b.useful)
    assert a.cost is not None
    assert b.cost is not None
    assert cost.startswith("No verdict") == a.cost.overlaps(b.cost)
    if not speed.startswith("No verdict"):
        faster = max((a, b), key=useful_of)
        assert speed.startswith(f"{faster.pool.chips:,} × {faster.pool.name} is ahead")
        other_way = describe_verdicts((b, a))[0]
        assert other_way.partition(":")[0] == speed.partition(":")[0]
        # The ratio is of the pool that is named later over the earlier one.
        assert f"{a.pool.name} gives" in other_way and f"{b.pool.name} gives" in speed


@settings(deadline=None)
@given(growing, st.data())
def test_the_smallest_size_is_the_smallest_and_more_work_never_takes_fewer_chips(
    speeds: list[float], data: st.DataObject
) -> None:
    curve = curve_of(speeds)
    base, most = H100.useful.nominal, speeds[-1]
    small, large = sorted(data.draw(st.tuples(*[st.floats(speeds[0] / 2, most * 1.5)] * 2)))
    sizes = []
    for target in (small, large):
        size = curve.find_smallest(target * base, SIZES[0], SIZES[-1])
        enough = [n for n, speed in zip(SIZES, speeds, strict=True) if useful_of(curve.points[n]) >= target * base]
        assert (size.pool.chips if size else None) == (enough[0] if enough else None), speeds
        sizes.append(size.pool.chips if size else math.inf)
    assert sizes[0] <= sizes[1]


@given(growing, st.data())
def test_chips_are_read_off_between_the_sizes_that_were_tried(speeds: list[float], data: st.DataObject) -> None:
    curve = curve_of(speeds)
    for n in SIZES:
        assert curve.solve(useful_of(curve.points[n]), "nominal") == pytest.approx(n)
    i = data.draw(st.integers(0, len(SIZES) - 2))
    share = data.draw(st.floats(0.01, 0.99))
    ends = [useful_of(curve.points[n]) for n in SIZES[i : i + 2]]
    between = curve.solve(ends[0] + (ends[1] - ends[0]) * share, "nominal")
    assert between is not None
    assert SIZES[i] <= between * (1 + 1e-9)
    assert between <= SIZES[i + 1] * (1 + 1e-9)
    assert curve.solve(useful_of(curve.points[SIZES[-1]]) * 1.01, "nominal") is None


@given(st.integers(1, len(SIZES) - 2))
def test_the_knee_is_where_more_chips_stop_helping(place: int) -> None:
    assert curve_of([float(n) for n in SIZES]).knee() is None, "all chips help alike"
    assert curve_of([float(min(n, SIZES[place])) for n in SIZES]).knee() == SIZES[place]


@pytest.mark.parametrize("match", MATCHES)
def test_a_pool_replaces_itself(match: str) -> None:
    """Fewer chips may do as well, but never more; the bracket holds the pool's own number."""
    itself = JOB, load_pool("hgx-h100", 32)
    answer = replace_pool(itself, itself, CALIBRATION, match=match, points=6)
    few, nominal, many = answer.chips
    assert nominal <= 32
    assert (few or 0.0) <= 32 <= (many or math.inf)
    assert answer.nominal == pytest.approx(1.0, abs=0.05)
