"""Speed of `replace`: CPU seconds for 12 sizes on each of two pools of 8,192 chips, and the narrow search against the full one.

Run it on one core: `OMP_NUM_THREADS=1 python benchmarks/replacement.py`.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from tianji.catalog import load_calibration, load_pool, make_job
from tianji.comparison import Assumptions
from tianji.comparison.curve import Curve
from tianji.search import SearchOptions, explore
from tianji.search.coarse import find_fast

POOLS = ("hgx-h100", "atlas-950-superpod")
SIZES = 12
T = TypeVar("T")


def timed(call: Callable[[], T]) -> tuple[T, float]:
    started = time.process_time()
    found = call()
    return found, time.process_time() - started


def curves(model: str) -> list[Curve]:
    calibration, job = load_calibration("default"), make_job(model, chips=8192)
    found = [Curve(job, load_pool(name, 8192), calibration, Assumptions()) for name in POOLS]
    for curve in found:
        for chips in curve.sample(1024, 8192, SIZES):
            curve.at(chips)
    return found


def main() -> None:
    for model in ("llama-3.1-70b", "llama-3.1-405b", "deepseek-v3"):
        found, seconds = timed(partial(curves, model))
        sizes = sum(len(curve.points) for curve in found)
        print(f"{model}: {sizes} sizes up to 8,192 chips on two pools, {seconds:.2f} CPU seconds")
        for curve in found:
            constants = curve.calibration.constants(curve.pool.chip)
            asked = (curve.job, curve.pool, constants)
            whole, full = timed(partial(explore, *asked, SearchOptions(top=1)))
            fast, narrow = timed(partial(find_fast, *asked))
            assert fast is not None
            print(
                f"  {curve.pool.name}, 8,192 chips: narrow {full / narrow:.0f} times as fast as exhaustive,"
                f" step {fast.step_time / whole.best[0].step_time - 1:+.2%}"
            )


if __name__ == "__main__":
    main()
