"""Nodes that go.

A node's pods end as on GKE: with 15 of the 30 seconds' notice, or all at once if Google is late. On
GKE the kubelet marks such pods as failed and the node goes after them; here the pods are deleted
and then the node.
"""

import contextlib

import psutil

from localcloud.cluster.kubernetes_api import ApiError, Object
from localcloud.testing.running_cluster import eventually
from manifests.worker_group import SPOT_GRACE_SECONDS
from tests.cluster.running import Cluster


def pods_on(cluster: Cluster, node: str) -> list[Object]:
    return [pod for pod in cluster.items("/api/v1/pods") if pod["spec"].get("nodeName") == node]


def pod_path(pod: Object) -> str:
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"


def take_back(cluster: Cluster, node: str, *, notice: bool) -> None:
    """Takes a node as Google takes one of spot; without notice as a machine that fails."""
    path = f"/api/v1/nodes/{node}"
    # A node that shuts down is not ready for pods any more.
    cluster.patch(path, {"spec": {"unschedulable": True}}, "google")
    pods = pods_on(cluster, node)
    if not notice:
        for pod in pods:
            for process in cluster.processes_of(pod):
                # Some processes end when others are killed.
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
    grace = SPOT_GRACE_SECONDS if notice else 0
    for pod in pods:
        found = pod_path(pod)
        cluster.api(lambda api, found=found: api.delete(found, grace_seconds=grace))
    gone = {pod["metadata"]["uid"] for pod in pods}
    eventually(
        lambda: not gone & {pod["metadata"]["uid"] for pod in cluster.items("/api/v1/pods")},
        "the node's pods have ended",
        seconds=2 * SPOT_GRACE_SECONDS,
    )
    with contextlib.suppress(ApiError):  # An empty node may have gone already.
        cluster.delete(path)
