"""Events about pods, as the parts of GKE write them that are simulated here."""

from datetime import UTC, datetime

from localcloud.cluster.kubernetes_api import KubernetesApi, Object


async def warn(
    api: KubernetesApi, pod: Object, *, reason: str, message: str, component: str
) -> None:
    """Write a warning about a pod. component: who says so."""
    metadata = pod["metadata"]
    namespace = metadata["namespace"]
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    await api.create(
        f"/api/v1/namespaces/{namespace}/events",
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": namespace},
            "type": "Warning",
            "reason": reason,
            "message": message,
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                **{key: metadata[key] for key in ("name", "namespace", "uid")},
            },
            "source": {"component": component},
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
        },
    )
