"""A profile, a pool and jobs whose figures can be worked out by hand."""

from dataclasses import replace

import pytest

from tianji.catalog import load_failures, load_pool
from tianji.hardware.failure_profile import FailureProfile
from tianji.reliability import Reliability
from tianji.reliability.checkpoints import Exposure
from tianji.units import GB

PROFILE = load_failures()
PLAIN = Reliability(profile=PROFILE, straggle=0.0, corruption=False, spare_nodes=10**4)
"""Nothing but failures, recoveries and checkpoints: spares never run out."""
DALY = replace(PLAIN, save_time=60.0, recovery_time=600.0)
EXAMPLES = pytest.mark.parametrize(
    ("save", "recovery", "mtbf", "expected"),
    [
        (60, 600, 8424, 0.8245),
        (20, 600, 11124, 0.8918),
        (300, 300, 6480, 0.6929),
        (60, 600, 828, 0.3227),
        (1, 150, 828, 0.7940),
    ],
)
"""The published examples: seconds, and the goodput at the best interval."""


def exposure(chips: int = 1024, pool: str = "hgx-h100", step_time: float = 10.0, model_chips: int = 32) -> Exposure:
    """Return a job whose checkpoint is 1,000 GB, 1 GB of it on the fullest chip."""
    return Exposure(load_pool(pool, chips), chips, model_chips, step_time, 1000 * GB, 1 * GB)


def with_mtbf(chips: int, seconds: float) -> FailureProfile:
    """Return a profile in which so many chips of 8-chip nodes fail once in so many seconds."""
    rate = 86400 / seconds / (chips / 8)
    return replace(PROFILE, node_rate=replace(PROFILE.node_rate, value=rate, low=rate / 2, high=rate * 2))
