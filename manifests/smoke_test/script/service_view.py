"""What KubeRay and Ray Serve say of the service at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .http_json import reason
from .kubernetes_api import ray_service
from .serve_api import applications_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .settings import Settings

# KubeRay looks at a RayService every two seconds. It does not always write observedGeneration (its
# comparison of statuses ignores that field), so a lag counts for this long only.
SETTLE_SECONDS = 20.0


@dataclass(frozen=True)
class View:
    """The service at one moment.

    applications: the applications that serve.
    upcoming: those of a Ray cluster that KubeRay is starting.
    submitted_to: the Serve API to which KubeRay submits the configuration: that of the starting
        cluster if there is one.
    waiting: why nothing of the new configuration can be expected yet.
    rejected: why KubeRay refuses the RayService; None if it does not.
    ray_cluster: the name of the Ray cluster that serves, if it is known.
    """

    applications: Mapping[str, Any]
    upcoming: Mapping[str, Any]
    submitted_to: str
    waiting: str | None = None
    rejected: str | None = None
    ray_cluster: str | None = None


def look(settings: Settings, elapsed: float) -> View:
    """Reads the RayService and the Serve API; if one cannot be reached, that is a reason to wait.

    elapsed: seconds since the first look.
    """
    upcoming: Mapping[str, Any] = {}
    submitted_to = settings.dashboard_url
    waiting = ray_cluster = None
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
        generation = service["metadata"].get("generation", 0)
        current = elapsed >= SETTLE_SECONDS or status.get("observedGeneration", 0) >= generation
        for condition in status.get("conditions") or []:
            if condition.get("reason") == "ValidationFailed" and elapsed >= SETTLE_SECONDS:
                return View(
                    {}, {}, submitted_to, rejected=condition.get("message") or "ValidationFailed"
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
        applications or {}, upcoming, submitted_to, waiting=waiting, ray_cluster=ray_cluster
    )
