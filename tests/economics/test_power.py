import pytest

from tianji.catalog import load_pool, load_site, site_of
from tianji.economics import find_power
from tianji.economics.power import find_pue
from tianji.errors import UnknownFigureError

CHINA, USA = load_site("china"), load_site("usa")


@pytest.mark.parametrize(("pool", "kilowatts", "chip"), [("cloudmatrix384", 559, 1456), ("gb200-nvl72", 145, 2014)])
def test_the_published_pods(pool: str, kilowatts: float, chip: float) -> None:
    draw = find_power(load_pool(pool), USA)
    assert draw.unit.nominal == pytest.approx(kilowatts * 1000)
    assert draw.chip.nominal == pytest.approx(chip, abs=1)
    assert draw.basis == "published"


def test_a_cabinet_of_cloudmatrix_has_35_kw() -> None:
    draw = find_power(load_pool("cloudmatrix384"), CHINA)
    assert draw.cabinet is not None
    assert draw.cabinet.nominal == pytest.approx(34.9e3, rel=0.01)
    assert draw.node.nominal == pytest.approx(8 * 1456, rel=0.001)
    assert draw.idle.nominal < draw.busy.nominal <= draw.stated.nominal < draw.site.nominal


def test_atlas_950_is_a_bracket_and_says_so() -> None:
    draw = find_power(load_pool("atlas-950-superpod"), CHINA)
    assert draw.basis == "bracket"
    assert (draw.stated.low, draw.stated.high) == pytest.approx((9.0e6, 12.3e6), rel=0.01)
    assert draw.figure.confidence == "estimate"


def test_a_chip_with_a_limit_gives_its_pool_a_range() -> None:
    draw = find_power(load_pool("hgx-h800", 8), CHINA)
    assert draw.basis == "derived"
    assert draw.chip.low < 1275 < draw.chip.high


def test_cooling_decides_the_overhead() -> None:
    assert find_pue(load_pool("hgx-h100"), USA).nominal == 1.4
    assert find_pue(load_pool("cloudmatrix384"), USA).nominal == 1.1
    mixed = find_pue(load_pool("gb200-nvl72"), USA)
    assert (mixed.low, mixed.high) == (1.05, 1.54)


def test_the_home_of_a_pool() -> None:
    assert site_of(load_pool("cloudmatrix384")).name == "china"
    assert site_of(load_pool("hgx-h100")).name == "usa"


def test_unknown_power_is_asked_for() -> None:
    with pytest.raises(UnknownFigureError, match="--power"):
        find_power(load_pool("atlas-960-superpod"), CHINA)
    assert find_power(load_pool("atlas-960-superpod"), CHINA, chip_power=2000.0).chip.nominal == 2000.0
