"""Writes what tells a Prometheus which pods to ask, at which port, and what to keep.

Of all that these pods export only what alerts and dashboards read is kept, because Google's store
is paid by the sample, and a Ray pod exports hundreds of series that nobody looks at.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from manifests.gateway.places import METRICS_PATH
from manifests.gateway.service import pod_labels
from manifests.labels import labels
from models.catalog import MetricSource, exported_name, metrics, series_names
from models.monitoring import MonitoringSystem
from planning import Plan

AUTOSCALER_PORT: Final = 44217
"""Of Ray's autoscaler in the head's pod. No container declares it, so it is asked by number."""
_COMPONENT: Final = "monitoring"
SCRAPE_SECONDS: Final = 30
_RAY_PODS: Final = {"ray.io/is-ray-node": "yes"}
_HEAD: Final = {**_RAY_PODS, "ray.io/node-type": "head"}
_RAY_LABELS: Final = {
    "ray.io/cluster": "ray_cluster",
    "ray.io/group": "ray_group",
    "ray.io/node-type": "ray_node_type",
}
_RAY_SOURCES: Final = (MetricSource.RAY, MetricSource.SERVE, MetricSource.VLLM)


@dataclass(frozen=True, kw_only=True)
class Target:
    """Pods that export metrics.

    port: a container's port by name; or by number, if none declares it.
    pod_labels: labels of the pods that their series get, by the labels' names there.
    """

    name: str
    selector: dict[str, str]
    port: str | int
    path: str
    sources: tuple[MetricSource, ...]
    pod_labels: dict[str, str]


def targets(plan: Plan) -> tuple[Target, ...]:
    """All pods of a service that export metrics."""
    service = plan.service.name
    gateway = Target(
        name=f"{service}-gateway",
        selector=pod_labels(plan),
        # The Deployment of the gateway declares it under this name.
        port="metrics",
        path=METRICS_PATH,
        sources=(MetricSource.GATEWAY,),
        pod_labels={},
    )
    return (
        Target(
            name=f"{service}-ray",
            selector=_RAY_PODS,
            port="metrics",
            path="/metrics",
            sources=_RAY_SOURCES,
            pod_labels=_RAY_LABELS,
        ),
        Target(
            name=f"{service}-autoscaler",
            selector=_HEAD,
            port=AUTOSCALER_PORT,
            path="/metrics",
            sources=(MetricSource.AUTOSCALER,),
            pod_labels=_RAY_LABELS,
        ),
        *(() if plan.access is None else (gateway,)),
    )


def kept_names(plan: Plan, sources: Iterable[MetricSource]) -> tuple[str, ...]:
    """The names of all series that are kept of some sources, in alphabetical order."""
    release = plan.release
    wanted = set(sources)
    return tuple(
        sorted(
            series
            for metric in metrics().values()
            if metric.source in wanted
            and (name := exported_name(metric, release.ray, release.vllm)) is not None
            for series in series_names(metric, name)
        )
    )


def pod_monitors(plan: Plan, system: MonitoringSystem) -> tuple[dict[str, Any], ...]:
    """The objects that the system reads, one for each kind of pod."""
    write = _pod_monitoring if system is MonitoringSystem.GMP else _pod_monitor
    return tuple(write(plan, target) for target in targets(plan))


def _pod_monitoring(plan: Plan, target: Target) -> dict[str, Any]:
    # With a port that no container declares, the label `container` would make one target of each
    # container, so Google's collector leaves it out by itself.
    return {
        "apiVersion": MonitoringSystem.GMP.api_version,
        "kind": "PodMonitoring",
        "metadata": monitoring_metadata(plan, target.name),
        "spec": {
            "selector": {"matchLabels": target.selector},
            "endpoints": [
                {
                    "port": target.port,
                    "path": target.path,
                    "interval": f"{SCRAPE_SECONDS}s",
                    "metricRelabeling": [_keep(plan, target)],
                }
            ],
            "targetLabels": {
                "metadata": ["pod", "node"],
                **(
                    {"fromPod": [{"from": key, "to": to} for key, to in target.pod_labels.items()]}
                    if target.pod_labels
                    else {}
                ),
            },
        },
    }


def _pod_monitor(plan: Plan, target: Target) -> dict[str, Any]:
    # A declared port makes one target a pod, whose address is then given the other port.
    by_number = isinstance(target.port, int)
    relabelings = [
        {
            "sourceLabels": [f"__meta_kubernetes_pod_label_{re.sub('[^a-zA-Z0-9_]', '_', key)}"],
            "targetLabel": to,
        }
        for key, to in target.pod_labels.items()
    ]
    if by_number:
        relabelings.append(
            {
                "sourceLabels": ["__meta_kubernetes_pod_ip"],
                "targetLabel": "__address__",
                "replacement": f"$1:{target.port}",
            }
        )
    return {
        "apiVersion": MonitoringSystem.PROMETHEUS_OPERATOR.api_version,
        "kind": "PodMonitor",
        "metadata": monitoring_metadata(plan, target.name),
        "spec": {
            "selector": {"matchLabels": target.selector},
            "podMetricsEndpoints": [
                {
                    "port": "metrics" if by_number else target.port,
                    "path": target.path,
                    "interval": f"{SCRAPE_SECONDS}s",
                    **({"relabelings": relabelings} if relabelings else {}),
                    "metricRelabelings": [_keep(plan, target)],
                }
            ],
        },
    }


def monitoring_metadata(plan: Plan, name: str) -> dict[str, Any]:
    """The metadata of an object of the monitoring system, with the labels that it selects by."""
    stated = () if plan.monitoring is None else plan.monitoring.labels
    return {
        "name": name,
        "namespace": plan.service.namespace,
        "labels": {**labels(plan, _COMPONENT), **dict(stated)},
    }


def _keep(plan: Plan, target: Target) -> dict[str, Any]:
    return {
        "action": "keep",
        "sourceLabels": ["__name__"],
        "regex": "|".join(kept_names(plan, target.sources)),
    }
