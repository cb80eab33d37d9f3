"""Grids hold strategies, all of them and nothing else."""

import numpy as np

from samples import DENSE
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid

S = Strategy(tp=4, pp=2, dp=3, schedule="dualpipe", recompute="full", overlap_tp=True, recompute_layers=0.5)


def test_a_grid_of_strategies_gives_them_back() -> None:
    grid = Grid.of(S, Strategy())
    assert grid.shape == (2,)
    assert [grid.at((0,)), grid.at((1,))] == [S, Strategy()]


def test_chips() -> None:
    assert Grid.of(S, Strategy()).chips.tolist() == [24, 1]


def test_words() -> None:
    assert Grid.of(S, Strategy()).among("schedule", "dualpipe").tolist() == [True, False]


def test_a_product_has_every_combination_once() -> None:
    axes = ({"tp": np.array([1, 2]), "dp": np.array([4, 2])}, {"zero": np.array([0, 1, 3])})
    grid = Grid.product(axes, Strategy(micro_batch_size=DENSE.num_layers))
    assert grid.shape == (2, 3)
    found = [grid.at((i, j)) for i in range(2) for j in range(3)]
    assert [(s.tp, s.dp, s.zero) for s in found] == [(1, 4, 0), (1, 4, 1), (1, 4, 3), (2, 2, 0), (2, 2, 1), (2, 2, 3)]
    assert {s.micro_batch_size for s in found} == {8}
    assert grid.strategies(np.asarray([4, 0])) == [found[4], found[0]]
