"""MindCluster's AscendJob for Ascend pools, Volcano's own Job for others.

Fields: MindCluster 26.1 (AscendJob, scheduling annotations), Volcano batch.volcano.sh/v1alpha1 with network topology.
"""

from __future__ import annotations

from tianji.exporters.contract import Limits, Target
from tianji.exporters.formats.arguments import Argument, Artefact, Tree
from tianji.exporters.formats.serialize import comment_lines, to_yaml
from tianji.exporters.plan_facts.header import header_lines
from tianji.exporters.plan_facts.hosts import HostLayout, count_hosts, segment_nodes
from tianji.exporters.plan_facts.torchrun_options import PORT
from tianji.exporters.schedulers.job_names import job_name
from tianji.exporters.schedulers.mindcluster import RACK, RACK_BLOCKS
from tianji.exporters.schedulers.node_script import node_artefacts
from tianji.exporters.schedulers.pods import (
    MANY_NODES,
    chip_resource,
    host_network,
    node_container,
    node_volumes,
    scripts_map,
)
from tianji.parallel.plan import Plan


def write(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the manifest, complete with its scripts, and the table of ranks."""
    hosts = count_hosts(plan, limits)
    inner = node_artefacts(plan, limits)
    limits.check()
    if hosts.nodes > MANY_NODES:
        limits.note(
            "Volcano's webhook refuses most of thousands of pods created at once: raise its timeout, or pace them."
        )
    if plan.pool.chip.ecosystem == "cann":
        tree, what = _ascend_job(plan, hosts, inner[0].name, limits), "MindCluster AscendJob"
    else:
        tree, what = _volcano_job(plan, hosts, inner[0].name), "Volcano job"
    head = comment_lines(f"{what}, written by Tianji: kubectl apply -f job.yaml", "", *header_lines(plan, limits))
    return [Artefact("job.yaml", head + scripts_map(plan, inner) + "---\n" + to_yaml(tree)), *inner]


# --- MindCluster ------------------------------------------------------------------------------------------------
def schedule_policy(plan: Plan) -> str:
    """Return MindCluster's name for the way the chips of the pool are built together."""
    fast = [t.span for t in plan.pool.tiers if t.kind == "scale-up"]
    if plan.pool.node == 16:
        return "chip2-node16-sp" if max(fast) > 16 else "chip2-node16"
    if RACK in fast and max(fast) > RACK:
        return "chip8-node8-ra64-sp"
    return "chip8-node8-sp" if max(fast) > plan.pool.node else "chip8-node8"


def _ascend_job(plan: Plan, hosts: HostLayout, script: str, limits: Limits) -> Tree:
    name, policy = job_name(plan), schedule_policy(plan)
    annotations = [Argument("huawei.com/schedule_policy", policy, "how the chips are built together")]
    if policy.endswith("-sp"):
        segment = segment_nodes(plan)
        block = segment * hosts.per_node
        comment = "chips of one logical super-pod; consecutive ranks fill it"
        annotations.append(Argument("sp-block", str(block), comment))
        if segment < hosts.nodes:
            limits.note("The job spans several super-pods: RoCE between them must be up.")
    if "-ra64-" in policy:
        rack = next(b for b in RACK_BLOCKS if segment % -(-b // 8) == 0 and b <= block)
        annotations.append(Argument("ra-block", str(rack), "chips of one block within a rack"))
    annotations.append(Argument("huawei.com/schedule_minAvailable", str(hosts.nodes), "all nodes or none"))
    annotations.append(Argument("recover-strategy", "retry,recover-in-place,recover,dump,exit"))
    labels = (
        Argument("framework", "pytorch"),
        Argument("fault-scheduling", "grace", "save, stop and place anew when a chip fails"),
        Argument("fault-retry-times", "3"),
    )
    policies = (Argument("minAvailable", hosts.nodes), Argument("queue", "default", "FILL IN: your queue"))
    replicas = [Argument("Master", _replica(plan, hosts, script, 1))]
    if hosts.nodes > 1:
        replicas.append(Argument("Worker", _replica(plan, hosts, script, hosts.nodes - 1)))
    return (
        Argument("apiVersion", "mindxdl.gitee.com/v1"),
        Argument("kind", "AscendJob"),
        Argument("metadata", (Argument("name", name), Argument("labels", labels), Argument("annotations", tuple(annotations)))),
        Argument("spec", (
            Argument("schedulerName", "volcano"),
            Argument("runPolicy", (Argument("schedulingPolicy", policies),)),
            Argument("successPolicy", "AllWorkers"),
            Argument("replicaSpecs", tuple(replicas)),
        )),
    )  # fmt: skip


def _replica(plan: Plan, hosts: HostLayout, script: str, count: int) -> Tree:
    # The operator gives each pod RANK (its number) and MASTER_ADDR; it wants the container to be called ascend.
    container = node_container(plan, hosts, script, "ascend", "export NODE_RANK=${RANK:-0};")
    visible = (
        Argument("name", "ASCEND_VISIBLE_DEVICES"),
        Argument("valueFrom", (Argument("fieldRef", (
            Argument("fieldPath", f"metadata.annotations['{chip_resource(plan)}']"),)),)),
    )  # fmt: skip
    env = next(a for a in container if a.name == "env")
    assert isinstance(env.value, list)
    # MindCluster's documentation wants the rendezvous port under this name.
    port = (Argument("containerPort", PORT), Argument("name", "ascendjob-port"))
    own = {"env": [visible, *env.value], "ports": [port]}
    container = tuple(Argument(a.name, own[a.name]) if a.name in own else a for a in container)
    pod = (
        *host_network(hosts),
        Argument("nodeSelector", (Argument("host-arch", "huawei-arm"),)),
        Argument("containers", [container]),
        Argument("volumes", node_volumes(plan)),
    )
    return (
        Argument("replicas", count),
        Argument("restartPolicy", "Never"),
        Argument("template", (Argument("spec", pod),)),
    )


# --- Volcano by itself ------------------------------------------------------------------------------------------
def _volcano_job(plan: Plan, hosts: HostLayout, script: str) -> Tree:
    name, segment = job_name(plan), segment_nodes(plan)
    places = f"export NODE_RANK=$VC_TASK_INDEX MASTER_ADDR={name}-node-0.{name};"
    container = node_container(plan, hosts, script, "node", places)
    pod = (
        *host_network(hosts),
        Argument("restartPolicy", "Never"),
        Argument("containers", [container]),
        Argument("volumes", node_volumes(plan)),
    )
    task = [
        Argument("name", "node"),
        Argument("replicas", hosts.nodes),
        Argument("template", (Argument("spec", pod),)),
    ]
    topology = (
        Argument("mode", "hard"),
        Argument("highestTierAllowed", 2, "FILL IN: the tier that joins the whole job"),
    )
    if 1 < segment < hosts.nodes:
        inner = (Argument("mode", "hard"), Argument("highestTierAllowed", 1, "one scale-up unit"))
        task.insert(2, Argument("partitionPolicy", (
            Argument("totalPartitions", hosts.nodes // segment),
            Argument("partitionSize", segment, "nodes of one scale-up unit"),
            Argument("networkTopology", inner),
        )))  # fmt: skip
    return (
        Argument("apiVersion", "batch.volcano.sh/v1alpha1"),
        Argument("kind", "Job"),
        Argument("metadata", (Argument("name", name),)),
        Argument("spec", (
            Argument("schedulerName", "volcano"),
            Argument("minAvailable", hosts.nodes, "all nodes or none"),
            Argument("queue", "default", "FILL IN: your queue"),
            Argument("plugins", (Argument("svc", []), Argument("env", [])), "host names, and VC_TASK_INDEX"),
            Argument("networkTopology", topology),
            Argument("policies", [(Argument("event", "PodFailed"), Argument("action", "RestartJob"))]),
            Argument("tasks", [tuple(task)]),
        )),
    )  # fmt: skip


TARGET = Target("volcano", "MindCluster AscendJob (Ascend) or Volcano Job", write)
