"""Writes the RayService: the Ray cluster that KubeRay keeps and the models that run on it.

An edited model changes only serveConfigV2, which KubeRay applies in place, and the groups' numbers
of workers, which it does not compare. All else of rayClusterConfig is made from pools, image and
versions alone, because a change there means a second cluster.
"""

from typing import Any

from manifests.labels import labels
from manifests.pods import cpu_node_selector, requests_equal_limits, serve_env
from manifests.worker_group import gpu_worker_group, router_group
from planning import Plan

# A worker without a replica stays this long: an edit that failed and is put right within some
# minutes finds the node, and the weights that it has downloaded, still there.
IDLE_TIMEOUT_SECONDS = 300


def ray_service(
    plan: Plan, serve_config: str, ray_cluster: dict[str, Any], annotations: dict[str, str]
) -> dict[str, Any]:
    """The RayService object.

    serve_config: the text of serveConfigV2.
    ray_cluster: the RayClusterSpec, by `ray_cluster_config`.

    Left out on purpose: serviceUnhealthySecondThreshold and deploymentUnhealthySecondThreshold,
    which no KubeRay of this table reads, and `excludeHeadPodFromServeSvc: false`. The head must
    answer too, because with every model at zero it is the only pod that could; but false is the
    default, the operator drops it when it writes the object back, and each preview would show
    it as a change.
    """
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayService",
        "metadata": {
            "name": plan.service.name,
            "namespace": plan.service.namespace,
            "labels": labels(plan, "ray-service"),
            "annotations": annotations,
        },
        "spec": {
            "upgradeStrategy": {"type": "NewCluster"},
            "serveConfigV2": serve_config,
            "rayClusterConfig": ray_cluster,
        },
    }


def ray_cluster_config(plan: Plan) -> dict[str, Any]:
    """The RayClusterSpec: what, numbers of workers aside, KubeRay compares for a second cluster.

    The groups stand in the order of the stack file, the routers first, so that a pool appended
    to the file is appended here, which KubeRay does in place.
    """
    return {
        "rayVersion": plan.release.ray.ray,
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {
            # Without it KubeRay would leave the choice to Ray, and idle timeouts are v2's.
            "version": "v2",
            "idleTimeoutSeconds": IDLE_TIMEOUT_SECONDS,
            "upscalingMode": "Default",
            "imagePullPolicy": "IfNotPresent",
            "resources": {
                "requests": {"cpu": "500m", "memory": "1Gi"},
                "limits": {"cpu": "500m", "memory": "1Gi"},
            },
        },
        "headGroupSpec": _head_group(plan),
        "workerGroupSpecs": [
            router_group(plan),
            *(gpu_worker_group(plan, pool) for pool in plan.pools),
        ],
    }


def _head_group(plan: Plan) -> dict[str, Any]:
    return {
        "serviceType": "ClusterIP",
        "rayStartParams": {
            "dashboard-host": "0.0.0.0",  # noqa: S104 - behind a ClusterIP Service
            # No CPU to give away keeps every replica off the head.
            "num-cpus": "0",
            "num-gpus": "0",
        },
        "template": {
            "spec": {
                "restartPolicy": "Never",
                **cpu_node_selector(plan),
                "containers": [
                    {
                        "name": "ray-head",
                        "image": plan.release.image,
                        "imagePullPolicy": "IfNotPresent",
                        # As soon as one port is listed KubeRay adds none but metrics.
                        "ports": [
                            {"name": "gcs-server", "containerPort": 6379},
                            {"name": "dashboard", "containerPort": plan.service.dashboard_port},
                            {"name": "client", "containerPort": 10001},
                            {"name": "serve", "containerPort": plan.service.port},
                            {"name": "metrics", "containerPort": 8080},
                        ],
                        "env": serve_env(plan),
                        "resources": requests_equal_limits(plan.head),
                    }
                ],
            }
        },
    }
