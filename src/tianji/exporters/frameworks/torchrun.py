"""torchrun: a launcher for any training script, with the plan and its degrees handed over."""

from __future__ import annotations

import json

from tianji.exporters.contract import Limits, Target
from tianji.exporters.formats.arguments import Argument, Artefact, Tree
from tianji.exporters.formats.shell_scripts import needed, spread, write_script
from tianji.exporters.plan_facts.environments import collective_environment
from tianji.exporters.plan_facts.header import header_lines
from tianji.exporters.plan_facts.hosts import count_hosts, rank_table
from tianji.exporters.plan_facts.mathematics import note_mathematics
from tianji.exporters.plan_facts.torchrun_options import host_needs, torchrun_group
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import plan_document


def plan_artefact(plan: Plan) -> Artefact:
    """Return the plan's own file."""
    return Artefact("plan.json", json.dumps(plan_document(plan), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the launcher, the plan and the table of ranks.

    The script that it starts builds the strategy itself, from ``plan.json`` or from the variables ``TIANJI_*``, so nothing
    is refused here.
    """
    hosts = count_hosts(plan, limits)
    limits.note("The training script builds the strategy itself: from plan.json, or from the variables TIANJI_*.")
    note_mathematics(plan, limits, "the model's own code")
    limits.check()
    section = torchrun_group(hosts)
    needs = (*host_needs(hosts), needed("TRAIN_SCRIPT", "the training script that torchrun starts"))
    environment = (*_strategy_environment(plan), *collective_environment(plan))
    title = "Launcher with torchrun, written by Tianji. Start it on every node, in this folder."
    call = ["torchrun", spread(section), '"${TRAIN_SCRIPT}"']
    script = write_script("launch.sh", title, header_lines(plan, limits), needs, environment, [section], call)
    return [script, plan_artefact(plan), Artefact("ranks.tsv", rank_table(plan, limits))]


def _strategy_environment(plan: Plan) -> Tree:
    fields = plan.strategy.as_dict().items()
    words = {True: "on", False: "off"}
    return (
        Argument("TIANJI_PLAN", "plan.json", "the whole plan"),
        Argument("TIANJI_GLOBAL_BATCH_SIZE", plan.job.global_batch_size),
        Argument("TIANJI_SEQ_LEN", plan.job.seq_len),
        Argument("TIANJI_PRECISION", plan.job.precision.name),
        *(Argument(f"TIANJI_{k.upper()}", words[v] if isinstance(v, bool) else v) for k, v in fields),
    )


TARGET = Target("torchrun", "launcher for any training script", write)
