"""Pods that no node takes, and why: from what the scheduler and the cluster autoscaler say.

The texts are those of kube-scheduler (FailedScheduling), of the cluster autoscaler
(NotTriggerScaleUp, TriggeredScaleUp) and of GKE (FailedScaleUp):
https://cloud.google.com/kubernetes-engine/docs/troubleshooting/cluster-autoscaler-scale-up
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from diagnosis.case import Case, awaits_node, is_leaving
from diagnosis.finding import Finding, Gravity, Mend
from diagnosis.rules.stock_out import elsewhere
from diagnosis.snapshot import Object, condition, created, labels, last_seen, moment, name
from manifests import GKE_NODE_POOL_LABEL
from planning import PoolPlan
from rollouts import quantity

# A GPU node with its driver takes three to six minutes on GKE.
PATIENCE_SECONDS: Final = 600
_GPU: Final = "nvidia.com/gpu"


class _Sign(NamedTuple):
    rule: str
    text: re.Pattern[str]


def _sign(rule: str, text: str) -> _Sign:
    return _Sign(rule, re.compile(text, re.IGNORECASE))


# What GKE says of a scale-up that it tried, most telling first.
_FAILED: Final = (
    _sign("node-quota", r"quota"),
    _sign(
        "node-stock-out",
        r"out of resources|stockout|RESOURCE_POOL_EXHAUSTED|not have enough resources",
    ),
    _sign("node-addresses", r"ip.?space.?exhausted|free.* ip|no available ip"),
)
# What the autoscaler says of node pools that it did not try. A pod of ours selects one pool, so
# that all others "didn't match", and what is said beside that is of its own pool.
_NOT_TRIED: Final = (
    _sign("node-pool-maximum", r"max (node group|cluster)[\w ]* (size|limit) reached|max limit"),
    _sign("node-backoff", r"in backoff after failed scale-up|priority rules in backoff"),
    _sign("node-zone", r"volume node affinity conflict|available volume zone"),
    _sign("node-taint", r"untolerated taint|had taint"),
    _sign("node-too-large", r"Insufficient [\w./-]+"),
    _sign("node-pool-missing", r"didn't match Pod's node affinity/selector"),
)


# The scheduler, of a PersistentVolumeClaim: of one that is not there, of one whose volume is not,
# and of one that has none, which may be on its way (pkg/scheduler/framework/plugins/volumebinding).
_NO_CLAIM: Final = re.compile(
    r'persistentvolumeclaim "(?P<name>[^"]+)" (not found|is being deleted)'
    r"|non-existent pv|persistent volumes to bind|binding volumes",
    re.IGNORECASE,
)
_UNBOUND: Final = re.compile("unbound immediate PersistentVolumeClaims", re.IGNORECASE)


@dataclass(frozen=True)
class _Verdict:
    rule: str
    why: str
    gravity: Gravity = Gravity.WRONG


def unscheduled(case: Case) -> Iterator[Finding]:
    """One finding for each pool and cause, of all pods without a node."""
    found: dict[tuple[str, str], list[tuple[Object, _Verdict]]] = {}
    for pod in case.snapshot.pods:
        if awaits_node(pod) and not is_leaving(pod):
            scheduler = condition(pod, "PodScheduled").get("message")
            verdict = _judge(case, pod, str(scheduler or ""))
            found.setdefault((verdict.rule, case.subject(pod)), []).append((pod, verdict))
    for (rule, subject), pods in found.items():
        since = min(_since(pod) for pod, _ in pods)
        pod, verdict = pods[0]
        count = len(pods)
        what = f"{count} pods get" if count > 1 else "a pod gets"
        yield Finding(
            rule=rule,
            subject=subject,
            what=f"{what} no node: {_IN_WORDS[rule]}",
            since=since,
            why=verdict.why,
            mend=_mend(rule, case, pod),
            gravity=verdict.gravity,
        )


def _since(pod: Object) -> datetime:
    found = moment(condition(pod, "PodScheduled").get("lastTransitionTime")) or created(pod)
    assert found is not None, "an API server dates every object"
    return found


def _judge(case: Case, pod: Object, scheduler: str) -> _Verdict:
    pool = case.pool(pod)
    if pool and not case.models_of(pool) and not case.is_placed_on(pool):
        return _Verdict("node-not-needed", scheduler, Gravity.NOTE)
    unbound = _UNBOUND.search(scheduler)
    if unbound and case.age(_since(pod)) <= PATIENCE_SECONDS:
        return _Verdict("node-coming", scheduler, Gravity.NOTE)
    if unbound or _NO_CLAIM.search(scheduler):
        return _Verdict("volume-claim", scheduler)
    events = case.snapshot.events_of("Pod", name(pod))
    of_autoscaler = [
        event
        for event in events
        if event.get("reason") in {"FailedScaleUp", "NotTriggerScaleUp", "TriggeredScaleUp"}
    ]
    for event in of_autoscaler[:1]:
        message = str(event.get("message") or "")
        age = case.age(last_seen(event))
        if event.get("reason") == "TriggeredScaleUp":
            # A failed attempt before it says what the new one may meet.
            if age <= PATIENCE_SECONDS and not _earlier_failure(of_autoscaler):
                return _Verdict("node-coming", message, Gravity.NOTE)
            continue
        signs = _FAILED if event.get("reason") == "FailedScaleUp" else _NOT_TRIED
        for sign in signs:
            if sign.text.search(message):
                if sign.rule == "node-backoff" and (failure := _earlier_failure(of_autoscaler)):
                    return failure
                return _Verdict(sign.rule, message)
    return _earlier_failure(of_autoscaler) or _by_nodes(case, pod, scheduler)


def _earlier_failure(events: list[Object]) -> _Verdict | None:
    for event in events:
        if event.get("reason") == "FailedScaleUp":
            message = str(event.get("message") or "")
            for sign in _FAILED:
                if sign.text.search(message):
                    return _Verdict(sign.rule, message)
    return None


def _by_nodes(case: Case, pod: Object, scheduler: str) -> _Verdict:
    """The cause as the nodes of the pod's pool show it, if no autoscaler says anything."""
    pool = case.pool(pod)
    nodes = [
        node
        for node in case.snapshot.nodes
        if pool
        and labels(node).get(GKE_NODE_POOL_LABEL) in pool.node_pools
        and not is_leaving(node)
    ]
    if pool and nodes:
        if not any(_allocatable(node, _GPU) for node in nodes):
            return _Verdict(
                "gpu-driver-absent",
                f"node {name(nodes[0])} offers no {_GPU}; {scheduler}",
            )
        if _is_too_large(pod, nodes):
            return _Verdict("node-too-large", scheduler)
        if len(nodes) >= pool.most_nodes:
            return _Verdict(
                "node-pool-maximum",
                f"all {len(nodes)} nodes that the pool may have are there and taken; {scheduler}",
            )
        if taint := _untolerated(pod, nodes):
            return _Verdict("node-taint", f"taint {taint}; {scheduler}")
    if case.age(_since(pod)) <= PATIENCE_SECONDS:
        return _Verdict("node-coming", scheduler, Gravity.NOTE)
    return _Verdict("node-missing", scheduler)


def _allocatable(node: Object, resource: str) -> Decimal:
    return _amount(((node.get("status") or {}).get("allocatable") or {}).get(resource))


def _amount(value: object) -> Decimal:
    found = quantity(value)
    return found[0] if found else Decimal(0)


def _is_too_large(pod: Object, nodes: list[Object]) -> bool:
    requests: dict[str, Decimal] = {}
    for container in (pod.get("spec") or {}).get("containers") or ():
        for key, value in ((container.get("resources") or {}).get("requests") or {}).items():
            requests[key] = requests.get(key, Decimal(0)) + _amount(value)
    return bool(requests) and not any(
        all(_allocatable(node, key) >= value for key, value in requests.items()) for node in nodes
    )


def _untolerated(pod: Object, nodes: list[Object]) -> str:
    """A taint that every node of the pool has and the pod does not tolerate; empty if none."""
    tolerations = (pod.get("spec") or {}).get("tolerations") or ()
    for node in nodes:
        for taint in (node.get("spec") or {}).get("taints") or ():
            key, value = taint.get("key"), taint.get("value") or ""
            if taint.get("effect") in {"NoSchedule", "NoExecute"} and not any(
                item.get("key") in {None, "", key}
                and (item.get("operator") == "Exists" or (item.get("value") or "") == value)
                and item.get("effect") in {None, "", taint.get("effect")}
                for item in tolerations
            ):
                return f"{key}={value}"
    return ""


_IN_WORDS: Final = {
    "node-quota": "the project's quota is used up",
    "node-stock-out": "Google has no such machine left in these zones",
    "node-addresses": "the cluster's network has no addresses left",
    "node-pool-maximum": "its pool has as many nodes as it may have",
    "node-backoff": "a scale-up failed, and the next one waits",
    "volume-claim": "the volume that it mounts is not there",
    "node-zone": "what it needs is in another zone",
    "node-taint": "it does not tolerate a taint of its pool",
    "node-too-large": "it asks for more than a node of its pool has",
    "node-pool-missing": "no node pool has the label that it selects",
    "gpu-driver-absent": "its nodes offer no GPU",
    "node-missing": "none came, and nobody says why",
    "node-coming": "one is on its way",
    "node-not-needed": "no model of the stack is on its pool any more, and Ray does not give it up",
}


def _mend(rule: str, case: Case, pod: Object) -> Mend:
    pool = case.pool(pod)
    path = pool.path if pool else "ray-llm:cluster.cpuPool"
    cluster = case.plan.cluster
    if rule == "node-quota":
        metrics = ", ".join(_quotas(case, pool)) or "CPUS and the GPU's own quota"
        return Mend(
            path=path,
            text=f"Ask Google for more of {metrics} in {case.plan.region}, or move a model to "
            "another pool by `gpu:`, or lower `maxNodes` and replicas to what the quota allows.",
            command=f"gcloud compute regions describe {case.plan.region} --project "
            f"{case.plan.project} --format=json",
        )
    if rule == "node-stock-out" and pool:
        return elsewhere(case, pool)
    if rule == "node-stock-out":
        zones = ", ".join(cluster.zones)
        return Mend(path=f"{path}.zones", text=f"Add a zone to {zones} that offers the machine.")
    if rule == "node-pool-maximum":
        most = f"{path}.maxNodes"
        now = pool.max_nodes if pool else cluster.cpu_pool.max_nodes
        return Mend(path=most, text=f"Raise maxNodes above {now}, or lower replicas.max.")
    if rule == "volume-claim":
        return _mend_of_claim(case, pod, pool)
    return Mend(path=path, text=_MENDS[rule], command=_COMMANDS.get(rule, ""))


def _mend_of_claim(case: Case, pod: Object, pool: PoolPlan | None) -> Mend:
    """No pod of ours mounts a claim but those of a pool with a cache, or with weights on a disk."""
    namespace, weights = case.plan.service.namespace, case.plan.weights
    settings: dict[str, str] = {}
    if weights and weights.claim:
        settings[weights.claim] = "ray-llm:weights.disk"
    if pool and pool.compile_cache:
        settings[pool.compile_cache] = f"{pool.path}.compileCache"
    found = _NO_CLAIM.search(str(condition(pod, "PodScheduled").get("message") or ""))
    named = found["name"] if found else None
    claims = [named] if named else list(settings)
    paths = (settings[claim] for claim in claims if claim in settings)
    return Mend(
        path=next(paths, "ray-llm:gpuPools"),
        text=f"Make {' and '.join(claims) or 'the claim'} in the namespace {namespace}, with a "
        "volume: a pod that waits then goes on. To do without it, take the setting out, which "
        "starts a second Ray cluster.",
        command=f"kubectl --namespace {namespace} describe persistentvolumeclaims",
    )


def _quotas(case: Case, pool: PoolPlan | None) -> Iterator[str]:
    for need in case.plan.quota:
        if pool is None or pool.id in need.of_node:
            yield need.metric


_MENDS: Final = {
    "node-addresses": "Give the cluster's subnetwork a larger range of pod addresses.",
    "node-backoff": "Look for FailedScaleUp among the events of the last hour: it names quota or "
    "stock-out. The autoscaler tries again within half an hour.",
    "node-zone": "Let the pool have nodes in the zone of the volume, or take the volume out.",
    "node-taint": "Take the taint off the pool: pods of ours tolerate nvidia.com/gpu, "
    "nvidia.com/gpu-type and the ComputeClass that they choose alone.",
    "node-too-large": "Choose a larger machineType for the pool, or leave it out: then the pods "
    "are sized to it. DaemonSets that were added take their part too.",
    "node-pool-missing": "Run `pulumi up`: it makes the pool again if it was deleted or renamed.",
    "gpu-driver-absent": "Set gpuDriverVersion to LATEST, so that GKE installs the driver.",
    "node-missing": "Read what the cluster autoscaler logs, and whether the pool autoscales.",
    "node-coming": "Wait some minutes.",
    "node-not-needed": "Nothing: nobody waits for it. If its node comes after all, Ray gives it "
    "back after some minutes without work.",
}
_COMMANDS: Final = {
    "node-missing": "gcloud logging read "
    "'logName:\"container.googleapis.com%2Fcluster-autoscaler-visibility\"' --limit 20",
}
