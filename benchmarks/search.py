"""Speed of the search, beside Calculon where a checkout of it is named.

    python benchmarks/search.py                      # our own cases
    python benchmarks/search.py --calculon ../calculon --seconds 60

Each case runs in a process of its own on one core. Calculon's own code is called, unchanged, on its own model and system
files, over a random sample of its own space (its whole space takes it hours); its size is counted in full.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SWITCHES = ("overlap_dp", "overlap_tp", "overlap_pp", "overlap_ep", "sequence_parallel", "flash_attention")
CASES: dict[str, dict[str, Any]] = {
    "GPT-3 175B, 4,096 A100, batch 4,096": {"model": "gpt3-175b", "pool": "dgx-a100", "chips": 4096, "batch": 4096},
    "the same, every switch on and off": {
        "model": "gpt3-175b", "pool": "dgx-a100", "chips": 4096, "batch": 4096,
        "vary": [name for name in SWITCHES if name != "overlap_ep"],
    },
    "DeepSeek-V3, 8,192 Ascend 950DT": {"model": "deepseek-v3", "pool": "atlas-950-superpod", "precision": "fp8"},
    "DeepSeek-V3, 8,192 GB200": {"model": "deepseek-v3", "pool": "gb200-nvl72", "chips": 8192, "precision": "fp8"},
    "DeepSeek-V3, 524,288 Ascend 950DT": {"model": "deepseek-v3", "pool": "atlas-950-supercluster", "precision": "fp8"},
}  # fmt: skip


def run_case(case: dict[str, Any]) -> dict[str, Any]:
    """Search once and return counts, seconds and the peak memory of this process."""
    import resource
    import time

    import tianji
    from tianji.search import SearchOptions, explore

    pool = tianji.load_pool(case["pool"])
    pool = pool.with_chips(case.get("chips", pool.chips))
    job = tianji.make_job(
        case["model"], global_batch_size=case.get("batch"), precision=case.get("precision", "bf16"), chips=pool.chips
    )
    constants = tianji.load_calibration().constants(pool.chip)
    extra = {name: (False, True) for name in case.get("vary", ())}
    started = time.process_time()
    found = explore(job, pool, constants, SearchOptions(extra=extra))
    cpu = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "candidates": found.candidates,
        "feasible": found.feasible,
        "seconds": found.seconds,
        "cpu": cpu,
        "peak": peak,
    }


def one_core() -> dict[str, str]:
    """Return an environment in which NumPy starts no threads."""
    return os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def in_process(arguments: list[str]) -> dict[str, Any]:
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=one_core())
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def run_calculon(checkout: Path, seconds: float) -> dict[str, Any]:
    """Estimate a random sample of Calculon's space of GPT-3 175B on 4,096 A100 with its own code, for that many CPU-seconds."""
    import logging
    import random
    import time

    sys.path.insert(0, str(checkout))
    import calculon
    from calculon.llm import Llm
    from calculon.system import System

    app = Llm.Application(calculon.io.read_json_file(str(checkout / "models" / "gpt3-175B.json")))
    system = System(calculon.io.read_json_file(str(checkout / "systems" / "a100_80g.json")))
    space = list(calculon_space(Llm, app, system, 4096, 4096))
    random.Random(0).shuffle(space)
    logger = logging.Logger("quiet")
    priced, legal, started = 0, 0, time.process_time()
    for execution in space:
        if time.process_time() - started > seconds:
            break
        priced += 1
        try:
            model = Llm(app, logger)
            model.compile(system, Llm.Execution.from_json(execution))
            model.run(system)
            model.get_stats_json(False)
            legal += 1
        except Llm.Error:
            pass
    cpu = time.process_time() - started
    return {"space": len(space), "priced": priced, "legal": legal, "cpu": cpu}


def calculon_space(llm: Any, app: Any, system: Any, chips: int, batch: int) -> Any:
    """Yield what Calculon's own optimal execution loops over, in its default mode, as its execution files."""
    from itertools import product

    both, has_tier2 = (True, False), system.mem2.capacity > 0
    nets = range(system.num_networks)
    for tp in llm.get_all_tensor_parallelisms(chips, app.hidden, app.attn_heads):
        for pp in llm.get_all_pipeline_parallelisms(chips, tp, app.num_blocks):
            dp = llm.get_data_parallelism(chips, tp, pp)
            if dp > batch:
                continue
            size = batch - batch % dp
            offload = both if has_tier2 else (False,)
            for vpp, recompute, sharded, kind, overlap, tp_overlap, weights, acts, optim, b, tn, pn, dn in product(
                llm.get_valid_pipeline_interleavings(app.num_blocks, pp), ("full", "attn_only", "none"),
                both if dp > 1 else (False,), ("ar", "p2p_rs_ag", "rs_ag"), both if dp > 1 else (False,),
                ("none", "ring", "pipe") if tp > 1 else ("none",), offload, offload, offload,
                llm.get_valid_microbatch_sizes(app.seq_size, tp, dp, size, pp),
                nets if tp > 1 else (0,), nets if pp > 1 else (0,), nets if dp > 1 else (0,),
            ):  # fmt: skip
                if recompute == "full" and acts:
                    continue
                for redo in both if llm.can_redo_ag(kind, recompute) else (False,):
                    yield {
                        "num_procs": chips, "tensor_par": tp, "pipeline_par": pp, "data_par": dp, "tensor_par_net": tn,
                        "pipeline_par_net": pn, "data_par_net": dn, "batch_size": size, "microbatch_size": b,
                        "datatype": "float16", "fused_activation": True, "attention_type": "multihead",
                        "activation_recompute": recompute, "pipeline_interleaving": vpp, "optimizer_sharding": sharded,
                        "tensor_par_comm_type": kind, "tensor_par_overlap": tp_overlap, "seq_par_ag_redo": redo,
                        "data_par_overlap": overlap, "weight_offload": weights, "activations_offload": acts,
                        "optimizer_offload": optim, "training": True,
                    }  # fmt: skip


def main() -> None:
    """Run all cases and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calculon", metavar="PATH", type=Path, help="a checkout of Calculon to time beside ours")
    parser.add_argument("--seconds", type=float, default=30.0, help="CPU-seconds of Calculon's sample (default: 30)")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--sample", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(run_case(CASES[given.case])))
        return
    if given.sample:
        print(json.dumps(run_calculon(given.calculon, given.seconds)))
        return
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores, one used")
    print(f"{'case':<38}{'strategies':>14}{'fit':>14}{'wall s':>9}{'CPU s':>9}{'per CPU-s':>14}{'peak MB':>9}")
    rates: dict[str, float] = {}
    for name in CASES:
        r = in_process(["--case", name])
        rates[name] = r["candidates"] / r["cpu"]
        print(
            f"{name:<38}{r['candidates']:>14,}{r['feasible']:>14,}{r['seconds']:>9.2f}{r['cpu']:>9.2f}{rates[name]:>14,.0f}"
            f"{r['peak'] / 1e6:>9.0f}"
        )
    if given.calculon:
        sample = ["--calculon", str(given.calculon.resolve()), "--seconds", str(given.seconds), "--sample"]
        r = in_process(sample)
        rate = r["priced"] / r["cpu"]
        print(
            f"{'Calculon, GPT-3 175B, 4,096 A100':<38}{r['space']:>14,}{'':>14}{'':>9}{r['cpu']:>9.2f}{rate:>14,.0f}"
            f"   ({r['priced']:,} of its space priced, {r['legal']:,} of them legal)"
        )
        for name in list(CASES)[:2]:
            print(f"ratio, {name}: {rates[name] / rate:,.0f}")


if __name__ == "__main__":
    main()
