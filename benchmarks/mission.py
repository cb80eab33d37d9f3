"""The mission in miniature: do four weak chips replace one whole chip? Predicted first, then run.

    sudo python benchmarks/mission.py calibrate FOLDER     micro-measurements of the three pools
    python benchmarks/mission.py predict FOLDER            plan and replace; writes predicted.json
    sudo python benchmarks/mission.py run FOLDER           the layouts for real; writes measured.json
    python benchmarks/mission.py report FOLDER

A whole chip is one core. A weak chip is 40 % of a core by CPU quota. Four of them are joined by a slow net (200 Mbit/s each) or a
fast one (2 Gbit/s). The model is a Llama of 15 million parameters.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from rig import open_rig
from tianji.backends import RunOptions
from tianji.backends.microbenchmarks.fitting import fit_survey
from tianji.backends.microbenchmarks.measure_machine import Size, describe_calibration
from tianji.backends.microbenchmarks.orders import Orders, read_survey
from tianji.backends.microbenchmarks.pool_text import format_pool
from tianji.backends.payload import RunPayload
from tianji.backends.run_folder import finish_run
from tianji.catalog import load_calibration, load_pool
from tianji.catalog.calibrations import write_calibration
from tianji.hardware.calibration import Calibration
from tianji.parallel import Strategy
from tianji.parallel.layouts import format_layout
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import plan_document, plan_from
from tianji.prediction import predict
from tianji.search import plan
from tianji.workload import Job, find_precision
from tianji.workload.huggingface import read_config

CONFIG = {
    "model_type": "llama", "hidden_size": 384, "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 8,
    "intermediate_size": 1024, "vocab_size": 512,
}  # fmt: skip
SEQ_LEN, BATCH = 512, 4
POOLS = {"whole": (1, 1.0, "10gbit"), "slow": (4, 0.4, "200mbit"), "fast": (4, 0.4, "2gbit")}
"""Chips, share of a core, rate of each link."""
LAYOUTS: dict[str, dict[str, Any]] = {
    "PP4": {"pp": 4}, "DP4": {"dp": 4, "zero": 0}, "DP2·PP2": {"dp": 2, "pp": 2, "zero": 0},
    "TP4": {"tp": 4, "sequence_parallel": True, "micro_batch_size": 4},
}  # fmt: skip
STEPS = 4
ENGINE = {"vpp": 1, "schedule": "1f1b", "cp": 1, "recompute": "none"}
"""What the search holds: the degrees are the question."""


def calibrate(folder: Path, only: str) -> None:
    """Measure the parts of all three pools, each with its chips at work; write pools and one calibration for all."""
    today = date.today().isoformat()
    for name, (chips, share, rate) in POOLS.items():
        if only and name != only:
            continue
        out = folder / f"calibrate-{name}"
        out.mkdir(parents=True)
        with open_rig(chips, share, rate) as rig:
            rig.run("measure", Orders(chips, "cpu", rounds=3, seconds=0.2).text(), out)
        survey = read_survey(out, chips)
        size = Size(survey, fit_survey(survey))
        text = format_pool(name, today, [size]).replace(f"node = {chips}", "node = 1")
        (folder / f"{name}.toml").write_text(text)
        write_calibration(describe_calibration(name, today, [size], chips=name), folder / f"{name}-calibration.toml")
        print(f"{name}: noise {size.findings.noise:.1%}, misfit {size.findings.misfit:.1%}", flush=True)


def load_all(folder: Path) -> Calibration:
    """Return the calibrations of the pools as one: each is about chips of another name."""
    found = [load_calibration(str(folder / f"{name}-calibration.toml")) for name in POOLS]
    one = found[0]
    for other in found[1:]:
        one = replace(
            one, name="mission", chips={**one.chips, **other.chips}, evidence={**one.evidence, **other.evidence},
            spreads={**one.spreads, **other.spreads},
        )  # fmt: skip
    return one


def predict_all(folder: Path) -> None:
    """Ask ``plan`` for the best layout of each pool and ``replace`` for the chips that match; price all layouts."""
    calibration = load_all(folder)
    write_calibration(calibration, folder / "mission-calibration.toml")
    job = Job(read_config(CONFIG, "llama-15m"), SEQ_LEN, BATCH, find_precision("fp32"))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    found: dict[str, Any] = {"pools": {}, "replace": {}}
    for name in POOLS:
        pool = load_pool(str(folder / f"{name}.toml"))
        best = plan(job, pool, calibration, fixed=ENGINE, top=5).results
        layouts = (
            {"1": Strategy()} if pool.chips == 1 else {k: Strategy(overlap_tp=False, **v) for k, v in LAYOUTS.items()}
        )
        rows = {}
        for layout, strategy in layouts.items():
            result = predict(Plan(job, pool, strategy), calibration)
            terms = {kind: seconds for kind, seconds in result.breakdown.items() if seconds}
            rows[layout] = {
                "predicted": result.step_time.nominal, "low": result.step_time.low, "high": result.step_time.high,
                "terms": terms, "plan": plan_document(result.plan),
            }  # fmt: skip
            print(f"{name:6} {layout:8} {result.step_time.nominal:6.2f} s")
        ranking = [(format_layout(r.plan.strategy), r.step_time.nominal) for r in best]
        print(f"{name:6} plan says {ranking[0][0]}, {ranking[0][1]:.2f} s")
        found["pools"][name] = {"best": ranking, "layouts": rows}
    for net in ("slow", "fast"):
        found["replace"][net] = ask_replace(folder, net)
    (folder / "predicted.json").write_text(json.dumps(found, indent=1))


def ask_replace(folder: Path, net: str) -> dict[str, Any]:
    """Return what ``tianji replace`` answers: how many weak chips of a net match the whole chip, or why none do."""
    words = [
        "replace", str(folder / "config.json"), "--from", f"1x{folder / 'whole.toml'}", "--with", str(folder / f"{net}.toml"),
        "--calibration", str(folder / "mission-calibration.toml"), "--precision", "fp32", "--batch", str(BATCH),
        "--seq", str(SEQ_LEN), "--json",
    ]  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "tianji", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{net:6} replace says: {done.stderr.strip()}")
        return {"chips": None, "answer": done.stderr.strip().replace(str(folder) + "/", "")}
    answer = json.loads(done.stdout)
    print(f"{net:6} replace says: {answer['chips']['nominal']:g} chips")
    return {"chips": answer["chips"]}


def run_all(folder: Path, repeats: int, only: str) -> None:
    """Train every layout for real on the rig."""
    predicted = json.loads((folder / "predicted.json").read_text())
    target = folder / "measured.json"
    found: dict[str, Any] = json.loads(target.read_text()) if target.exists() else {}
    for repeat in range(repeats):
        for name, (chips, share, rate) in POOLS.items():
            with open_rig(chips, share, rate) as rig:
                for layout, row in predicted["pools"][name]["layouts"].items():
                    if only and only not in f"{name} {layout}":
                        continue
                    label = f"{name}-{layout.replace('·', '-')}-{repeat}-{os.getpid()}"
                    out = folder / "runs" / label
                    out.mkdir(parents=True)
                    options = RunOptions(steps=STEPS + 1, warmup=1, out=str(out), trace=False, device="cpu")
                    work = plan_from(row["plan"])
                    rig.run("train", RunPayload(work, options, chips).text(), out)
                    result = finish_run(work, options, "local")
                    assert result.measurement is not None
                    runs = found.setdefault(name, {}).setdefault(layout, [])
                    runs.append({"step_times": list(result.measurement.step_times), "load": os.getloadavg()[0]})
                    middle = result.step_time.nominal
                    print(f"{name:6} {layout:8} {middle:6.2f} s, predicted {row['predicted']:6.2f} s", flush=True)
                    target.write_text(json.dumps(found, indent=1))


def report(folder: Path) -> None:
    """Print predicted beside measured, and whether the three statements hold."""
    predicted, measured = (json.loads((folder / f"{name}.json").read_text()) for name in ("predicted", "measured"))
    times: dict[str, dict[str, float]] = {}
    print("| chips | net | layout | predicted s | measured s | error | run to run |\n|---|---|---|---|---|---|---|")
    for name, (chips, share, rate) in POOLS.items():
        for layout, runs in measured.get(name, {}).items():
            medians = [statistics.median(run["step_times"]) for run in runs]
            middle = statistics.median(medians)
            times.setdefault(name, {})[layout] = middle
            guess = predicted["pools"][name]["layouts"][layout]["predicted"]
            noise = (max(medians) - min(medians)) / 2 / middle
            what = f"{chips} x {share:.0%}" if chips > 1 else "1 whole"
            print(
                f"| {what} | {rate if chips > 1 else ''} | {layout} | {guess:.2f} | {middle:.2f} | {guess / middle - 1:+.0%}"
                f" | ±{noise:.0%} |"
            )
    whole = times["whole"]["1"]
    for net in ("slow", "fast"):
        best = min(times[net], key=times[net].__getitem__)
        said = predicted["pools"][net]["best"][0]
        match = "match" if times[net][best] <= whole else "do not match"
        layouts = predicted["pools"][net]["layouts"]
        guess = min(layouts, key=lambda name: layouts[name]["predicted"])
        expected = "match" if said[1] <= predicted["pools"]["whole"]["layouts"]["1"]["predicted"] else "do not match"
        answer = predicted["replace"][net]
        print(
            f"{net}: best {best} (predicted {guess}; plan says {said[0]}); four weak chips {match} (predicted: {expected})"
        )
        print(f"      replace: {str(answer)[:200]}")


def main() -> None:
    """Do one of the four."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("calibrate", "predict", "run", "report"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--only", default="")
    choices = parser.parse_args()
    folder = choices.folder.resolve()
    if choices.what == "calibrate":
        calibrate(folder, choices.only)
    elif choices.what == "predict":
        predict_all(folder)
    elif choices.what == "run":
        run_all(folder, choices.repeats, choices.only)
    else:
        report(folder)


if __name__ == "__main__":
    main()
