"""Containers that do not start, or end: images, Secrets, memory, drivers.

The reasons are the kubelet's (pkg/kubelet/images/types.go, kuberuntime/kuberuntime_container.go).
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from diagnosis.case import CLUSTER_LABEL, GROUP_LABEL, Case, is_head, is_leaving, is_ready
from diagnosis.finding import Finding, Gravity, Mend
from diagnosis.snapshot import (
    Object,
    Part,
    condition,
    created,
    labels,
    last_seen,
    listed,
    moment,
    name,
    status,
)
from manifests import SECRET_NAME

_IMAGE: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
)
_CONFIG: Final = "CreateContainerConfigError"
_ABSENT: Final = re.compile(
    r'(?P<kind>secret|configmap) "(?P<name>[^"]+)" not found'
    r"|couldn't find key (?P<key>\S+) in (?P<of>Secret|ConfigMap) (?P<place>\S+)",
    re.IGNORECASE,
)
DRIVER: Final = re.compile(
    r"NVIDIA driver on your system is too old|CUDA driver version is insufficient"
    r"|unsatisfied condition: cuda|forward compatibility was attempted"
    r"|no kernel image is available for execution|Found no NVIDIA driver"
    r"|NVML: Driver/library version mismatch",
    re.IGNORECASE,
)
_NO_BUCKET: Final = re.compile(r"bucket doesn't exist|bucket does not exist", re.IGNORECASE)
_DENIED: Final = re.compile(r"PermissionDenied|Permission '[\w.]+' denied|403", re.IGNORECASE)
AUTOSCALER: Final = "autoscaler"
"""A container of the head, which has a rule of its own."""

_START_SECONDS: Final = 900
_OFTEN: Final = 3
_RECENT_SECONDS: Final = 3600
_KILLED: Final = 137


def containers(case: Case) -> Iterator[Finding]:
    """One finding for each cause, and of pods for the same purpose one alone."""
    said: set[tuple[str, str]] = set()
    for pod in case.snapshot.pods:
        if is_leaving(pod):
            continue
        for finding in _of_pod(case, pod):
            key = (finding.rule, finding.subject)
            if key not in said:
                said.add(key)
                yield finding


def token(case: Case) -> Iterator[Finding]:
    """The Secret with the token is gone: the pods run without it, as its volume is optional."""
    snapshot = case.snapshot
    if (
        case.plan.has_hugging_face_token
        and snapshot.saw(Part.SECRETS)
        and snapshot.ray_service is not None
        and SECRET_NAME not in snapshot.secrets
    ):
        yield Finding(
            rule="secret-missing",
            subject=f"Secret {case.plan.service.namespace}/{SECRET_NAME}",
            what="it is not there, so gated models do not start",
            why="the API server lists no such Secret",
            mend=Mend(
                path="ray-llm:huggingFaceToken",
                text="Run `pulumi up`, which makes it again.",
                command=f"pulumi up --refresh --stack {case.plan.stack}",
            ),
        )


def _of_pod(case: Case, pod: Object) -> Iterator[Finding]:
    own = status(pod)
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in listed(own.get(key)):
            yield from _of_container(case, pod, container)
    for event in case.snapshot.events_of("Pod", name(pod)):
        if event.get("reason") == "FailedMount" and not is_ready(pod):
            yield from _mount(case, pod, event)
            break
    if own.get("reason") in {"Evicted", "Preempting", "Terminated", "NodeShutdown"}:
        yield Finding(
            rule="pod-evicted",
            subject=case.subject(pod),
            what=f"pod {name(pod)} was taken off its node",
            since=_became(pod),
            why=str(own.get("message") or own.get("reason")),
            gravity=Gravity.NOTE,
            mend=_eviction(case, pod, str(own.get("message") or "")),
        )


def _of_container(case: Case, pod: Object, container: Mapping[str, Any]) -> Iterator[Finding]:
    state = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    last = (container.get("lastState") or {}).get("terminated") or {}
    reason, message = str(waiting.get("reason") or ""), str(waiting.get("message") or "")
    words = " ".join(str(part["message"]) for part in (waiting, ended, last) if part.get("message"))
    # What a Job's container wrote last is no fault of its own: the smoke test quotes the engines.
    is_of_ray = CLUSTER_LABEL in labels(pod)
    if reason in _IMAGE:
        yield _image(case, pod, container, f"{reason}: {message}")
    elif reason == _CONFIG and (absent := _ABSENT.search(message)):
        yield _object_missing(case, pod, absent, message)
    elif is_of_ray and DRIVER.search(words):
        yield driver(case, case.subject(pod), words, _became(pod))
    elif killed := next((end for end in (ended, last) if _ran_out_of_memory(end, is_of_ray)), None):
        yield _out_of_memory(case, pod, container, killed)
    elif (
        int(container.get("restartCount") or 0) >= _OFTEN
        and not container.get("ready")
        and container.get("name") != AUTOSCALER
    ):
        yield Finding(
            rule="pod-restarts",
            subject=case.subject(pod),
            what=f"container {container.get('name')} of pod {name(pod)} has ended "
            f"{container.get('restartCount')} times",
            since=moment(last.get("startedAt")) or created(pod),
            why=_end(last) or f"{reason}: {message}",
            mend=Mend(
                text="Read what it wrote before it ended.",
                command=f"kubectl --namespace {case.plan.service.namespace} logs {name(pod)} "
                f"--container {container.get('name')} --previous",
            ),
        )


def _became(pod: Object) -> datetime | None:
    return moment(condition(pod, "ContainersReady").get("lastTransitionTime")) or created(pod)


def _image(case: Case, pod: Object, container: Mapping[str, Any], why: str) -> Finding:
    release = case.plan.release
    image = str(container.get("image") or "")
    path = "ray-llm:versions.image" if image == release.image else "ray-llm:versions"
    known = "Name a tag that the registry has"
    if re.search(r"unauthorized|denied|403|401", why, re.IGNORECASE):
        known = "Let the nodes' service account read the registry (roles/artifactregistry.reader)"
    elif re.search(r"timeout|no such host|connection refused", why, re.IGNORECASE):
        known = "The nodes do not reach the registry: check Cloud NAT, or a mirror of the image"
    return Finding(
        rule="image-not-pulled",
        subject=case.subject(pod),
        what=f"the image {image} is not pulled",
        since=_became(pod),
        why=why,
        mend=Mend(path=path, text=f"{known}; without `image` it is {release.ray.image}."),
    )


def _object_missing(case: Case, pod: Object, absent: re.Match[str], why: str) -> Finding:
    kind = absent["kind"] or absent["of"]
    what = absent["name"] or f"{absent['place']} with the key {absent['key']}"
    is_token = SECRET_NAME in what
    return Finding(
        rule="secret-missing",
        subject=case.subject(pod),
        what=f"the {kind} {what}, which its pods need, is not there",
        since=_became(pod),
        why=why,
        mend=Mend(
            path="ray-llm:huggingFaceToken" if is_token else "",
            text="Run `pulumi up`, which makes it again.",
            command=f"pulumi up --refresh --stack {case.plan.stack}",
        ),
    )


def _mount(case: Case, pod: Object, event: Object) -> Iterator[Finding]:
    message = str(event.get("message") or "")
    if absent := _ABSENT.search(message):
        yield _object_missing(case, pod, absent, message)
    elif _NO_BUCKET.search(message):
        mend = Mend(
            path="ray-llm:weights",
            text="Run `pulumi up --refresh`, which makes a bucket of the stack again, or name one "
            "that exists.",
            command=f"pulumi up --refresh --stack {case.plan.stack}",
        )
        yield _bucket(case, pod, event, "a bucket that it mounts is not there", mend)
    elif _DENIED.search(message):
        pool = case.pool(pod)
        role = "objectViewer" if labels(pod).get(GROUP_LABEL) else "objectUser"
        mend = Mend(
            path=pool.path if pool else "",
            text=f"Give the pods' service account roles/storage.{role} on the bucket.",
        )
        yield _bucket(case, pod, event, "a bucket cannot be mounted", mend)


def _bucket(case: Case, pod: Object, event: Object, what: str, mend: Mend) -> Finding:
    return Finding(
        rule="bucket-access",
        subject=case.subject(pod),
        what=what,
        since=last_seen(event),
        why=str(event.get("message") or ""),
        mend=mend,
    )


def driver(case: Case, subject: str, why: str, since: datetime | None) -> Finding:
    """The GPU driver of the nodes is older than the image's CUDA needs."""
    found = DRIVER.search(why)
    start = max(0, found.start() - 60) if found else 0
    pool = next((pool for pool in case.plan.pools if pool.id in subject.split()), None)
    path = f"{pool.path}.gpuDriverVersion" if pool else "ray-llm:gpuPools"
    return Finding(
        rule="driver-too-old",
        subject=subject,
        what="the nodes' GPU driver does not fit the image's CUDA",
        since=since,
        why=why[start : start + 400],
        mend=Mend(
            path=path,
            text="Set gpuDriverVersion to LATEST (a new pool beside the old one: the change "
            "replaces a pool), or name an older release under ray-llm:versions.ray.",
        ),
    )


def _ran_out_of_memory(ended: Mapping[str, Any], is_of_ray: bool) -> bool:
    # Ray's own end by SIGKILL has the code too, and says so in its message.
    message = str(ended.get("message") or "")
    return ended.get("reason") == "OOMKilled" or (
        is_of_ray and ended.get("exitCode") == _KILLED and "memory" in message.lower()
    )


def _out_of_memory(
    case: Case, pod: Object, container: Mapping[str, Any], ended: Mapping[str, Any]
) -> Finding:
    began, end = moment(ended.get("startedAt")), moment(ended.get("finishedAt"))
    at_start = began and end and (end - began).total_seconds() <= _START_SECONDS
    pool = case.pool(pod)
    advice = (
        "Take a pool whose machine has more memory (machineType, or a larger tier), or a model "
        "whose checkpoint is smaller: while weights load they pass through the pod's memory."
        if pool
        else "Give the CPU pool a machineType with more memory: its pods are sized to it."
    )
    return Finding(
        rule="out-of-memory",
        subject=case.subject(pod),
        what=f"container {container.get('name')} of pod {name(pod)} ran out of memory "
        + ("while it started" if at_start else "in flight"),
        since=end or created(pod),
        why=_end(ended) or "OOMKilled",
        gravity=Gravity.NOTE
        if is_ready(pod) and case.all_run and not is_head(pod)
        else Gravity.WRONG,
        mend=Mend(
            path=f"{pool.path}.machineType" if pool else "ray-llm:cluster.cpuPool.machineType",
            text=advice,
        ),
    )


def _end(ended: Mapping[str, Any]) -> str:
    if not ended:
        return ""
    lines = str(ended.get("message") or "").strip().splitlines()
    return f"{ended.get('reason')}, exit code {ended.get('exitCode')}" + (
        f": {lines[-1]}" if lines else ""
    )


def _eviction(case: Case, pod: Object, message: str) -> Mend:
    pool = case.pool(pod)
    if pool is None:
        return Mend(path="ray-llm:cluster.cpuPool", text="Give the CPU pool a larger machineType.")
    if "ephemeral-storage" in message:
        return Mend(path=f"{pool.path}.bootDiskGb", text="Give the pool's nodes a larger disk.")
    if pool.spot:
        return Mend(
            path=f"{pool.path}.spot",
            text="Google takes spot nodes back; keep two replicas, or take a pool on demand.",
        )
    if any(way.buying.ends for way in pool.ways):
        return Mend(
            path=f"{pool.path}.capacity",
            text="Google takes nodes of spot and flexStart back; keep two replicas, or list "
            "on-demand first.",
        )
    return Mend(path=pool.path, text="Nothing, if it was an upgrade: another pod takes its place.")
