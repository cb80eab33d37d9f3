"""What the narrow search of ``replace`` and ``size`` loses against the exhaustive one, over models, pools and sizes.

python benchmarks/narrow.py      (about two minutes)
"""

from __future__ import annotations

from tianji.catalog import load_calibration, load_pool, make_job
from tianji.search import SearchOptions, explore
from tianji.search.coarse import find_fast

MODELS = (
    "llama-3.1-8b", "llama-3.1-70b", "llama-3.1-405b", "gpt3-175b", "mixtral-8x7b", "qwen3-235b-a22b", "deepseek-v3",
)  # fmt: skip
POOLS = {
    "hgx-h100": (128, 1024, 3072),
    "atlas-950-superpod": (128, 1024, 3072),
    "cloudmatrix384": (192, 576, 2304),
    "gb200-nvl72": (192, 576, 2304),
}


def main() -> None:
    calibration, losses = load_calibration(), []
    for model in MODELS:
        for pool, sizes in POOLS.items():
            for chips in sizes:
                found, job = load_pool(pool, chips), make_job(model, chips=chips)
                constants = calibration.constants(found.chip)
                fast, best = find_fast(job, found, constants), explore(job, found, constants, SearchOptions(top=1)).best
                assert bool(fast) == bool(best), f"{model} on {chips} {pool}: only one of the two fits"
                if fast and best:
                    losses.append((fast.step_time / best[0].step_time - 1.0, model, pool, chips))
    losses.sort(reverse=True)
    print(f"{len(losses)} cases, {sum(loss < 1e-9 for loss, *_ in losses)} of them without loss; the largest:")
    for loss, model, pool, chips in losses[:5]:
        print(f"  {loss:.2%}  {model} on {chips:,} {pool}")


if __name__ == "__main__":
    main()
