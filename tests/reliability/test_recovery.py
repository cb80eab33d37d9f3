"""Rungs and stores: which failure goes where."""

from dataclasses import replace

import pytest
from tests.reliability.samples import PLAIN, PROFILE, exposure

from tianji.hardware.failure_profile import RUNGS
from tianji.reliability.checkpoints import Save, estimate_saves
from tianji.reliability.hazards import find_hazards
from tianji.reliability.recovery import assign, find_level
from tianji.units import GB

ALL = dict.fromkeys(("local", "peer", "storage"), Save(0.0, 0.0, 0.0))
STORES = ("local", "peer", "storage")


@pytest.mark.parametrize(
    ("component", "rung", "level"),
    [
        ("memory", "in-process", "step"),
        ("software", "process", "local"),
        ("chip", "process", "peer"),
        ("link", "pod", "peer"),
        ("chip", "job", "storage"),
        ("switch", "job", "storage"),
        ("unit", "pod", "storage"),
    ],
)
def test_the_newest_state_that_outlives_a_failure(component: str, rung: str, level: str) -> None:
    assert find_level(component, rung, ALL) == level


def test_without_memory_everything_comes_from_storage() -> None:
    only = {"storage": ALL["storage"]}
    assert {find_level(c, r, only) for c in ("chip", "software") for r in RUNGS[1:]} == {"storage"}


@pytest.mark.parametrize("recovery", RUNGS)
@pytest.mark.parametrize("stores", [("storage",), ("peer", "storage"), STORES])
def test_no_failure_is_lost_between_the_rungs(recovery: str, stores: tuple[str, ...]) -> None:
    settings = replace(PLAIN, recovery=recovery, stores=stores)
    hazards = find_hazards(PROFILE, exposure().pool, 1024)
    levels = assign(hazards, settings, PROFILE, estimate_saves(settings, PROFILE, exposure()))
    assert sum(level.rate for level in levels) == pytest.approx(sum(hazard.rate for hazard in hazards))
    for level in levels:
        assert sum(rate for rate, _, _ in level.recoveries) == pytest.approx(level.rate)


def test_the_in_process_rung_takes_its_share() -> None:
    settings = replace(PLAIN, recovery="in-process")
    hazards = {h.component: h for h in find_hazards(PROFILE, exposure().pool, 1024)}
    step = assign(hazards.values(), settings, PROFILE, estimate_saves(settings, PROFILE, exposure()))[0]
    assert step.name == "step"
    assert step.rate == pytest.approx(0.92 * hazards["memory"].rate + 0.5 * hazards["link"].rate)


def test_a_recovery_loads_its_checkpoint() -> None:
    (level,) = [
        level
        for level in assign(
            find_hazards(PROFILE, exposure().pool, 1024), PLAIN, PROFILE, estimate_saves(PLAIN, PROFILE, exposure())
        )
        if level.rate
    ]
    # 60 s to notice, 540 s to restart, 1,000 GB at 100 GB/s to load.
    assert {(detection, restart) for _, detection, restart in level.recoveries} == {(60.0, 550.0)}


def test_a_recovery_time_of_ones_own_is_all_in() -> None:
    settings = replace(PLAIN, recovery_time=30.0, recovery="process")
    saves = estimate_saves(settings, PROFILE, exposure())
    for level in assign(find_hazards(PROFILE, exposure().pool, 1024), settings, PROFILE, saves):
        assert all(detection + restart == 30.0 for _, detection, restart in level.recoveries)


def test_saves_by_size_and_bandwidth() -> None:
    saves = estimate_saves(replace(PLAIN, stores=STORES), PROFILE, exposure())
    # 1 GB of the fullest chip at 64 GB/s to its host, at 50 GB/s to another node; 1,000 GB at 100 GB/s to storage.
    assert saves["local"] == Save(1 / 64, 0.0, 1 / 64)
    assert saves["peer"].stop == pytest.approx(1 / 64)
    assert saves["peer"].drain == pytest.approx(0.02)
    assert saves["storage"].stop == pytest.approx(1 / 64)
    assert saves["storage"].drain == saves["storage"].load == pytest.approx(10.0)


def test_a_synchronous_save_stops_the_training_for_all_of_it() -> None:
    save = estimate_saves(replace(PLAIN, asynchronous=False, storage_bandwidth=500 * GB), PROFILE, exposure())[
        "storage"
    ]
    assert save == Save(2.0, 0.0, 2.0)
