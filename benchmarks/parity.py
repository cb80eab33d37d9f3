"""Measures `tianji migrate parity` on real runs: planted faults that are caught, and false alarms over 200 honest pairs.

Usage: .venv/bin/python benchmarks/parity.py [--seeds 10] [--steps 60] [--write]
Each run is a real training run of the project's own trainer on this machine's CPU. --write puts the result into docs/migrate.md.
An alarm is any outcome but a pass.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from parity_runs import FAULTS, run, run_two
from tianji.migration.parity import CheckOutcome, Parity, RunLog, judge_parity

PAGE = Path(__file__).parents[1] / "docs" / "migrate.md"
START, END = "<!-- parity: start -->\n", "<!-- parity: end -->\n"
LAYOUTS = (1, 2, 4, 8)
PAIRS = 200


def honest_pairs(seeds: int, steps: int) -> Iterator[tuple[str, Parity]]:
    """Yield judgements of pairs that differ by layout, precision or seed alone."""
    logs: dict[tuple[int, int, str], RunLog] = {}
    for seed in range(seeds):
        for layout in LAYOUTS:
            logs[seed, layout, "fp32"] = run(f"seed {seed}, micro-batch {layout}", steps, seed, layout)
        for layout in (2, 4):
            logs[seed, layout, "bf16"] = run(f"seed {seed}, bf16, {layout}", steps, seed, layout, "bf16")
        print(f"seed {seed} is trained", flush=True)
    draw = random.Random(0)
    kinds = Counter({"same seed twice": 20, "another layout": 80, "bf16 beside fp32": 40, "another seed": 60})
    for kind, count in kinds.items():
        for index in range(count):
            seed = index % seeds
            if kind == "same seed twice":
                layout = draw.choice(LAYOUTS)
                yield kind, judge_parity(logs[seed, layout, "fp32"], run("again", steps, seed, layout))
            elif kind == "another layout":
                first, second, *rest = draw.sample(LAYOUTS, 4)
                repeats = [logs[seed, layout, "fp32"] for layout in rest] if index % 2 else []
                yield kind, judge_parity(logs[seed, first, "fp32"], logs[seed, second, "fp32"], repeats)
            elif kind == "bf16 beside fp32":
                one, other = logs[seed, draw.choice(LAYOUTS), "fp32"], logs[seed, draw.choice((2, 4)), "bf16"]
                yield kind, judge_parity(one, other)
            else:
                one, two, *more = draw.sample(range(seeds), 5)
                layout = draw.choice(LAYOUTS)
                repeats = [logs[s, layout, "fp32"] for s in more]
                yield kind, judge_parity(logs[one, layout, "fp32"], logs[two, layout, "fp32"], repeats)


def faults(steps: int) -> Iterator[tuple[str, Parity]]:
    """Yield judgements of runs with a planted fault."""
    reference = run("reference", steps)
    repeats = [run("repeat", steps, micro_batch=layout) for layout in (4, 8)]
    for fault in FAULTS:
        yield fault, judge_parity(reference, run(fault, steps, fault=fault), repeats)
    yield "dropped all_reduce (2 processes)", judge_parity(run_two("two", steps), run_two("dropped", steps, drop=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--write", action="store_true", help="put the result into docs/migrate.md")
    asked = parser.parse_args()
    lines = ["| planted fault | outcome | first divergence |", "|---|---|---|"]
    for fault, parity in faults(asked.steps):
        where = "-" if parity.divergence is None else f"step {parity.divergence.step}: {parity.divergence.stage}"
        lines.append(f"| {fault} | {parity.outcome} | {where} |")
        print(lines[-1], flush=True)
    pairs, alarms = Counter[str](), Counter[str]()
    for kind, parity in honest_pairs(asked.seeds, asked.steps):
        pairs[kind] += 1
        alarms[kind] += parity.outcome is not CheckOutcome.PASS
    total, wrong = sum(pairs.values()), sum(alarms.values())
    lines += ["", "| honest pairs | pairs | alarms |", "|---|--:|--:|"]
    lines += [f"| {kind} | {pairs[kind]} | {alarms[kind]} |" for kind in pairs]
    lines.append(f"| all | {total} | {wrong} ({wrong / total * 100:.1f} %) |")
    print("\n".join(lines[-6:]))
    if asked.write:
        text = PAGE.read_text(encoding="utf-8")
        before, _, rest = text.partition(START)
        PAGE.write_text(
            before + START + "\n" + "\n".join(lines) + "\n\n" + END + rest.partition(END)[2], encoding="utf-8"
        )


if __name__ == "__main__":
    main()
