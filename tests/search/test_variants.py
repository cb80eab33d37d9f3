"""The fastest variant of some dealings is what a whole search of each finds."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from samples import CHIP, SPARSE, figure, job, pool
from tianji.hardware.constants import Constants
from tianji.search import SearchOptions, explore
from tianji.search.variants import find_fastest
from tianji.units import GB
from tianji.workload import Job

REAL = Constants(matmul_half_size=50.0, scale_up_latency=3e-6, scale_out_latency=1e-5, overlap_efficiency=0.7)
DEALINGS = (
    {"pp": 2, "tp": 2, "cp": 1, "dp": 4},
    {"pp": 4, "tp": 1, "cp": 2, "dp": 2},
    {"pp": 1, "tp": 4, "cp": 1, "dp": 2},
    {"pp": 2, "tp": 2, "cp": 2, "dp": 2, "overlap_tp": False},
)


@pytest.mark.parametrize("task", [job(batch=8), job(SPARSE, batch=8)])
@pytest.mark.parametrize("memory", [100.0, 0.3, 0.001])
def test_the_fastest_of_some_dealings_is_that_of_their_searches(task: Job, memory: float) -> None:
    where = pool(16, chip=replace(CHIP, memory=figure(memory * GB)))

    def search(dealing: Mapping[str, int]) -> list[tuple[float, float]]:
        used = replace(where, chips=dealing["pp"] * dealing["tp"] * dealing["cp"] * dealing["dp"])
        return [(c.step_time, c.memory) for c in explore(task, used, REAL, SearchOptions(fixed=dealing, top=1)).best]

    wanted = min((found for dealing in DEALINGS for found in search(dealing)), default=None)
    found = find_fastest(task, where, REAL, DEALINGS)
    assert (found is None) == (wanted is None)
    if found and wanted:
        assert (found.step_time, found.memory) == pytest.approx(wanted, rel=1e-12)


def test_no_dealing_has_no_fastest_variant() -> None:
    assert find_fastest(job(batch=8), pool(16), REAL, []) is None
