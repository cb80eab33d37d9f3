"""Sums keep their order, and what layers share is computed once."""

import numpy as np

from samples import job, pool
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.perf.communication import Links
from tianji.perf.compute import ChipRates
from tianji.perf.context import Context, add_up, total


def context(constants: Constants | None = None, **fields: object) -> Context:
    task, where, given = job(seq_len=1024), pool(16), constants or Constants()
    g = Grid.of(Strategy(**fields))  # type: ignore[arg-type]
    return Context(task, ChipRates.of(where.chip, task.precision, given), Links.of(where, given), given, g)


def test_values_of_unlike_shapes_add_up_and_stay_as_they_were() -> None:
    values = [np.full((1, 3), 1.0), np.full((2, 1), 10.0), np.full((2, 3), 100.0), np.asarray(1000.0)]
    assert add_up(values).tolist() == [[1111.0] * 3] * 2
    assert [v.flat[0] for v in values] == [1.0, 10.0, 100.0, 1000.0]
    assert add_up(values[:1]) is values[0]
    assert total({"a": np.asarray(0.1), "b": np.asarray(0.2), "c": np.asarray(0.3)}) == (0.1 + 0.2) + 0.3


def test_tokens_and_their_cut() -> None:
    c = context(tp=4, cp=2, dp=2, micro_batch_size=3)
    assert c.tokens.tolist() == [3 * 1024 / 2]
    assert c.sequence_cut.tolist() == [4]
    assert context(tp=4, dp=4, sequence_parallel=False).sequence_cut.tolist() == [1]


def test_communication_hides_behind_no_more_than_the_work() -> None:
    c = context(Constants(overlap_efficiency=0.5))
    on, off = np.asarray(True), np.asarray(False)
    hidden = [float(c.hide(np.asarray(4.0), np.asarray(w), on)) for w in (0.0, 2.0, 10.0)]
    assert hidden == [4.0, 3.0, 2.0]
    assert c.hide(np.asarray(4.0), np.asarray(10.0), off) == 4.0


def test_what_layers_share_is_computed_once_in_a_context() -> None:
    calls: list[object] = []

    def compute(subject: list[int], c: Context) -> int:
        calls.append(c)
        return len(calls)

    def another(subject: list[int], c: Context) -> int:
        return -1

    c, other = context(), context()
    first, equal = [1], [1]
    assert [c.once(compute, first), c.once(compute, first)] == [1, 1]
    assert c.once(compute, equal) == 2, "equal is not the same"
    assert c.once(another, first) == -1
    assert other.once(compute, first) == 3
    assert calls == [c, c, other]
