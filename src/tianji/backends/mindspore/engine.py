"""The MindSpore engine: ranks on this machine's CPUs, in MindSpore's own environment, under our own agent.

``msrun`` would start the same processes, but it puts each rank in a session of its own, so that a killed launcher leaves ranks
behind, and it learns of a rank's death only when the scheduler has missed its heartbeats for half a minute.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from tianji.backends.first_weights import FirstWeights, write_first_weights
from tianji.backends.machine import check_extra, check_inputs, check_machine, check_port
from tianji.backends.mindspore.environment import find_python
from tianji.backends.mindspore.support import check_limits
from tianji.backends.mindspore.weights import WEIGHTS, draw_carried
from tianji.backends.mindspore.worker import PROBE
from tianji.backends.options import RunOptions
from tianji.backends.run_folder import finish_run, prepare_run
from tianji.backends.runtime.hosts import LocalHosts
from tianji.backends.runtime.supervise import run_ranks
from tianji.parallel.plan import Plan
from tianji.result import Result


@dataclass
class MindSporeEngine:
    """Starts an agent under MindSpore's Python, which forks the scheduler and the ranks; no process outlives :meth:`run`."""

    probe: bool = False
    """Leave the logits and gradients of the first step in ``rank-N.npz``, by the weights' names."""
    name: str = "mindspore"

    def check(self, plan: Plan, options: RunOptions) -> None:
        """Raise InputError unless the plan can run on MindSpore on this machine."""
        self.check_plan(plan, options)
        check_extra()  # torch draws the first weights
        find_python()
        check_inputs(plan, options)
        check_machine(plan, replace(options, device="cpu"))
        check_port(options.port)

    @staticmethod
    def check_plan(plan: Plan, options: RunOptions) -> None:
        """Raise InputError unless the backend runs a plan as its strategy says, on whatever machine."""
        check_limits(plan, options)

    def run(self, plan: Plan, options: RunOptions) -> Result:
        """Run a plan and return the measured result, which is written to ``options.out`` too.

        There is no trace, so the result has no breakdown. Raises what :meth:`check` raises, and RunError when the port is taken
        or a rank fails.
        """
        self.check(plan, options)
        options, world = replace(options, trace=False, device="cpu"), plan.strategy.chips
        job = prepare_run(plan, options, node=world, task="train-mindspore")
        if not options.weights:
            write_first_weights(FirstWeights(draw_carried(plan.job.model, options.seed)), job.folder / WEIGHTS)
        environment = _variables(world, options, probe=self.probe)
        job = replace(job, rendezvous="" if world > 1 else "alone")  # one rank has nobody to meet
        run_ranks(LocalHosts(job.folder, environment, (str(find_python()), "-P")), job)
        return finish_run(plan, replace(options, out=str(job.folder)), self.name)


def _variables(world: int, options: RunOptions, *, probe: bool) -> dict[str, str]:
    threads = max((os.cpu_count() or 1) // world, 1)
    variables = {"OMP_NUM_THREADS": str(threads), "GLOG_v": "3", "PYTHONPATH": ""}
    if world > 1:
        # MindSpore's own patience is half an hour.
        variables |= {"MS_WORKER_NUM": str(world), "MS_TOPO_TIMEOUT": str(round(options.timeout))}
    return variables | ({PROBE: "1"} if probe else {})
