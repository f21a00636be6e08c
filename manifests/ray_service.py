"""Writes the RayService: the Ray cluster that KubeRay runs and the models on it.

An edited model changes only serveConfigV2, which KubeRay applies in place, and the groups' numbers
of workers, which it does not compare. Everything else in rayClusterConfig is made from pools, image
and versions alone, because a change there makes KubeRay start a second cluster.
"""

from typing import Any

from manifests.labels import labels
from manifests.pod_security import ray_container, ray_pod
from manifests.pods import cpu_node_selector, pod_metadata, requests_equal_limits, serve_env
from manifests.worker_group import gpu_worker_group, router_group
from models.stack import IDLE_TIMEOUT_SECONDS
from planning import Plan

REDIS_PASSWORD_KEY = "password"  # noqa: S105 - the name of the Secret's key


def ray_service(
    plan: Plan, serve_config: str, ray_cluster: dict[str, Any], annotations: dict[str, str]
) -> dict[str, Any]:
    """The RayService object.

    serve_config: the text of serveConfigV2.
    ray_cluster: the RayClusterSpec, by `ray_cluster_config`.

    Left out on purpose: serviceUnhealthySecondThreshold and deploymentUnhealthySecondThreshold,
    which no KubeRay release of the catalogue reads, and `excludeHeadPodFromServeSvc: false`. The
    head must answer too, because with every model at zero no other pod can. But false is the
    default: the operator drops it when it writes the object back, and each preview would show it as
    a change.
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
    """The RayClusterSpec.

    If it changes, except for numbers of workers, KubeRay starts a second cluster.

    The groups have the order of the stack file, after the routers, so that a pool appended to the
    file is appended here, which KubeRay does in place.
    """
    return {
        "rayVersion": plan.release.ray.ray,
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {
            # Without it Ray would choose the version, and only v2 has idle timeouts.
            "version": "v2",
            "idleTimeoutSeconds": IDLE_TIMEOUT_SECONDS,
            "upscalingMode": "Default",
            "imagePullPolicy": "IfNotPresent",
            "resources": {
                "requests": {"cpu": "500m", "memory": "1Gi"},
                "limits": {"cpu": "500m", "memory": "1Gi"},
            },
            **ray_container(plan),
        },
        **_head_recovery(plan),
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
            # Without CPUs, the head takes no replica.
            "num-cpus": "0",
            "num-gpus": "0",
        },
        "template": {
            **pod_metadata(plan, plan.cluster.cpu_pool.cost_labels),
            "spec": {
                "restartPolicy": "Never",
                # The autoscaler beside the head changes the RayCluster's numbers of workers.
                **ray_pod(plan, needs_token=True),
                **cpu_node_selector(plan),
                "containers": [
                    {
                        "name": "ray-head",
                        "image": plan.release.image,
                        "imagePullPolicy": "IfNotPresent",
                        # If any port is listed, KubeRay adds none but metrics.
                        "ports": [
                            {"name": "gcs-server", "containerPort": 6379},
                            {"name": "dashboard", "containerPort": plan.service.dashboard_port},
                            {"name": "client", "containerPort": 10001},
                            {"name": "serve", "containerPort": plan.service.port},
                            {"name": "metrics", "containerPort": 8080},
                        ],
                        "env": serve_env(plan),
                        "resources": requests_equal_limits(plan.head),
                        **ray_container(plan),
                    }
                ],
            },
        },
    }


def _head_recovery(plan: Plan) -> dict[str, Any]:
    """Where the head keeps what it knows; empty if only in its memory.

    `externalStorageNamespace` is left out on purpose: KubeRay then takes the uid of the Ray
    cluster. With a name of ours, a second cluster would start with what the first one wrote there.
    """
    recovery = plan.service.head_recovery
    if recovery is None:
        return {}
    options: dict[str, Any] = {"redisAddress": recovery.redis}
    if recovery.password_secret is not None:
        reference = {"name": recovery.password_secret, "key": REDIS_PASSWORD_KEY}
        options["redisPassword"] = {"valueFrom": {"secretKeyRef": reference}}
    return {"gcsFaultToleranceOptions": options}
