"""What is around a service: names, clocks, network policies, and the check after an `up`."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from diagnosis.case import CLUSTER_LABEL, Case, is_ready, job_of
from diagnosis.finding import Finding, Gravity, Mend
from diagnosis.snapshot import (
    Object,
    condition,
    created,
    labels,
    last_seen,
    listed,
    metadata,
    moment,
    name,
    status,
    subject,
)
from manifests import JOB_ANNOTATION

NAMES: Final = re.compile(
    r"Temporary failure in name resolution|Name or service not known|no such host"
    r"|Could not resolve host|getaddrinfo failed|lookup [\w.-]+.*i/o timeout|NameResolutionError",
    re.IGNORECASE,
)
_DNS: Final = frozenset({"kube-dns", "coredns"})
_SKEW_SECONDS: Final = 60.0
_AGO: Final = timedelta(hours=1)
_SILENCE: Final = re.compile(
    r"does not answer|timed out|timeout|Connection refused|No route to host", re.IGNORECASE
)


def unresolved(subject: str, why: str, since: datetime | None) -> Finding:
    """A name does not resolve."""
    return Finding(
        rule="dns",
        subject=subject,
        what="names do not resolve in its pods",
        since=since,
        why=why,
        mend=Mend(
            text="Look at the cluster's DNS, and let network policies allow port 53 to it.",
            command="kubectl --namespace kube-system get pods --selector k8s-app=kube-dns",
        ),
    )


def dns(case: Case) -> Iterator[Finding]:
    """The cluster's DNS is down, or a pod says that it resolves no names."""
    for deployment in case.snapshot.deployments:
        own = labels(deployment).get("k8s-app") or name(deployment)
        ready = status(deployment).get("availableReplicas") or 0
        if own in _DNS and (deployment.get("spec") or {}).get("replicas") and not ready:
            why = condition(deployment, "Available").get("message") or "no replica is available"
            since = moment(condition(deployment, "Available").get("lastTransitionTime"))
            yield unresolved("the cluster's DNS", str(why), since)
            return
    for event in case.snapshot.events:
        message = str(event.get("message") or "")
        recent = last_seen(event) > case.snapshot.now - _AGO
        if recent and event.get("type") == "Warning" and NAMES.search(message):
            about = subject(event)
            yield unresolved(f"{about.get('kind')} {about.get('name')}", message, last_seen(event))
            return


def clocks(case: Case) -> Iterator[Finding]:
    """This machine's clock, or a node's, is off: certificates, tokens and ages depend on it."""
    snapshot = case.snapshot
    if snapshot.server_time is None:
        return
    off = (snapshot.taken_at - snapshot.server_time).total_seconds()
    if abs(off) > _SKEW_SECONDS:
        yield Finding(
            rule="clock",
            subject="this machine",
            what=f"its clock is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the "
            "cluster's",
            why=f"here {snapshot.taken_at:%H:%M:%S}, there {snapshot.server_time:%H:%M:%S} UTC",
            gravity=Gravity.NOTE,
            mend=Mend(text="Set this machine's clock by NTP: signing in fails with a wrong one."),
        )
    for node in snapshot.nodes:
        beat = moment(condition(node, "Ready").get("lastHeartbeatTime"))
        ahead = (beat - snapshot.server_time).total_seconds() if beat else 0.0
        if ahead > _SKEW_SECONDS:
            yield Finding(
                rule="clock",
                subject=f"node {name(node)}",
                what=f"its clock is {ahead:.0f} s ahead of the cluster's",
                why=f"its last heartbeat is from {beat:%H:%M:%S} UTC",
                mend=Mend(
                    text="Replace the node: GKE's nodes take their time from Google.",
                    command=f"kubectl drain {name(node)} --ignore-daemonsets "
                    "--delete-emptydir-data",
                ),
            )


def check(case: Case) -> Iterator[Finding]:
    """The check after the last `up` failed: by a network policy, or for another reason."""
    annotations = metadata(case.snapshot.ray_service or {}).get("annotations") or {}
    job = annotations.get(JOB_ANNOTATION)
    found = next((item for item in case.snapshot.jobs if name(item) == job), None)
    failed = condition(found, "Failed")
    text = _last_words(case, str(job)) or str(failed.get("message") or "")
    hangs = found is not None and not failed and not condition(found, "Complete")
    if not failed and not (hangs and _SILENCE.search(text)):
        return
    policy = next((item for item in case.snapshot.policies if _closes(case, item)), None)
    if policy is not None and _SILENCE.search(text):
        yield Finding(
            rule="network-policy",
            subject=f"NetworkPolicy {name(policy)}",
            what="it seems to keep the check, and whoever else asks, from the service",
            since=created(policy),
            why=text,
            gravity=Gravity.NOTE if case.all_run and not failed else Gravity.WRONG,
            mend=Mend(
                text=f"Let it allow ports {case.plan.service.port} and "
                f"{case.plan.service.dashboard_port} from pods of its namespace.",
                command=f"kubectl --namespace {case.plan.service.namespace} describe "
                f"networkpolicy {name(policy)}",
            ),
        )
    elif failed:
        yield Finding(
            rule="check-failed",
            subject="the check after the last `up`",
            what="it failed" + (", and every model runs by now" if case.all_run else ""),
            since=moment(failed.get("lastTransitionTime")),
            why=text,
            gravity=Gravity.NOTE,
            mend=Mend(
                text="Mend what else is said here, then run `pulumi up`, which checks again.",
                command=f"pulumi up --stack {case.plan.stack}",
            ),
        )


def _last_words(case: Case, job: str) -> str:
    """The end of what the Job's pod wrote."""
    for pod in case.snapshot.pods:
        if job_of(pod) == job:
            for container in listed(status(pod).get("containerStatuses")):
                ended = (container.get("state") or {}).get("terminated") or {}
                lines = str(ended.get("message") or "").strip().splitlines()
                return next((line for line in lines if _SILENCE.search(line)), " ".join(lines[-2:]))
    return ""


def _closes(case: Case, policy: Object) -> bool:
    """Whether a policy selects Ray's pods for what comes in."""
    spec = policy.get("spec") or {}
    types = spec.get("policyTypes") or ["Ingress"]
    return "Ingress" in types and any(
        _selects(spec.get("podSelector") or {}, labels(pod))
        for pod in case.snapshot.pods
        if labels(pod).get(CLUSTER_LABEL) and is_ready(pod)
    )


def _selects(selector: Mapping[str, Any], own: Mapping[str, str]) -> bool:
    if any(own.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for rule in listed(selector.get("matchExpressions")):
        value = own.get(str(rule.get("key")))
        holds = {
            "In": value in (rule.get("values") or ()),
            "NotIn": value not in (rule.get("values") or ()),
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not holds.get(str(rule.get("operator")), False):
            return False
    return True
