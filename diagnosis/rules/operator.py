"""KubeRay: its operator, its release, and its custom resource definitions."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from diagnosis.case import Case, is_leaving
from diagnosis.finding import Finding, Gravity, Mend
from diagnosis.snapshot import (
    Object,
    Part,
    condition,
    labels,
    last_seen,
    listed,
    metadata,
    moment,
    name,
    status,
)
from models.catalog import release_number
from models.stack import KubeRayInstall
from rollouts import DEFINITIONS_ANNOTATION

_OPERATOR: Final = "kuberay-operator"
_VERSION: Final = re.compile(r"v?(\d+\.\d+\.\d+)")
_SILENT_SECONDS: Final = 120.0
# Events live for an hour: before that, their absence says something.
_REMEMBERED_SECONDS: Final = 3000.0


def operator(case: Case) -> Iterator[Finding]:
    """The operator is down, missing, or of another release than the stack says."""
    found = _operators(case)
    install, release = case.plan.release.install, case.plan.release.kuberay.version
    up = f"pulumi up --refresh --stack {case.plan.stack}"
    if not found and install is KubeRayInstall.HELM and case.snapshot.saw(Part.DEPLOYMENTS):
        yield Finding(
            rule="operator-missing",
            subject="KubeRay",
            what="its operator is not there: nobody starts, repairs or edits a Ray cluster",
            why=f"no Deployment has the label app.kubernetes.io/name={_OPERATOR}",
            mend=Mend(path="ray-llm:kubeRay", text="Install it again.", command=up),
        )
    for item in found:
        namespace = metadata(item).get("namespace")
        if (item.get("spec") or {}).get("replicas") == 0 or not status(item).get(
            "availableReplicas"
        ):
            available = condition(item, "Available")
            wanted = (item.get("spec") or {}).get("replicas")
            yield Finding(
                rule="operator-down",
                subject="KubeRay",
                what="its operator does not run: nobody starts, repairs or edits a Ray cluster",
                since=moment(available.get("lastTransitionTime")),
                why=f"{wanted} replicas are wanted, none is available; {available.get('message')}",
                mend=Mend(
                    path="ray-llm:kubeRay",
                    text="Scale it to 1 if it is at 0; else see why its pod does not start.",
                    command=f"kubectl --namespace {namespace} scale deployment {name(item)} "
                    "--replicas 1"
                    if not wanted
                    else f"kubectl --namespace {namespace} describe pods --selector "
                    f"app.kubernetes.io/name={_OPERATOR}",
                ),
            )
        version = _version(item)
        is_said = case.plan.release.kuberay_is_named or install is KubeRayInstall.HELM
        if version and is_said and version != release:
            yield Finding(
                rule="operator-version",
                subject="KubeRay",
                what=f"its operator is {version}, and the stack says {release}",
                why=f"the image of Deployment {namespace}/{name(item)}",
                gravity=Gravity.NOTE,
                mend=Mend(
                    path="ray-llm:versions.kuberay",
                    text=f"Write kuberay: {version} if somebody else updates it; else update it.",
                    command=up,
                ),
            )


def _operators(case: Case) -> list[Object]:
    return [
        item
        for item in case.snapshot.deployments
        if labels(item).get("app.kubernetes.io/name") == _OPERATOR or name(item) == _OPERATOR
    ]


def _version(deployment: Object) -> str:
    template = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    for container in listed(template.get("containers")):
        image = str(container.get("image") or "")
        if found := _VERSION.fullmatch(image.rpartition(":")[2]):
            return found[1]
    return ""


def idle(case: Case) -> Iterator[Finding]:
    """Nobody acts on an edit: the spec was written, and KubeRay has done nothing since."""
    found = case.snapshot.ray_service
    if found is None or is_leaving(found) or not case.snapshot.saw(Part.EVENTS):
        return
    generation = int(metadata(found).get("generation") or 0)
    observed = int(status(found).get("observedGeneration") or 0)
    written = _written(found, of_status=False)
    if written is None or not (_SILENT_SECONDS < case.age(written) < _REMEMBERED_SECONDS):
        return
    acted = [_written(found, of_status=True)] + [
        last_seen(event) for event in case.snapshot.events_of("RayService", name(found))
    ]
    if generation > observed and all(time is None or time < written for time in acted):
        yield Finding(
            rule="operator-idle",
            subject="KubeRay",
            what="nobody acts on the last edit of the RayService",
            since=written,
            why=f"generation {generation} was written, {observed} is the last that KubeRay has "
            "seen, and it has said nothing since",
            mend=Mend(
                path="ray-llm:kubeRay",
                text="Start KubeRay's operator, or see what it logs.",
                command="kubectl logs --all-pods --namespace kuberay-system "
                f"deployment/{_OPERATOR} --tail 50",
            ),
        )


def _written(item: Object, *, of_status: bool) -> datetime | None:
    """When the spec, or the status, of an object was last written, by its own record."""
    times = [
        moment(entry.get("time"))
        for entry in listed(metadata(item).get("managedFields"))
        if (entry.get("subresource") == "status") is of_status and _has_spec(entry, of_status)
    ]
    return max((time for time in times if time), default=None)


def _has_spec(entry: Any, of_status: bool) -> bool:
    return of_status or "f:spec" in (entry.get("fieldsV1") or {})


def definitions(case: Case) -> Iterator[Finding]:
    """KubeRay's definitions are missing, or older than its operator."""
    snapshot = case.snapshot
    if not snapshot.saw(Part.DEFINITIONS):
        return
    up = f"pulumi up --refresh --stack {case.plan.stack}"
    if not snapshot.definitions:
        yield Finding(
            rule="definitions-missing",
            subject="KubeRay",
            what="the cluster has none of its custom resource definitions, so no RayService",
            why="rayservices.ray.io and rayclusters.ray.io are not there",
            mend=Mend(path="ray-llm:kubeRay", text="Deploy the stack.", command=up),
        )
        return
    found = next(iter(_operators(case)), None)
    version = _version(found) if found else ""
    for item in snapshot.definitions:
        own = (metadata(item).get("annotations") or {}).get(DEFINITIONS_ANNOTATION)
        if own and version and _number(own) < _number(version):
            yield Finding(
                rule="definitions-older",
                subject="KubeRay",
                what=f"its definitions are of {own}, older than its operator of {version}: fields "
                "that they do not know are dropped without a word",
                why=f"the annotation {DEFINITIONS_ANNOTATION} of {name(item)}",
                mend=Mend(
                    path="ray-llm:versions.kuberay",
                    text="Let this program apply those of the operator's release.",
                    command=up,
                ),
            )
            return


def _number(version: str) -> tuple[int, ...]:
    try:
        return tuple(release_number(version))
    except ValueError:
        return ()
