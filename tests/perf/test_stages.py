"""Which stage holds which layers, how many micro-batches fly, and how long a pipeline waits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import DENSE, SPARSE
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.perf.bubble import Bubble, PassTime, share_bubble
from tianji.perf.pipeline_stages import Variants, representative_stages
from tianji.perf.stages import in_flight, stage
from tianji.workload import Model


def layers(model: Model, pp: int) -> list[float]:
    return [float(stage(model, np.asarray(pp), np.asarray(i)).layers) for i in range(pp)]


def test_even_stages() -> None:
    assert layers(DENSE, 4) == [2, 2, 2, 2]


def test_the_first_and_the_last_stage_go_without_the_extra_layer() -> None:
    assert layers(DENSE, 3) == [3, 3, 2], "one must take a second extra"
    assert layers(replace(DENSE, num_layers=10), 4) == [2, 3, 3, 2]


def test_leading_dense_layers_are_in_front() -> None:
    first, last = (stage(SPARSE, np.asarray(2), np.asarray(i)) for i in (0, 1))
    assert (float(first.counts["dense"]), float(first.counts["moe"])) == (1, 3)
    assert (float(last.counts["dense"]), float(last.counts["moe"])) == (0, 4)
    assert (bool(first.has_embedding), bool(first.has_head)) == (True, False)
    assert (bool(last.has_embedding), bool(last.has_head)) == (False, True)


@given(st.integers(1, 128), st.integers(1, 128), st.integers(0, 5))
def test_no_layer_is_lost(num_layers: int, pp: int, leading: int) -> None:
    pp = min(pp, num_layers)
    model = replace(SPARSE, num_layers=num_layers, moe=replace(SPARSE.moe, num_leading_dense=min(leading, num_layers)))
    stages = [stage(model, np.asarray(pp), np.asarray(i)) for i in range(pp)]
    assert sum(float(s.layers) for s in stages) == pytest.approx(num_layers)
    assert sum(float(s.counts["moe"]) for s in stages) == pytest.approx(model.num_moe_layers)
    assert max(float(s.layers) for s in stages) - min(float(s.layers) for s in stages) <= 1


@given(st.integers(1, 128), st.integers(1, 128), st.integers(0, 3))
def test_the_representatives_hold_the_most(num_layers: int, pp: int, leading: int) -> None:
    pp = min(pp, num_layers)
    model = replace(SPARSE, num_layers=num_layers, moe=replace(SPARSE.moe, num_leading_dense=min(leading, num_layers)))
    chosen = representative_stages(model, Grid.of(Strategy(pp=pp)))
    every = [stage(model, np.asarray(pp), np.asarray(i)) for i in range(pp)]
    assert max(float(np.ravel(s.layers)[0]) for s in chosen) == max(float(s.layers) for s in every)
    for kind in ("moe", "dense"):
        assert max(float(np.ravel(s.counts[kind])[0]) for s in chosen) == max(float(s.counts[kind]) for s in every)


def flying(m: int, index: int, **fields: object) -> float:
    g = Grid.of(Strategy(**fields))  # type: ignore[arg-type]
    return float(np.ravel(in_flight(g, np.asarray([m]), np.asarray([index])))[0])


@pytest.mark.parametrize(
    ("fields", "m", "index", "expected"),
    [
        ({"pp": 4}, 8, 0, 4),
        ({"pp": 4}, 8, 3, 1),
        ({"pp": 4}, 2, 0, 2),
        ({"pp": 4, "schedule": "gpipe"}, 8, 3, 8),
        ({"pp": 4, "schedule": "zero-bubble"}, 8, 0, 4),
        ({"pp": 4, "schedule": "dualpipe"}, 8, 0, 5),
        # Narayanan 2021: 4·(2 - 1) + 2·3 + 1 = 11 chunks of half a stage
        ({"pp": 4, "vpp": 2, "schedule": "interleaved"}, 8, 0, 5.5),
    ],
)
def test_micro_batches_in_flight(fields: dict[str, object], m: int, index: int, expected: float) -> None:
    assert flying(m, index, **fields) == expected


FORWARD, BACKWARD, WEIGHT = 1.0, 2.0, 1.0
SEND, GATHER = 0.0625, 0.125
PASSING = SEND + GATHER


ALONE = Variants((), ())


def waiting(p: int, **fields: object) -> float:
    g = Grid.of(Strategy(pp=p, **fields))  # type: ignore[arg-type]
    others = [np.asarray([(p - 1) * seconds]) for seconds in (FORWARD + BACKWARD, BACKWARD, WEIGHT)]
    sends, gathers = np.asarray([(p - 1) * SEND]), np.asarray([(p - 1) * GATHER])
    bubble = Bubble.between(g, [PassTime(*others)], ALONE, sends, gathers, np.asarray([1.0]))
    return float(np.ravel(bubble.seconds)[0])


@pytest.mark.parametrize("p", [1, 2, 4, 8])
def test_bubbles_of_equal_stages(p: int) -> None:
    others = p - 1
    assert waiting(p) == pytest.approx(others * (3 + PASSING))
    assert waiting(p, schedule="gpipe") == pytest.approx(others * (3 + PASSING))
    zero = others * (1 + 2 - 2 + PASSING)
    assert waiting(p, schedule="zero-bubble") == pytest.approx(zero), "Qi 2023: (p - 1)(F + B - 2W)"
    if p > 1:
        chunks = others * (3 / 2 + SEND + GATHER / 2)
        assert waiting(p, vpp=2, schedule="interleaved") == pytest.approx(chunks), "as many sends, of smaller chunks"
        dual = (p / 2 - 1) * (1 + 2 * 2 - 3 + PASSING)
        assert waiting(p, schedule="dualpipe") == pytest.approx(dual), "DeepSeek-V3 report: (p/2 - 1)(F&B + B - 3W)"


@given(st.integers(2, 64), st.integers(1, 256))
def test_the_ideal_share_of_the_bubble(p: int, m: int) -> None:
    bubble = waiting(p) - (p - 1) * PASSING
    assert bubble / (m * (FORWARD + BACKWARD) + bubble) == pytest.approx((p - 1) / (m + p - 1))


def test_weight_gradients_fill_no_more_than_there_is_to_wait() -> None:
    g = Grid.of(Strategy(pp=4, schedule="zero-bubble"))
    work, backward, weight, none = (np.asarray([x]) for x in (3.0, 2.9, 2.0, 0.0))
    assert Bubble.between(g, [PassTime(work, backward, weight)], ALONE, none, none, none).seconds == 0.0


def test_chips_that_share_a_processor_fill_their_bubbles() -> None:
    # Two chips on one processor: 6 s of work each, 2 s apart. Alone on processors of their own: 3 s and 1 s.
    assert share_bubble(np.array(2.0), np.array(6.0), 1.0) == 2.0
    assert share_bubble(np.array(2.0), np.array(6.0), 2.0) == 0.0
    # 10 s apart: (6 + 10) / 2 = 8 s on processors of their own, which is more than the 6 s of work.
    assert share_bubble(np.array(10.0), np.array(6.0), 2.0) == 2.0
