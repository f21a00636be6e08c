"""What the pods of a service have in common: nodes, resources, ports and environment."""

from collections.abc import Mapping
from typing import Any

from planning import Plan, PodResources

GKE_NODE_POOL_LABEL = "cloud.google.com/gke-nodepool"


def cpu_node_selector(plan: Plan) -> dict[str, Any]:
    """The part of a pod spec that keeps a pod on the CPU pool.

    It is empty if the plan names no CPU pool: GKE taints GPU nodes, so the scheduler then takes
    any node without a GPU.
    """
    name = plan.cluster.cpu_pool.name
    return {"nodeSelector": {GKE_NODE_POOL_LABEL: name}} if name else {}


def pod_metadata(
    plan: Plan, cost_labels: Mapping[str, str], annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The metadata of a Ray pod's template; empty unless pods have labels or annotations.

    It is part of the RayClusterSpec, so that a change of it starts a second cluster.

    cost_labels: what tells its cost apart, if pods carry that.
    """
    metadata: dict[str, Any] = {}
    if plan.pods_have_cost_labels:
        metadata["labels"] = dict(cost_labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"metadata": metadata} if metadata else {}


def requests_equal_limits(pod: PodResources) -> dict[str, Any]:
    """Container resources with requests equal to limits, so that no node is overcommitted."""
    amounts: dict[str, str] = {"cpu": str(pod.cpu), "memory": f"{pod.memory_gib}Gi"}
    if pod.gpus:
        amounts["nvidia.com/gpu"] = str(pod.gpus)
    return {"requests": dict(amounts), "limits": dict(amounts)}


def worker_ports(plan: Plan) -> list[dict[str, Any]]:
    """The ports of a worker: Ray Serve's proxy, which takes requests, and metrics."""
    return [
        {"name": "serve", "containerPort": plan.service.port},
        {"name": "metrics", "containerPort": 8080},
    ]


def serve_env(plan: Plan) -> list[dict[str, Any]]:
    """The environment of every Ray pod that may host a router."""
    # Ray's own limit is 600 s, less than a first request that wakes a GPU node may need.
    return [
        {
            "name": "RAY_SERVE_LLM_ROUTER_HTTP_TIMEOUT",
            "value": str(plan.service.request_timeout_seconds),
        }
    ]
