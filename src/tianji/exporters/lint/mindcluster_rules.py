"""The rules of MindCluster's scheduler for Atlas pools, checked on a user's own manifest.

Source: as of :mod:`tianji.exporters.schedulers.mindcluster`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from tianji.exporters.formats.nested import child, items
from tianji.exporters.lint.manifests import Manifest
from tianji.exporters.lint.violations import Violation
from tianji.exporters.plan_facts.hosts import largest_divisor
from tianji.exporters.schedulers.mindcluster import A5, NODE, POLICIES, RACK_BLOCKS, RECOVERIES, UNBOUND, SchedulePolicy
from tianji.exporters.schedulers.pods import MANY_NODES


def check_manifest(manifest: Manifest) -> list[Violation]:
    """Return every rule that one manifest breaks."""
    violations = [*_check_pods(manifest), *_check_scheduling(manifest), *_check_partitions(manifest)]
    name = manifest.annotations.get("huawei.com/schedule_policy", "")
    if name in UNBOUND:
        return violations
    if name and name not in POLICIES:
        near = get_close_matches(name, POLICIES, n=1, cutoff=0.4)
        fix = f"write {near[0]}" if near else f"write one of {', '.join(POLICIES)}"
        return [
            *violations,
            Violation("known schedule policy", manifest.where, f"huawei.com/schedule_policy: {name}", fix),
        ]
    policy = POLICIES.get(name) or _guess_policy(manifest)
    return [*violations, *_check_policy(manifest, policy)] if policy else violations


def _guess_policy(manifest: Manifest) -> SchedulePolicy | None:
    """Return what the annotations imply where no policy is named."""
    if "ra-block" in manifest.annotations:
        return POLICIES["chip8-node8-ra64-sp"]
    if "sp-block" in manifest.annotations:
        is_new = any(p.resource == A5 for p in manifest.pods)
        return POLICIES["chip8-node8-sp" if is_new else "chip2-node16-sp"]
    return None


def _check_policy(m: Manifest, policy: SchedulePolicy) -> Iterator[Violation]:
    for pods in m.pods:
        if policy.resource and pods.resource and pods.resource != policy.resource:
            yield Violation(
                "resource of the chips", f"{m.where}, {pods.role}", pods.resource, f"ask for {policy.resource}"
            )
    if m.num_pods == 1:
        chips = max(p.chips for p in m.pods)
        if not 1 <= chips <= policy.node:
            yield Violation("one pod fits a node", m.where, f"{chips} chips", f"ask for 1 to {policy.node}")
    else:
        for pods in m.pods:
            place, actual = f"{m.where}, {pods.role}", f"{pods.chips} chips"
            if policy.super_pod and pods.chips and pods.chips != policy.node:
                rule = f"a pod of a distributed job takes a whole node of {policy.node} chips"
                yield Violation(rule, place, actual, f"ask for {policy.node}")
            elif pods.chips > policy.node:
                yield Violation("a pod fits a node", place, actual, f"ask for {policy.node} or fewer")
    if policy.super_pod:
        yield from _check_super_pod(m, policy)
    if policy.has_racks:
        yield from _check_racks(m)


def _number(m: Manifest, key: str) -> int | None:
    text = m.annotations.get(key, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _check_super_pod(m: Manifest, policy: SchedulePolicy) -> Iterator[Violation]:
    text, block = m.annotations.get("sp-block"), _number(m, "sp-block")
    total, where = m.num_chips, m.where
    fitting = largest_divisor(max(m.num_pods, 1), policy.super_pod) * policy.node
    if text is None:
        yield Violation("sp-block is given", where, "no sp-block", f'add the annotation sp-block: "{fitting}"')
        return
    if not block:
        yield Violation("sp-block is a whole number above 0", where, f"sp-block: {text}", f'write "{fitting}"')
        return
    if m.num_pods == 1:
        chips = max(p.chips for p in m.pods)
        if block != chips:
            yield Violation("sp-block of a single pod is its chips", where, f"sp-block: {block}", f'write "{chips}"')
        return
    node = policy.node
    if block % node:
        yield Violation(f"sp-block is a multiple of {node}", where, f"sp-block: {block}", f'write "{fitting}"')
        return
    nodes = block // node
    if nodes > policy.super_pod:
        rule = f"a super-pod has at most {policy.super_pod:,} nodes = {policy.super_pod * node:,} chips"
        yield Violation(rule, where, f"sp-block: {block} = {nodes:,} nodes", f'write "{fitting}"')
    if m.num_pods and (m.num_pods % nodes or total % block):
        actual = f"{m.num_pods:,} pods, {total:,} chips; sp-block: {block} = {nodes} nodes"
        fix = f'write sp-block: "{fitting}", or take {m.num_pods - m.num_pods % nodes or nodes:,} pods'
        yield Violation("the job is a whole number of logical super-pods", where, actual, fix)


def _check_racks(m: Manifest) -> Iterator[Violation]:
    text, rack, block = m.annotations.get("ra-block"), _number(m, "ra-block"), _number(m, "sp-block")
    sp_nodes = max((block or NODE) // NODE, 1)
    # A rack block is a power of two of nodes, so what divides a super-pod divides the job.
    fit = next((b for b in RACK_BLOCKS if sp_nodes % -(-b // NODE) == 0 and b <= (block or b)), 1)
    if text is None:
        yield Violation("ra-block is given", m.where, "no ra-block", f'add the annotation ra-block: "{fit}"')
        return
    if rack not in RACK_BLOCKS:
        rule = "ra-block is 1, 2, 4, 8, 16, 32 or 64"
        yield Violation(rule, m.where, f"ra-block: {text}", f'write "{fit}"')
        return
    ra_nodes = (rack + 7) // 8
    actual = f"ra-block: {rack} = {ra_nodes} nodes, sp-block: {block} = {sp_nodes} nodes, {m.num_pods:,} pods"
    if ra_nodes > sp_nodes:
        yield Violation("a rack block lies in one logical super-pod", m.where, actual, f'write ra-block: "{fit}"')
    elif sp_nodes % ra_nodes:
        yield Violation("a super-pod is a whole number of rack blocks", m.where, actual, f'write ra-block: "{fit}"')
    elif m.num_pods > 1 and (m.num_pods % ra_nodes or m.num_chips % rack):
        yield Violation("the job is a whole number of rack blocks", m.where, actual, f'write ra-block: "{fit}"')


def _check_pods(m: Manifest) -> Iterator[Violation]:
    for pods in m.pods:
        if pods.requests is not None and pods.limits is not None and pods.requests != pods.limits:
            actual = f"requests {pods.requests}, limits {pods.limits}"
            yield Violation(
                "requests and limits are equal", f"{m.where}, {pods.role}", actual, f"write {pods.limits} twice"
            )
        if m.num_pods > MANY_NODES and pods.chips and not pods.uses_host_network:
            fix = "write hostNetwork: true in the pod's spec"
            rule = f"past {MANY_NODES:,} nodes pods use the host's network"
            yield Violation(rule, f"{m.where}, {pods.role}", f"{m.num_pods:,} pods", fix)
    if m.kind == "AscendJob":
        master = next((p.replicas for p in m.pods if p.role == "Master"), None)
        if master is not None and master != 1:
            yield Violation(
                "an AscendJob has one Master", m.where, f"{master} Masters", "write replicas: 1, the rest as Worker"
            )


def _check_scheduling(m: Manifest) -> Iterator[Violation]:
    spec = child(m.body, "spec")
    if m.kind in ("AscendJob", "Job") and spec.get("schedulerName") not in (None, "volcano"):
        actual = f"schedulerName: {spec['schedulerName']}"
        yield Violation("the scheduler is volcano", m.where, actual, "write schedulerName: volcano")
    policy = child(spec, "runPolicy").get("schedulingPolicy")
    least = policy.get("minAvailable") if isinstance(policy, Mapping) else spec.get("minAvailable")
    total = sum(p.replicas for p in m.pods)  # a scheduler of MindSpore has no chips, and counts
    if isinstance(least, int) and m.num_pods and least != total:
        actual = f"minAvailable: {least}, {total:,} pods"
        yield Violation("all pods start or none", m.where, actual, f"write minAvailable: {total}")
    wait = _number(m, "wait-reschedule-timeout")
    if "wait-reschedule-timeout" in m.annotations and not (wait and 30 <= wait <= 270):
        actual = f"wait-reschedule-timeout: {m.annotations['wait-reschedule-timeout']}"
        yield Violation("wait-reschedule-timeout is 30 to 270 seconds", m.where, actual, 'write "270"')
    words = [w.strip() for w in m.annotations.get("recover-strategy", "").split(",") if w.strip()]
    for word in words:
        if word not in RECOVERIES:
            near = get_close_matches(word, RECOVERIES, n=1, cutoff=0.5)
            fix = f"write {near[0]}" if near else f"write one or more of {','.join(RECOVERIES)}"
            yield Violation("known recover strategy", m.where, f"recover-strategy: {word}", fix)
    yield from _check_affinity(m)


def _check_affinity(m: Manifest) -> Iterator[Violation]:
    text = m.annotations.get("huawei.com/affinity-config")
    if text is None:
        return
    before = 1
    for part in text.split(","):
        level, equals, count = part.strip().partition("=")
        number = int(count) if equals and count.isascii() and count.isdigit() and len(count) < 12 else 0
        if not number or number % before:
            rule = "replicas of a network level are a multiple of those of the level before"
            fix = "write level1=2,level2=4, each a multiple of the one before"
            yield Violation(rule, m.where, f"huawei.com/affinity-config: {text} ({level})", fix)
            return
        before = number


def _check_partitions(m: Manifest) -> Iterator[Violation]:
    for task in items(child(m.body, "spec"), "tasks"):
        parts = child(task, "partitionPolicy")
        total, size, replicas = parts.get("totalPartitions"), parts.get("partitionSize"), task.get("replicas", 1)
        if not (isinstance(total, int) and isinstance(size, int) and isinstance(replicas, int)):
            continue
        if total * size != replicas:
            actual = f"totalPartitions {total} · partitionSize {size}, replicas {replicas}"
            fix = f"write totalPartitions: {replicas // size if size and replicas % size == 0 else '...'}"
            yield Violation("partitions hold all replicas", f"{m.where}, {task.get('name', 'task')}", actual, fix)
