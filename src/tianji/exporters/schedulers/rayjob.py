"""KubeRay: a RayJob that starts ``tianji run`` on one worker for each node.

Fields: ray.io/v1.
"""

from __future__ import annotations

from tianji.exporters.contract import Limits, Target
from tianji.exporters.formats.arguments import Argument, Artefact, Tree
from tianji.exporters.formats.serialize import comment_lines, to_yaml
from tianji.exporters.frameworks.torchrun import plan_artefact
from tianji.exporters.plan_facts.environments import collective_environment
from tianji.exporters.plan_facts.header import header_lines
from tianji.exporters.plan_facts.hosts import HostLayout, count_hosts, rank_table
from tianji.exporters.schedulers.job_names import job_name
from tianji.exporters.schedulers.pods import FOLDER, chip_resource, host_network, node_volumes, scripts_map
from tianji.parallel.plan import Plan


def write(plan: Plan, limits: Limits) -> list[Artefact]:
    """Return the manifest with the plan in it, the plan, and the table of ranks."""
    hosts = count_hosts(plan, limits)
    limits.note("Ray places whole nodes; within them `tianji run` numbers the ranks as ranks.tsv says.")
    limits.check()
    files = [plan_artefact(plan)]
    head = comment_lines("RayJob, written by Tianji: kubectl apply -f rayjob.yaml", "", *header_lines(plan, limits))
    text = head + scripts_map(plan, files) + "---\n" + to_yaml(_ray_job(plan, hosts))
    return [Artefact("rayjob.yaml", text), *files, Artefact("ranks.tsv", rank_table(plan, limits))]


def _ray_job(plan: Plan, hosts: HostLayout) -> Tree:
    labels = (
        Argument("ray.io/scheduler-name", "volcano"),
        Argument("volcano.sh/queue-name", "fill-in", "FILL IN: your queue"),
    )
    count = (Argument(chip_resource(plan), hosts.per_node),)
    head = (
        Argument("rayStartParams", (Argument("num-cpus", "0", "no work on the head"),)),
        Argument("template", _pod(plan, "head", ())),
    )
    workers = (
        Argument("groupName", "nodes"),
        Argument("replicas", hosts.nodes, "one worker on each node; fewer would be another plan"),
        Argument("minReplicas", hosts.nodes),
        Argument("maxReplicas", hosts.nodes),
        Argument("rayStartParams", ()),
        Argument(
            "template",
            _pod(plan, "worker", (Argument("requests", count), Argument("limits", count)), host_network(hosts)),
        ),
    )
    store = (Argument("redisAddress", "fill-in:6379", "FILL IN: keeps the cluster's state when the head is lost"),)
    cluster = (
        Argument("gcsFaultToleranceOptions", store),
        Argument("headGroupSpec", head),
        Argument("workerGroupSpecs", [workers]),
    )
    return (
        Argument("apiVersion", "ray.io/v1"),
        Argument("kind", "RayJob"),
        Argument("metadata", (Argument("name", job_name(plan)), Argument("labels", labels))),
        Argument("spec", (
            Argument("entrypoint", f"tianji run {FOLDER}/plan.json --engine ray"),
            Argument("shutdownAfterJobFinishes", True),
            Argument("backoffLimit", 3),
            Argument("rayClusterSpec", cluster),
        )),
    )  # fmt: skip


def _pod(plan: Plan, name: str, resources: Tree, network: Tree = ()) -> Tree:
    env = [(Argument("name", item.name), Argument("value", str(item.value))) for item in collective_environment(plan)]
    mounts = [
        (Argument("name", "files"), Argument("mountPath", FOLDER)),
        (Argument("name", "memory"), Argument("mountPath", "/dev/shm")),
        (Argument("name", "data"), Argument("mountPath", "/data")),
    ]
    container = (
        Argument("name", name),
        Argument("image", "FILL-IN/image:tag", "FILL IN: an image with Ray and Tianji"),
        Argument("env", [*env]),
        *([Argument("resources", resources)] if resources else []),
        Argument("volumeMounts", mounts),
    )
    return (Argument("spec", (*network, Argument("containers", [container]), Argument("volumes", node_volumes(plan)))),)


TARGET = Target("rayjob", "RayJob that starts `tianji run`", write)
