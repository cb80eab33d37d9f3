"""What fails, and how often: the causes add up to the all-cause rate, and grow with what they are counted by."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reliability.samples import PROFILE

from tianji.catalog import failures_of, load_pool
from tianji.hardware import Figure
from tianji.reliability.hazards import YEAR, domain_chips, find_hazards
from tianji.units import DAY

H100 = load_pool("hgx-h100", 131_072)


def rates(pool: str, chips: int, case: str = "nominal") -> dict[str, float]:
    return {h.component: h.rate for h in find_hazards(PROFILE, load_pool(pool, chips), chips, case)}


@pytest.mark.parametrize(("case", "rate"), [("low", 0.00234), ("nominal", 0.003789), ("high", 0.0065)])
def test_causes_add_up_to_the_rate_of_a_node(case: str, rate: float) -> None:
    assert sum(rates("hgx-h100", 16_384, case).values()) == pytest.approx(2048 * rate / DAY)


def test_llama_3_is_interrupted_419_times_in_54_days() -> None:
    found = {name: rate * 54 * DAY for name, rate in rates("hgx-h100", 16_384).items()}
    assert sum(found.values()) == pytest.approx(419, rel=2e-4)
    assert found["memory"] == pytest.approx(72, rel=2e-4)
    assert found["software"] == pytest.approx(54 + 7 + 2, rel=2e-4)
    assert found["link"] + found["switch"] == pytest.approx(35 + 7, rel=2e-4)
    assert found["chip"] == pytest.approx(148 + 19 + 17 + 6 + 6, rel=2e-4)
    assert found["node"] == pytest.approx(32 + 3 + 3 + 2 + 2 + 2 + 2, rel=2e-4)


def test_optical_modules_count_where_the_pool_states_them() -> None:
    # 6,912 modules fail 1 % a year, and nine of ten failures are masked.
    assert rates("cloudmatrix384", 384)["optics"] == pytest.approx(6912 * 0.01 * 0.1 / YEAR)
    assert "optics" not in rates("hgx-h100", 384)


def test_masking_helps_most_in_the_case_of_few_failures() -> None:
    low, nominal, high = (rates("cloudmatrix384", 384, case)["optics"] for case in ("low", "nominal", "high"))
    assert low == pytest.approx(6912 * 0.0044 * 0.01 / YEAR)
    assert low < nominal < high


def test_a_domain_with_a_rate_of_its_own_comes_on_top() -> None:
    feed = Figure(0.5, "a test", "user")
    profile = replace(PROFILE, domain_rates={"power": feed, "unit": feed, "cabinet": feed})
    pool = load_pool("cloudmatrix384", 768)
    found = {h.component: h.rate for h in find_hazards(profile, pool, 768)}
    assert found["power"] == pytest.approx(0.5 / YEAR)
    assert found["unit"] == pytest.approx(2 * 0.5 / YEAR)
    assert found["cabinet"] == pytest.approx(2 * 16 * 0.5 / YEAR)
    assert [domain_chips(name, pool, 768) for name in ("power", "unit", "cabinet", "chip")] == [768, 384, 24, 8]


def test_domains_nest() -> None:
    sizes = [domain_chips(name, load_pool("gb200-nvl72", 720), 720) for name in ("chip", "unit", "power")]
    assert sizes == [load_pool("gb200-nvl72").node, 72, 720]


@given(chips=st.integers(1, 131_072))
def test_more_chips_never_fail_less(chips: int) -> None:
    more = min(chips + 8, 131_072)
    fewer_rate, more_rate = (sum(h.rate for h in find_hazards(PROFILE, H100, n)) for n in (chips, more))
    assert more_rate >= fewer_rate


@pytest.mark.parametrize("case", ["low", "nominal", "high"])
def test_the_same_hardware_fails_as_often_counted_in_packages_and_in_dies(case: str) -> None:
    packages, dies = load_pool("cloudmatrix384"), load_pool("atlas-900-a3-dies")
    found = find_hazards(failures_of(packages.chip), packages, 384, case)
    assert {h.component: h.rate for h in find_hazards(failures_of(dies.chip), dies, 768, case)} == pytest.approx(
        {h.component: h.rate for h in found}
    )
