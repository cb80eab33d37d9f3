"""Times that are called composed are."""

import numpy as np

from benchmarks.accuracy.sources import COMPOSED
from tianji.validation import read_runs


def test_times_that_are_called_composed_are_sums_to_the_last_digit() -> None:
    rows, _ = read_runs()
    groups: dict[tuple[object, ...], list[tuple[float, int, float]]] = {}
    for row in (r for r in rows if r.source in COMPOSED and r.strategy.dp == 1):
        s, model = row.strategy, row.job.model
        turns = row.job.global_batch_size / s.micro_batch_size
        key = (model.hidden_size, s.tp, s.pp, s.micro_batch_size)
        groups.setdefault(key, []).append((turns, model.num_layers, row.measured_step_time))
    tried = 0
    for members in groups.values():
        turns, layers, times = np.asarray(members).T
        terms = np.stack([turns, turns * layers, np.ones_like(turns), layers], axis=1) / times[:, None]
        if len(times) >= 6 and np.linalg.matrix_rank(terms) == 4:
            tried += 1
            parts = np.linalg.lstsq(terms, np.ones_like(times), rcond=None)[0]
            # The table gives five decimals of a second.
            assert np.abs(terms @ parts - 1.0).max() < 2e-4
    assert tried == 48
