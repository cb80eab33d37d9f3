"""What is measured of links: groups that divide the ranks, and a stopwatch that gives all ranks the slowest's time."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from tianji.backends.microbenchmarks.links import KINDS, group_sizes  # noqa: E402
from tianji.backends.microbenchmarks.stopwatch import MOST_CALLS, WARM_UP, Stopwatch  # noqa: E402
from tianji.backends.trainer.accelerator import choose_accelerator  # noqa: E402


@given(st.integers(1, 512))
def test_groups_divide_the_ranks_and_end_with_all(world: int) -> None:
    sizes = group_sizes(world)
    assert all(world % size == 0 for size in sizes)
    assert sizes == sorted(set(sizes))
    assert (sizes[-1:] == [world]) is (world > 1)


@pytest.fixture
def alone() -> Iterator[None]:
    """A process group of this process alone."""
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(("rounds", "seconds"), [(1, 0.0), (3, 1e-3), (5, 1e-2)])
def test_each_round_lasts_long_enough_and_none_is_left_out(rounds: int, seconds: float) -> None:
    calls = 0

    def work() -> None:
        nonlocal calls
        calls += 1

    times = Stopwatch(choose_accelerator(0, 1, "cpu"), rounds, seconds).time(work)
    assert len(times) == rounds
    assert all(time > 0.0 for time in times)
    counted, left = divmod(calls - WARM_UP - 1, rounds)
    assert left == 0
    assert 1 <= counted <= MOST_CALLS


@pytest.mark.usefixtures("alone")
@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
@pytest.mark.parametrize("kind", KINDS)
def test_every_collective_runs_again_and_again_on_one_buffer(kind: str) -> None:
    if kind == "send":
        pytest.skip("a rank that is alone has nobody to send to; tests of measure_machine send between two")
    work = KINDS[kind](torch.ones(64), torch.distributed.group.WORLD)
    for _ in range(3):
        work()
