"""Kill ranks and agents of a real operation at random moments, and set goodput and recovery beside the reliability model.

    python benchmarks/kills.py --kills 20             (a few minutes on two cores)
    python benchmarks/kills.py --kills 200            (the long test)
    python benchmarks/kills.py --kills 10 --engine ray

A tiny model on gloo processes: 4 chips in 2 nodes. Kills come at random with ``--gap`` seconds between them on average, whatever
the job is doing; four of five hit a rank, one of five an agent, or under Ray as often the agent's actor. The prediction is the
renewal formula of ``tianji.reliability.efficiency`` with the measured failure rate, recovery time and step time (saves
included), and a restart more for each time that the job grows again.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tianji.backends.options import RunOptions
from tianji.backends.ray_cluster.hosts import RayHosts
from tianji.catalog import load_pool
from tianji.operation.operating import Operation, Order, begin
from tianji.operation.settings import Settings
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.workload import Job, find_precision
from tianji.workload.huggingface import read_config

CONFIG = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 8, "num_key_value_heads": 4,
    "intermediate_size": 96, "vocab_size": 256,
}  # fmt: skip
ENOUGH = 10_000_000


class Killer:
    """Kills until it has killed often enough, then ends the operation."""

    def __init__(self, kills: int, gap: float, seed: int) -> None:
        self.left, self.gap, self.random = kills, gap, random.Random(seed)
        self.counts = {"rank": 0, "agent": 0, "actor": 0}
        self.next: float | None = None

    def __call__(self, operation: Operation) -> None:
        """Kill somebody when it is time to."""
        now, controller = time.monotonic(), operation.controller
        if controller.attempt is None or not operation.agents.pids():
            return
        if self.next is None:
            self.next = now + self.random.expovariate(1.0 / self.gap)
        if now < self.next:
            return
        if not self.left:
            raise KeyboardInterrupt
        chip = self.random.choice(controller.attempt.chips)
        part = self._choose(operation)
        pid = _processes(operation, part).get(chip if part == "rank" else chip // controller.node)
        self.next = now + self.random.expovariate(1.0 / self.gap)
        if pid is None:
            return
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # it is down already
        self.left -= 1
        self.counts[part] += 1

    def _choose(self, operation: Operation) -> str:
        if self.random.random() >= 0.2:
            return "rank"
        is_local = operation.order.engine == "local"
        return "agent" if is_local else self.random.choice(("agent", "actor"))


def _processes(operation: Operation, part: str) -> Mapping[int, int]:
    if part == "rank":
        return operation.agents.pids()
    hosts = operation.agents.hosts
    return hosts.actors() if part == "actor" and isinstance(hosts, RayHosts) else hosts.agents()


def main() -> None:
    """Run it and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--gap", type=float, default=15.0, help="mean seconds between kills")
    parser.add_argument("--every", type=int, default=20, help="steps between checkpoints")
    parser.add_argument(
        "--engine", default="local", help="local, or ray: the pool that is up on this machine, or a private one"
    )
    parser.add_argument("--seed", type=int, default=0)
    choices = parser.parse_args()
    pool = replace(load_pool("hgx-h100", 4), node=2)
    plan = Plan(Job(read_config(CONFIG, "tiny"), 32, 8, find_precision("fp32")), pool, Strategy(dp=4))
    settings = Settings(steps=ENOUGH, checkpoint_every=choices.every, quarantine=5.0, patience=100)
    options = RunOptions(steps=ENOUGH, warmup=0, optimizer="sgd", learning_rate=0.01, trace=False)
    order = Order(plan, settings, options, mtbf=choices.gap, save_time=0.05, repair=5.0, engine=choices.engine)
    killer = Killer(choices.kills, choices.gap, choices.seed)
    with tempfile.TemporaryDirectory() as folder:
        account = begin(order, Path(folder), killer).account
    expected = account.expect(choices.every)
    killed = ", ".join(f"{count} {part}s" for part, count in killer.counts.items() if count)
    print(f"kills           {killed} in {account.seconds:.0f} s")
    print(f"failures        {account.failures} seen and {account.growths} growths in {account.attempts} attempts")
    print(f"recovery        mean {account.recovery_time:.2f} s, longest {max(account.recoveries, default=0.0):.2f} s")
    print(
        f"steps           {account.steps} that last, {account.step_time * 1e3:.1f} ms each, {account.lost_steps} done again"
    )
    print(f"goodput         {account.goodput:.1%} measured, {expected:.1%} by the formula,", end=" ")
    print(f"{100 * (account.goodput - expected):+.1f} points")


if __name__ == "__main__":
    main()
