"""Choosing under doubt: what is drawn, what is said of the choice, and laws that hold under any constants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import job, pool
from tianji.catalog import load_calibration, load_pool, make_job
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import CONSTANTS, Constants
from tianji.hardware.uncertainty import DOUBTED, Uncertainty, combine
from tianji.parallel.grid import Grid
from tianji.parallel.strategy import Strategy
from tianji.search import SearchOptions, explore, plan
from tianji.search.choice import Choice, Standing, choose, group_near_equals, settle
from tianji.search.worlds import SCATTER, Worlds, draw_constants, draw_errors, draw_worlds, regret_of

TASK = make_job("llama-3.1-8b", global_batch_size=64)
WHERE = load_pool("hgx-h100", 16)
SHIPPED = load_calibration()


@pytest.fixture(scope="module")
def listed() -> list[Strategy]:
    found = explore(TASK, WHERE, SHIPPED.constants(WHERE.chip))
    return [c.strategy for c in found.shortlist]


@pytest.fixture(scope="module")
def choice(listed: list[Strategy]) -> Choice:
    chosen = choose(TASK, WHERE, SHIPPED, listed)
    assert chosen is not None
    return chosen


def make_worlds(predicted: list[float], shared: list[list[float]]) -> Worlds:
    return Worlds(np.asarray(predicted), np.asarray(shared), np.zeros(np.shape(shared)))


def test_the_same_seed_gives_the_same_choice_and_another_seed_another(listed: list[Strategy], choice: Choice) -> None:
    assert choose(TASK, WHERE, SHIPPED, listed) == choice
    other = choose(TASK, WHERE, SHIPPED, listed, seed=1)
    assert other is not None
    assert other.standings != choice.standings


def test_what_is_said_of_a_choice_is_possible(listed: list[Strategy], choice: Choice) -> None:
    assert sorted(map(repr, choice.strategies)) == sorted(map(repr, listed))
    assert all(0 <= s.chance <= 1 and s.regret >= 0 for s in choice.standings)
    assert choice.optimism >= 0
    assert choice.correct(10.0) >= 10.0
    assert 1 <= choice.near.count <= len(listed)
    assert not set(choice.near.shared) & set(choice.near.ranges)
    if choice.settling is not None:
        assert choice.settling.regret <= choice.standings[0].regret
        assert choice.settling.first != choice.settling.other


def test_a_plan_is_the_choice_of_least_regret() -> None:
    outcome = plan(TASK, WHERE, top=4)
    assert outcome.choice is not None
    assert [r.plan.strategy for r in outcome.results] == list(outcome.choice.strategies[:4])
    assert outcome.expected_step_time == outcome.choice.correct(outcome.best.step_time.nominal)


def test_pure_physics_has_no_doubt_to_draw() -> None:
    outcome = plan(job(), pool(8), Calibration(), top=3)
    assert outcome.choice is None
    assert outcome.expected_step_time == outcome.best.step_time.nominal == outcome.search.best[0].step_time


def test_regret_is_zero_for_the_fastest_of_each_world() -> None:
    regret = regret_of(np.log(np.asarray([[1.0, 2.0, 3.0], [6.0, 3.0, 4.0]])))
    np.testing.assert_allclose(regret, [[0.0, 1.0, 2.0], [1.0, 0.0, 1 / 3]], atol=1e-12)


def test_estimates_without_error_are_not_flattered() -> None:
    # Two worlds that move all layouts alike: the fastest stays the fastest, and the shifts cancel.
    assert make_worlds([0.0, 0.1], [[0.2, 0.3], [-0.2, -0.1]]).optimism == pytest.approx(0.0)


def test_the_fastest_of_equal_layouts_is_flattered_by_the_mean_of_the_least_error() -> None:
    errors = np.random.default_rng(3).standard_normal((4000, 2))
    worlds = make_worlds([0.0, 0.0], np.concatenate([errors, -errors]).tolist())
    # The least of two standard normal numbers is -1/sqrt(pi) on average.
    assert worlds.optimism == pytest.approx(np.pi**-0.5, rel=0.05)


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(CONSTANTS)), st.floats(0.0, 3.0), min_size=1, max_size=6), st.integers(0, 99)
)
def test_drawn_constants_keep_the_bounds_of_files(errors: dict[str, float], seed: int) -> None:
    doubt = combine({("chip", name): error for name, error in errors.items()}, {})
    base = Constants(op_overhead=1e-5, scale_up_latency=1e-5, straggle=0.01)
    drawn = draw_constants(base, doubt, np.random.default_rng(seed).standard_normal((16, len(doubt.names))))
    for name, known in CONSTANTS.items():
        values = np.asarray(getattr(drawn, name))
        assert np.all(values <= max(known.most, getattr(base, name)))
        assert np.all(values >= min(known.least, getattr(base, name)))


def test_constants_are_drawn_with_the_covariance_of_the_fit() -> None:
    covariance = np.asarray([[0.04, 0.01], [0.01, 0.02]])
    doubt = Uncertainty(("matmul_half_size", "op_overhead"), DOUBTED**2 * covariance)
    drawn = draw_constants(
        Constants(matmul_half_size=50.0, op_overhead=1e-5), doubt, np.random.default_rng(0).standard_normal((20_000, 2))
    )
    logs = np.log(np.hstack([drawn.matmul_half_size, drawn.op_overhead]))
    np.testing.assert_allclose(np.cov(logs.T), covariance, rtol=0.05, atol=1e-3)


def test_layouts_that_share_a_value_share_its_error() -> None:
    grid = Grid.of(Strategy(tp=2, dp=4), Strategy(tp=2, dp=2, pp=2), Strategy(tp=4, dp=2), Strategy(tp=2, dp=4, zero=3))
    errors = draw_errors(grid, np.random.default_rng(0), 20_000)
    np.testing.assert_array_equal(errors[:, 0], errors[:, 3])
    assert errors.mean() == pytest.approx(0.0, abs=1e-12)
    one_field = np.std(errors[:, 0] - errors[:, 1])
    assert one_field == pytest.approx(2**0.5 * SCATTER, rel=0.02)
    assert np.std(errors[:, 1] - errors[:, 2]) == pytest.approx(2 * SCATTER, rel=0.02)


def test_near_equals_are_one_group_with_what_they_share() -> None:
    ranked = [Strategy(tp=4, dp=2), Strategy(tp=8), Strategy(tp=2, dp=4), Strategy(dp=8)]
    near = group_near_equals(ranked, [Standing(0.5, r) for r in (0.01, 0.02, 0.03, 0.031)], within=0.02)
    assert near.count == 3
    assert near.ranges == {"tp": (2, 4, 8), "dp": (1, 2, 4)}
    assert near.shared["pp"] == 1
    assert "tp" not in near.shared


def test_what_two_layouts_hang_on_is_measured_and_not_what_is_known() -> None:
    # 0 and 1 are sure; 2 may be much faster or slower, and nobody knows; 3 is hopeless.
    normal = np.random.default_rng(5).standard_normal(500)
    drawn = np.zeros((1000, 4))
    drawn[:, 1], drawn[:, 2], drawn[:, 3] = 0.01, 0.02 + 0.2 * np.concatenate([normal, -normal]), 1.0
    ranked = [Strategy(tp=t) for t in (1, 2, 4, 8)]
    settling = settle(make_worlds([0.0] * 4, drawn.tolist()), ranked, [0, 1, 2, 3], regret=0.2)
    assert settling is not None
    assert ranked[2] in (settling.first, settling.other)
    assert settling.regret < 0.2


def test_nothing_is_to_be_settled_where_the_best_is_far_ahead() -> None:
    drawn = np.tile([0.0, 3.0], (8, 1))
    assert settle(make_worlds([0.0, 3.0], drawn.tolist()), [Strategy(), Strategy(tp=2)], [0, 1], regret=0.0) is None


def test_a_held_layout_is_weighed_alone() -> None:
    outcome = plan(TASK, WHERE, options=SearchOptions(fixed={"tp": 2, "pp": 1, "cp": 1, "micro_batch_size": 1}, top=2))
    assert outcome.choice is not None
    assert len(outcome.results) == 2
    assert outcome.choice.near.count <= len(outcome.choice.strategies)


def test_worlds_predict_what_the_search_predicts(listed: list[Strategy]) -> None:
    worlds = draw_worlds(TASK, WHERE, SHIPPED, listed)
    times = {c.strategy: c.step_time for c in explore(TASK, WHERE, SHIPPED.constants(WHERE.chip)).shortlist}
    np.testing.assert_allclose(np.exp(worlds.predicted), [times[s] for s in listed], rtol=1e-12)
    assert worlds.drawn.shape == (len(worlds.shared), len(listed))
