from tianji.catalog import load_pool
from tianji.economics import find_floor_space


def test_a_superpod_as_announced() -> None:
    found = find_floor_space(load_pool("atlas-950-superpod"))
    assert (found.units, found.cabinets, found.area) == (1, 160, 1000)
    assert found.optics is None, "never published"


def test_two_cloudmatrix() -> None:
    found = find_floor_space(load_pool("cloudmatrix384", 768))
    assert (found.units, found.cabinets, found.optics) == (2, 32, 13_824)


def test_part_of_a_pod_counts_as_a_pod_but_takes_fewer_cabinets() -> None:
    found = find_floor_space(load_pool("atlas-950-superpod", 4096))
    assert (found.units, found.cabinets) == (1, 80)
