"""What Kubernetes manifests share: the scripts as a ConfigMap, the container of a node, placeholders."""

from __future__ import annotations

from tianji.exporters.formats.arguments import Argument, Artefact, Tree
from tianji.exporters.formats.serialize import to_yaml
from tianji.exporters.plan_facts.environments import collective_environment
from tianji.exporters.plan_facts.hosts import HostLayout
from tianji.exporters.plan_facts.torchrun_options import PORT
from tianji.exporters.schedulers.job_names import job_name
from tianji.exporters.schedulers.mindcluster import A2, A5
from tianji.parallel.plan import Plan

FOLDER = "/launch"
MANY_NODES = 1000
"""Nodes beyond which the pods use the hosts' network: an overlay network's set-up would take longer than the job's patience."""


def chip_resource(plan: Plan) -> str:
    """Return the name under which the cluster counts the chips: 950 and 850 as ``npu``, A2 and A3 as ``Ascend910``."""
    if plan.pool.chip.ecosystem != "cann":
        return "amd.com/gpu" if plan.pool.chip.ecosystem == "rocm" else "nvidia.com/gpu"
    return A2 if plan.pool.chip.name.startswith("ascend-910") else A5


def scripts_map(plan: Plan, artefacts: list[Artefact]) -> str:
    """Return a ConfigMap with the files of a node, so that the manifest is complete by itself."""
    # A ConfigMap holds at most 1 MiB: the table of ranks of a large job stays outside.
    small = [a for a in artefacts if not a.name.endswith(".tsv")]
    tree = (
        Argument("apiVersion", "v1"),
        Argument("kind", "ConfigMap"),
        Argument("metadata", (Argument("name", f"{job_name(plan)}-files"),)),
        Argument("data", tuple(Argument(a.name, a.text) for a in small)),
    )
    return to_yaml(tree)


def node_container(plan: Plan, hosts: HostLayout, script: str, name: str, places: str) -> Tree:
    """Return the container of a node; ``places`` are shell words that set NODE_RANK and MASTER_ADDR from the scheduler's."""
    resource = chip_resource(plan)
    count = (Argument(resource, hosts.per_node),)
    command = f"{places} exec bash {FOLDER}/{script}"
    return (
        Argument("name", name),
        Argument("image", "FILL-IN/image:tag", "FILL IN: an image with the engine, its folder as working directory"),
        Argument("command", ["bash", "-c", command]),
        Argument("env", [*_environment(plan)]),
        Argument("ports", [(Argument("containerPort", PORT), Argument("name", "rendezvous"))]),
        Argument("resources", (Argument("requests", count), Argument("limits", count))),
        Argument("volumeMounts", [
            (Argument("name", "files"), Argument("mountPath", FOLDER)),
            (Argument("name", "memory"), Argument("mountPath", "/dev/shm")),
            (Argument("name", "data"), Argument("mountPath", "/data")),
        ]),
    )  # fmt: skip


def _environment(plan: Plan) -> list[Tree]:
    variables: list[Tree] = [
        (Argument("name", item.name), Argument("value", str(item.value))) for item in collective_environment(plan)
    ]
    for name, value, comment in (
        ("DATA_PATH", "/data/FILL-IN", "FILL IN: prefix of the tokenised data"),
        ("TOKENIZER_MODEL", "/data/FILL-IN", "FILL IN: folder of the tokenizer"),
        ("CHECKPOINT_PATH", "/data/checkpoints", "folder for checkpoints"),
    ):
        variables.append((Argument("name", name), Argument("value", value, comment)))
    return variables


def node_volumes(plan: Plan) -> list[Tree]:
    """Return the volumes of a node's container."""
    return [
        (Argument("name", "files"), Argument("configMap", (Argument("name", f"{job_name(plan)}-files"),))),
        (Argument("name", "memory"), Argument("emptyDir", (Argument("medium", "Memory"),))),
        (
            Argument("name", "data"),
            Argument("persistentVolumeClaim", (Argument("claimName", "fill-in", "FILL IN: data and checkpoints"),)),
        ),
    ]


def host_network(hosts: HostLayout) -> Tree:
    """Return the hosts' network for large jobs, nothing for others."""
    if hosts.nodes <= MANY_NODES:
        return ()
    return (
        Argument("hostNetwork", True, f"past {MANY_NODES:,} nodes"),
        Argument("dnsPolicy", "ClusterFirstWithHostNet"),
    )
