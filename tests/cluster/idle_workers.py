"""How long Ray's autoscaler keeps workers that nobody needs."""

import contextlib
from collections.abc import Iterator

from tests.cluster.deployed import RAY
from tests.cluster.running import Cluster


@contextlib.contextmanager
def idle_timeout(cluster: Cluster, seconds: int) -> Iterator[None]:
    """Let the autoscaler remove idle workers sooner than after the product's five minutes.

    Only the RayCluster is changed. KubeRay keeps the change while the RayService is unchanged.
    """

    def patch(seconds: int) -> None:
        options = {"spec": {"autoscalerOptions": {"idleTimeoutSeconds": seconds}}}
        cluster.patch(f"{RAY}/rayclusters/{name}", options, "kubectl-edit")

    (ray_cluster,) = cluster.items(f"{RAY}/rayclusters")
    name = ray_cluster["metadata"]["name"]
    patch(seconds)
    try:
        yield
    finally:
        patch(ray_cluster["spec"]["autoscalerOptions"]["idleTimeoutSeconds"])
