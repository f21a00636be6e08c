"""What KubeRay and Ray Serve say of the service at one moment."""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .http_json import reason
from .kubernetes_api import kubernetes, ray_service
from .serve_api import applications_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .settings import Settings

# KubeRay looks at a RayService every two seconds. It does not always write observedGeneration (its
# comparison of statuses ignores that field), so a lag counts for this long only.
SETTLE_SECONDS = 20.0
# The RayService's annotation with windows in which models sleep: manifests/off_hours/record.py.
OFF_HOURS_ANNOTATION = "ray-llm/off-hours"
# Before it the event names the Ray cluster, after it stands Serve's answer (UpdateDeployments in
# ray-operator/controllers/ray/utils/dashboardclient/dashboard_httpclient.go).
_FAILED = "UpdateDeployments fail: "


@dataclass(frozen=True)
class View:
    """The service at one moment.

    applications: the applications that serve.
    upcoming: those of a Ray cluster that KubeRay is starting.
    submitted_to: the Serve API to which KubeRay submits the configuration: that of the starting
        cluster if there is one.
    waiting: why nothing of the new configuration can be expected yet.
    rejected: who refuses the configuration and why; None if nobody does.
    ray_cluster: the name of the Ray cluster that serves, if it is known.
    target_cluster: the name of the one to which KubeRay submits, if it is known.
    sleepers: the models that have no minimum for some hours, whatever is deployed by day.
    """

    applications: Mapping[str, Any]
    upcoming: Mapping[str, Any]
    submitted_to: str
    waiting: str | None = None
    rejected: str | None = None
    ray_cluster: str | None = None
    target_cluster: str | None = None
    sleepers: frozenset[str] = frozenset()


def refusals(settings: Settings, cluster: str | None) -> dict[str, tuple[int, str]]:
    """Why Ray Serve refuses what KubeRay submits to `cluster`: count and reason by event.

    KubeRay says so in nothing but an event; the RayService stays as it is, and KubeRay tries again
    for ever. Only answers of 400 count: Serve cannot read the text, so that waiting changes
    nothing.
    """
    if settings.kubernetes_url is None or cluster is None:
        return {}
    selector = {
        "involvedObject.kind": "RayService",
        "involvedObject.name": settings.ray_service,
        "reason": "FailedToUpdateServeApplications",
    }
    joined = ",".join(f"{key}={value}" for key, value in selector.items())
    query = urllib.parse.urlencode({"fieldSelector": joined})
    try:
        found = kubernetes(settings, f"/api/v1/namespaces/{settings.namespace}/events?{query}")
    except (OSError, ValueError):
        return {}  # this account may not read events, or the API does not answer
    refused = {}
    for event in found.get("items") or []:
        target, _, answer = str(event.get("message") or "").partition(_FAILED)
        if target.endswith(f"/{cluster}: ") and answer.startswith("400"):
            refused[event["metadata"]["name"]] = (event.get("count") or 1, answer)
    return refused


def look(settings: Settings, elapsed: float) -> View:
    """Reads the RayService and the Serve API; if one cannot be reached, that is a reason to wait.

    elapsed: seconds since the first look.
    """
    upcoming: Mapping[str, Any] = {}
    submitted_to = settings.dashboard_url
    waiting = ray_cluster = cluster = None
    sleepers: frozenset[str] = frozenset()
    try:
        service = ray_service(settings)
    except (OSError, ValueError) as error:
        if elapsed < SETTLE_SECONDS:
            return View(
                {},
                {},
                submitted_to,
                waiting=f"the Kubernetes API does not answer: {reason(error)}",
            )
        service = None  # a network policy may forbid it; Serve can be read without it
    if service is not None:
        status = service.get("status") or {}
        sleepers = _sleepers(service)
        generation = service["metadata"].get("generation", 0)
        current = elapsed >= SETTLE_SECONDS or status.get("observedGeneration", 0) >= generation
        for condition in status.get("conditions") or []:
            if condition.get("reason") == "ValidationFailed" and elapsed >= SETTLE_SECONDS:
                return View(
                    {},
                    {},
                    submitted_to,
                    rejected="KubeRay refuses the RayService: "
                    + (condition.get("message") or "ValidationFailed"),
                )
        ray_cluster = (status.get("activeServiceStatus") or {}).get("rayClusterName")
        cluster = (status.get("pendingServiceStatus") or {}).get("rayClusterName")
        if not current:
            waiting = "KubeRay has not yet seen the new configuration"
        elif cluster:
            waiting = "the Ray cluster for the new configuration is not ready"
            submitted_to = settings.cluster_dashboard_url.format(cluster=cluster)
            upcoming = applications_of(submitted_to) or {}
    applications = applications_of(settings.dashboard_url)
    if applications is None:
        waiting = waiting or "the Serve API does not answer"
    return View(
        applications or {},
        upcoming,
        submitted_to,
        waiting=waiting,
        ray_cluster=ray_cluster,
        target_cluster=cluster or ray_cluster,
        sleepers=sleepers,
    )


def _sleepers(service: Mapping[str, Any]) -> frozenset[str]:
    text = (service["metadata"].get("annotations") or {}).get(OFF_HOURS_ANNOTATION)
    try:
        return frozenset(route.strip("/") for route in json.loads(text or "{}")["minima"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return frozenset()
