"""Kubernetes JobSet with Kueue's topology-aware scheduling.

Fields: jobset.x-k8s.io/v1alpha2; Kueue annotations kueue.x-k8s.io/podset-*.
"""

from __future__ import annotations

from tianji.exporters.contract import Limits, Target
from tianji.exporters.formats.arguments import Argument, Artefact, Tree
from tianji.exporters.formats.serialize import comment_lines, to_yaml
from tianji.exporters.plan_facts.header import header_lines
from tianji.exporters.plan_facts.hosts import HostLayout, count_hosts, segment_nodes
from tianji.exporters.schedulers.job_names import job_name
from tianji.exporters.schedulers.node_script import node_artefacts
from tianji.exporters.schedulers.pods import host_network, node_container, node_volumes, scripts_map
from tianji.parallel.plan import Plan


def write(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the manifest, complete with its scripts, and the table of ranks."""
    hosts = count_hosts(plan, limits)
    inner = node_artefacts(plan, limits)
    limits.check()
    head = comment_lines(
        "JobSet with Kueue, written by Tianji: kubectl apply -f jobset.yaml", "", *header_lines(plan, limits)
    )
    document = to_yaml(_job_set(plan, hosts, inner[0].name))
    return [Artefact("jobset.yaml", head + scripts_map(plan, inner) + "---\n" + document), *inner]


def _job_set(plan: Plan, hosts: HostLayout, script: str) -> Tree:
    name = job_name(plan)
    places = f"export NODE_RANK=$JOB_COMPLETION_INDEX MASTER_ADDR={name}-nodes-0-0.{name};"
    pod = (
        *host_network(hosts),
        Argument("restartPolicy", "Never"),
        Argument("containers", [node_container(plan, hosts, script, "node", places)]),
        Argument("volumes", node_volumes(plan)),
    )
    template = (
        Argument("metadata", (Argument("annotations", _topology(plan, hosts)),)),
        Argument("spec", pod),
    )
    job = (
        Argument("parallelism", hosts.nodes),
        Argument("completions", hosts.nodes),
        Argument("completionMode", "Indexed", "the index is the node's number"),
        Argument("backoffLimit", 0, "a lost pod restarts the set, not itself"),
        Argument("template", template),
    )
    # InPlaceRestart would keep healthy pods, but wants a feature gate and an agent beside each container.
    failure = (Argument("maxRestarts", 10), Argument("restartStrategy", "Recreate"))
    labels = (Argument("kueue.x-k8s.io/queue-name", "fill-in", "FILL IN: your queue"),)
    return (
        Argument("apiVersion", "jobset.x-k8s.io/v1alpha2"),
        Argument("kind", "JobSet"),
        Argument("metadata", (Argument("name", name), Argument("labels", labels))),
        Argument("spec", (
            Argument("network", (Argument("enableDNSHostnames", True),)),
            Argument("failurePolicy", failure),
            Argument("replicatedJobs", [(
                Argument("name", "nodes"),
                Argument("replicas", 1),
                Argument("template", (Argument("spec", job),)),
            )]),
        )),
    )  # fmt: skip


def _topology(plan: Plan, hosts: HostLayout) -> Tree:
    segment = segment_nodes(plan)
    level = "FILL IN: your topology's label for"
    annotations = [
        Argument("kueue.x-k8s.io/podset-required-topology", "fill-in/network", f"{level} what joins the whole job"),
    ]
    if 1 < segment < hosts.nodes:
        annotations += [
            Argument("kueue.x-k8s.io/podset-slice-required-topology", "fill-in/rack", f"{level} a scale-up unit"),
            Argument("kueue.x-k8s.io/podset-slice-size", str(segment), "nodes of one scale-up unit"),
        ]
    return tuple(annotations)


TARGET = Target("jobset", "JobSet with Kueue's topology", write)
