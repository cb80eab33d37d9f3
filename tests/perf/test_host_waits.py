"""What a chip waits for its host, one pass at a time or two together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tianji.perf.host_waits import waiting_seconds

SECONDS = st.floats(0.0, 10.0)


@given(SECONDS, SECONDS, SECONDS, SECONDS, SECONDS)
def test_passes_side_by_side_never_wait_longer_than_one_after_the_other(
    there: float, back: float, forward: float, backward: float, blocked: float
) -> None:
    host, chip = (np.asarray(there), np.asarray(back)), (np.asarray(forward), np.asarray(backward))
    apart = waiting_seconds(host, chip, np.asarray(blocked), np.asarray(False))
    joint = waiting_seconds(host, chip, np.asarray(blocked), np.asarray(True))
    assert sum(joint) <= sum(apart) + 1e-9
    assert sum(joint) >= max(there + back - forward - backward, 3.0 * blocked) * (there + back > 0.0) - 1e-9


def test_a_grid_may_hold_both() -> None:
    waits = waiting_seconds(
        (np.ones(2), 2 * np.ones(2)), (np.zeros(2), 4 * np.ones(2)), np.zeros(2), np.array([True, False])
    )
    assert np.allclose(waits, [[0.0, 1.0], [0.0, 0.0]])
