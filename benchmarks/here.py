"""Predict real runs on this machine from micro-measurements, then run them, and say how far off the predictions were.

    python benchmarks/here.py calibrate POOL.toml          (three minutes on two cores)
    python benchmarks/here.py predict POOL.toml predicted.json
    python benchmarks/here.py run predicted.json measured.json --repeats 3
    python benchmarks/here.py report measured.json
    python benchmarks/here.py between FIRST/measured.json SECOND/measured.json

``predict`` writes the predictions before anything is run; ``run`` never changes them. Two models, dense and with experts, each
under layouts of 1 to 8 gloo processes, good ones and bad ones. The runs of all layouts take turns, so that a busy minute of the
machine hits all alike. ``between`` says how far two campaigns of micro-measurements differ on the same layouts: what one of them
cannot know of the next, and so a part of the range.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from tianji.backends import RunOptions, run
from tianji.backends.microbenchmarks.measure_machine import RANGE_80
from tianji.catalog import load_calibration, load_pool
from tianji.parallel import Strategy
from tianji.parallel.layouts import format_layout
from tianji.parallel.legality import check
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import plan_document, plan_from
from tianji.prediction import predict
from tianji.workload import Job, find_precision
from tianji.workload.huggingface import read_config

SEQ_LEN, BATCH = 256, 16
LLAMA = {
    "model_type": "llama", "hidden_size": 384, "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4,
    "intermediate_size": 1024, "vocab_size": 1024,
}  # fmt: skip
EXPERTS = {
    "model_type": "qwen3_moe", "hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4,
    "head_dim": 32, "intermediate_size": 512, "vocab_size": 1024, "num_experts": 8, "num_experts_per_tok": 2,
    "moe_intermediate_size": 384, "norm_topk_prob": True,
}  # fmt: skip
MODELS = {"dense": LLAMA, "moe": EXPERTS}
LAYOUTS: dict[str, tuple[dict[str, Any], ...]] = {
    "dense": (
        {"micro_batch_size": 4}, {"dp": 2, "micro_batch_size": 4}, {"pp": 2, "micro_batch_size": 2},
        {"tp": 2, "sequence_parallel": True, "micro_batch_size": 8}, {"dp": 4, "micro_batch_size": 4},
        {"dp": 4, "zero": 3, "micro_batch_size": 4}, {"pp": 4, "micro_batch_size": 2},
        {"dp": 2, "tp": 2, "sequence_parallel": True, "micro_batch_size": 8}, {"dp": 2, "pp": 2, "micro_batch_size": 2},
        {"dp": 8, "micro_batch_size": 2}, {"dp": 4, "pp": 2, "micro_batch_size": 2},
        {"tp": 4, "sequence_parallel": True, "micro_batch_size": 4}, {"dp": 8, "zero": 3, "micro_batch_size": 1},
    ),
    "moe": (
        {"micro_batch_size": 4}, {"dp": 2, "ep": 2, "micro_batch_size": 4}, {"pp": 2, "micro_batch_size": 2},
        {"dp": 4, "micro_batch_size": 4}, {"dp": 4, "ep": 4, "micro_batch_size": 4},
        {"dp": 2, "ep": 2, "pp": 2, "micro_batch_size": 2}, {"dp": 8, "micro_batch_size": 2},
        {"dp": 8, "ep": 4, "micro_batch_size": 2},
    ),
}  # fmt: skip


def calibrate(pool: str) -> None:
    """Write a pool and its calibration, as ``tianji calibrate --here`` does."""
    from tianji.cli import main as tianji

    tianji(["calibrate", "--here", "--out", pool], standalone_mode=False)


def count_imbalance(config: dict[str, Any], strategy: Strategy) -> float:
    """Return the load of the busiest expert rank over the mean, by the untrained model on the first batch.

    It is a fact of the job, not of the machine: what the router of fresh weights does with these tokens. Mean over layers and
    micro-batches, each of which waits for its own busiest rank.
    """
    if strategy.ep == 1:
        return 1.0
    import torch

    from tianji.backends.trainer.context_parallel import UNCUT
    from tianji.backends.trainer.moe import MixtureOfExperts
    from tianji.backends.trainer.tokens import Corpus
    from tianji.backends.trainer.transformer import Transformer, draw_weights

    model = read_config(config, "moe")
    whole = Transformer(model, range(model.num_layers), torch.arange(SEQ_LEN), UNCUT, embed=True, predict=True)
    draw_weights(whole, RunOptions().seed)
    loads: list[float] = []

    def count(module: MixtureOfExperts, inputs: tuple[torch.Tensor], _: torch.Tensor) -> None:
        chosen = module._choose(module.router(inputs[0]).float().flatten(0, 1))[1]
        ranks = torch.bincount(chosen.flatten(), minlength=module.num_experts).view(strategy.ep, -1).sum(1).double()
        loads.append(float(ranks.max() / ranks.mean()))

    for part in whole.modules():
        if isinstance(part, MixtureOfExperts):
            part.register_forward_hook(count)
    tokens = Corpus(None, SEQ_LEN, model.vocab_size).sequences(0, 0, BATCH, BATCH)[:, :-1]
    with torch.no_grad():
        for together in tokens.split(strategy.micro_batch_size * strategy.ep):
            whole(together)
    return statistics.mean(loads)


def predict_all(pool: str, out: str) -> None:
    """Write the predicted step time of every layout."""
    calibration = load_calibration(str(Path(pool).with_name(f"{Path(pool).stem}-calibration.toml")))
    rows = []
    for model, layouts in LAYOUTS.items():
        for fields in layouts:
            strategy = Strategy(**{"overlap_tp": False, **fields})
            uneven = count_imbalance(MODELS[model], strategy)
            precision = find_precision("fp32")
            job = Job(read_config(MODELS[model], model), SEQ_LEN, BATCH, precision, moe_imbalance=uneven)
            plan = Plan(job, load_pool(pool, strategy.chips), strategy)
            check(strategy, job, plan.pool)
            found = predict(plan, calibration)
            rows.append({
                "model": model, "layout": format_layout(strategy), "chips": strategy.chips,
                "predicted": found.step_time.nominal, "low": found.step_time.low, "high": found.step_time.high,
                "terms": {kind: seconds for kind, seconds in found.breakdown.items() if seconds}, "plan": plan_document(plan),
            })  # fmt: skip
            print(f"{model:5} {rows[-1]['layout']:50} {found.step_time.nominal:7.3f} s, imbalance {uneven:.2f}")
    Path(out).write_text(json.dumps(rows, indent=1))


def run_all(predicted: str, out: str, repeats: int, steps: int, only: str) -> None:
    """Run every layout once, then all of them again, ``repeats`` times in all."""
    rows = [row for row in json.loads(Path(predicted).read_text()) if only in f"{row['model']} {row['layout']}"]
    for row in rows:
        row["measured"], row["load"] = [], []
    for repeat in range(repeats):
        for row in rows:
            with tempfile.TemporaryDirectory() as folder:
                options = RunOptions(steps=steps + 1, warmup=1, out=f"{folder}/run", trace=False, device="cpu")
                row["load"].append(os.getloadavg()[0])
                result = run(plan_from(row["plan"]), options)
            assert result.measurement is not None
            row["measured"].append(list(result.measurement.step_times))
            middle = result.step_time.nominal
            print(
                f"{repeat} {row['model']:5} {row['layout']:40} {middle:7.3f} s, predicted {row['predicted']:7.3f}",
                flush=True,
            )
            Path(out).write_text(json.dumps(rows, indent=1))


def report(measured: str) -> None:
    """Print the table and the three figures that count."""
    rows = json.loads(Path(measured).read_text())
    print("| model | layout | predicted s | measured s | error | run to run |\n|---|---|---|---|---|---|")
    for row in rows:
        medians = sorted(statistics.median(steps) for steps in row["measured"])
        row["middle"] = statistics.median(medians)
        row["error"] = row["predicted"] / row["middle"] - 1.0
        row["noise"] = (medians[-1] - medians[0]) / 2 / row["middle"]
        print(
            f"| {row['model']} | {row['layout']} | {row['predicted']:.3f} | {row['middle']:.3f} | {row['error']:+.0%}"
            f" | ±{row['noise']:.0%} |"
        )
    errors = [abs(row["error"]) for row in rows]
    print(
        f"\n{len(rows)} layouts, {len(rows[0]['measured'])} runs each, load {max(max(r['load']) for r in rows):.1f} at most"
    )
    print(f"median |error|     {statistics.median(errors):.1%}, largest {max(errors):.1%}")
    print(
        f"rank correlation   {rank_correlation([r['predicted'] for r in rows], [r['middle'] for r in rows]):.3f}",
        end="",
    )
    for model in MODELS:
        mine = [r for r in rows if r["model"] == model]
        print(f", {model} {rank_correlation([r['predicted'] for r in mine], [r['middle'] for r in mine]):.3f}", end="")
    print(f"\nrun-to-run noise   median ±{statistics.median(r['noise'] for r in rows):.1%}")
    inside = sum(row["low"] <= row["middle"] <= row["high"] for row in rows)
    print(f"80 % range         holds {inside} of {len(rows)}")


def between(*campaigns: str) -> None:
    """Print the spread of two campaigns' predictions, and how many runs of each the range holds without it and with it."""
    first, second = (json.loads(Path(path).read_text()) for path in campaigns)
    logs = [math.log(a["predicted"] / b["predicted"]) for a, b in zip(first, second, strict=True)]
    spread = math.sqrt(statistics.fmean(x * x for x in logs) / 2.0)
    print(
        f"one campaign's predictions are off by {spread:.3f} from the middle of both (in the logarithm, {len(logs)} layouts)"
    )
    for path, rows in zip(campaigns, (first, second), strict=True):
        held, now = (sum(holds(row, more) for row in rows) for more in (0.0, RANGE_80 * spread))
        print(f"{path}: the range of the fit alone holds {held} of {len(rows)}, with the spread {now}")


def holds(row: dict[str, Any], more: float) -> bool:
    """Return whether a run lies in its predicted range, made wider by an independent ``more`` in the logarithm."""
    error = math.log(statistics.median(statistics.median(steps) for steps in row["measured"]) / row["predicted"])
    end = math.log((row["high"] if error > 0 else row["low"]) / row["predicted"])
    return abs(error) <= math.hypot(end, more)


def rank_correlation(a: list[float], b: list[float]) -> float:
    """Return Spearman's rho of two lists without ties.

    >>> rank_correlation([1.0, 2.0, 3.0], [10.0, 30.0, 20.0])
    0.5
    """
    n = len(a)
    places = [[sorted(values).index(value) for value in values] for values in (a, b)]
    return 1.0 - 6.0 * sum((x - y) ** 2 for x, y in zip(*places, strict=True)) / (n * (n * n - 1.0))


def main() -> None:
    """Do one of the five."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("calibrate", "predict", "run", "report", "between"))
    parser.add_argument("files", nargs="+")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--only", default="", help="part of a model's and layout's name")
    choices = parser.parse_args()
    if choices.what == "calibrate":
        calibrate(*choices.files)
    elif choices.what == "predict":
        predict_all(*choices.files)
    elif choices.what == "run":
        run_all(*choices.files, choices.repeats, choices.steps, choices.only)
    elif choices.what == "between":
        between(*choices.files)
    else:
        report(*choices.files)


if __name__ == "__main__":
    main()
