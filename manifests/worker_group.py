"""Writes the worker groups: one for each GPU pool, and the CPU group that hosts the routers.

Everything in a group, except its number of workers, is made from its pool, the image and the
versions alone, never from a model. Any other change makes KubeRay start a second cluster, which
takes the GPUs twice.

`replicas` is what the models need at their minima, so that a new cluster starts its workers at
once. If an edited model changes it, that stays in place, because KubeRay does not compare it. But
if KubeRay rewrites a live cluster (for an appended pool, or after an upgrade of the operator), it
writes our numbers over the live ones, and Ray's autoscaler counts on from there. With two workers
at `replicas: 0`, it would ask for a lost one as the first, and none would be started. Nor could a
group grow that has more workers than its minima at that moment, or that has a pool of mixed degrees
(see `_workers_at_start`; seen with KubeRay 1.6.2). smoke_test/script/repairs.py corrects these
numbers after each update.
https://github.com/ray-project/kuberay/blob/v1.6.2/ray-operator/controllers/ray/rayservice_controller.go
(modifyRayCluster)
"""

import json
from typing import Any

from manifests.compile_cache import cache_env, cache_mounts, cache_volumes
from manifests.compute_class import COMPUTE_CLASS_LABEL
from manifests.hugging_face_secret import SECRET_KEY, mounted_secret
from manifests.pod_security import ray_container, ray_pod
from manifests.pods import (
    GKE_NODE_POOL_LABEL,
    cpu_node_selector,
    pod_metadata,
    requests_equal_limits,
    serve_env,
    worker_ports,
)
from manifests.weights.access import READER
from manifests.weights.volumes import reading_annotations, reading_mount, reading_volume
from models.stack import IDLE_TIMEOUT_SECONDS
from planning import Plan, PoolPlan

GPU_TAINT = "nvidia.com/gpu"
GPU_TYPE_TAINT = "nvidia.com/gpu-type"
TOKEN_FOLDER = "/var/run/secrets/huggingface"  # noqa: S105 - a folder, not a secret
# GKE gives the pods of a spot node 15 of the 30 seconds' notice:
# https://cloud.google.com/kubernetes-engine/docs/concepts/spot-vms
SPOT_GRACE_SECONDS = 15


def gpu_worker_group(plan: Plan, pool: PoolPlan) -> dict[str, Any]:
    """The worker group of one GPU pool: a pod a node, scaling from zero.

    maxReplicas is the plan's constant, far above need, because KubeRay ignores a changed range of a
    live group. The node pool's maximum is the limit.
    """
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        **ray_pod(plan),
        "nodeSelector": {_selected_by(pool): pool.id},
        "tolerations": [
            {"key": GPU_TAINT, "operator": "Exists", "effect": "NoSchedule"},
            {
                "key": GPU_TYPE_TAINT,
                "operator": "Equal",
                "value": pool.tier.taint,
                "effect": "NoSchedule",
            },
            *_class_toleration(pool),
        ],
        "containers": [_gpu_container(plan, pool)],
        "volumes": [
            {
                "name": "huggingface-token",
                # Optional on every worker of every stack, so that adding a token does not change
                # the pods.
                "secret": {"secretName": mounted_secret(plan), "optional": True},
            },
            *([] if plan.weights is None else [reading_volume(plan.weights)]),
            *cache_volumes(pool),
        ],
    }
    if plan.weights is not None and plan.weights.bucket is not None:
        spec["serviceAccountName"] = READER
    # With several ways whatever they are, so that a change of the list changes no pod.
    if pool.spot or pool.compute_class:
        spec["terminationGracePeriodSeconds"] = SPOT_GRACE_SECONDS
    return {
        "groupName": pool.id,
        "replicas": _workers_at_start(plan, pool),
        "minReplicas": 0,
        "maxReplicas": pool.max_workers,
        **_idle_timeout(pool),
        "rayStartParams": {
            "num-cpus": str(pool.pod.cpu),
            "num-gpus": str(pool.pod.gpus),
            "resources": quoted_resources({pool.id: pool.pod.gpus}),
        },
        "template": {
            **pod_metadata(plan, pool.cost_labels, reading_annotations(plan.weights)),
            "spec": spec,
        },
    }


def _idle_timeout(pool: PoolPlan) -> dict[str, int]:
    """Only if it differs from the autoscaler's for all groups: a field more is another cluster."""
    if pool.idle_timeout_seconds == IDLE_TIMEOUT_SECONDS:
        return {}
    return {"idleTimeoutSeconds": pool.idle_timeout_seconds}


def _selected_by(pool: PoolPlan) -> str:
    """The label of the pool's nodes that has its id."""
    return COMPUTE_CLASS_LABEL if pool.compute_class else GKE_NODE_POOL_LABEL


def _class_toleration(pool: PoolPlan) -> list[dict[str, str]]:
    """GKE adds it to pods that select a class; written, it is there without GKE's webhook, too."""
    if pool.compute_class is None:
        return []
    return [
        {
            "key": COMPUTE_CLASS_LABEL,
            "operator": "Equal",
            "value": pool.compute_class,
            "effect": "NoSchedule",
        }
    ]


def _workers_at_start(plan: Plan, pool: PoolPlan) -> int:
    """The workers that the pool's models need at their minima.

    Nodes that only the pool's own minimum keeps get no worker, because it would be idle. If models
    of different degrees share a pool, no worker starts: Ray Serve spreads replicas over the workers
    that exist, so two replicas of one GPU would take half of two nodes each, and a replica that
    needs a whole node would get one more than the plan and its cost know (seen with Ray 2.49.1).
    Workers that the autoscaler starts one by one are filled first.
    """
    degrees = {model.gpus_per_replica for model in plan.models if model.pool == pool.id}
    return 0 if len(degrees) > 1 else pool.nodes_at_min


def router_group(plan: Plan) -> dict[str, Any]:
    """The CPU worker group of the routers, which would otherwise keep GPU nodes running.

    One pod always runs, so that a model at zero can start without first pulling the image for its
    router.
    """
    group = plan.router_group
    return {
        "groupName": group.id,
        "replicas": max(1, group.pods_at_min),
        "minReplicas": 1,
        "maxReplicas": group.max_workers,
        "rayStartParams": {
            "num-cpus": str(group.pod.cpu),
            "num-gpus": "0",
            "resources": quoted_resources({group.resource: group.slots_per_pod}),
        },
        "template": {
            **pod_metadata(plan, plan.cluster.cpu_pool.cost_labels),
            "spec": {
                "restartPolicy": "Never",
                **ray_pod(plan),
                **cpu_node_selector(plan),
                "containers": [
                    {
                        "name": "ray-worker",
                        "image": plan.release.image,
                        "imagePullPolicy": "IfNotPresent",
                        "ports": worker_ports(plan),
                        "env": serve_env(plan),
                        "resources": requests_equal_limits(group.pod),
                        **ray_container(plan),
                    }
                ],
            },
        },
    }


def quoted_resources(resources: dict[str, int]) -> str:
    """Custom resources as rayStartParams needs them: JSON inside single quotes.

    The quotes are part of the value. bash removes them before Ray reads the JSON, KubeRay trims
    them before it parses it, and the autoscaler of Ray 2.49.1 removes the first and the last
    character, whatever they are, and accepts integers only.
    """
    return f"'{json.dumps(resources)}'"


def _gpu_container(plan: Plan, pool: PoolPlan) -> dict[str, Any]:
    # Not here, though often seen: CUDA_VISIBLE_DEVICES (Ray sets it for each process),
    # VLLM_WORKER_MULTIPROC_METHOD (Ray starts the engine's workers, vLLM forks none) and
    # PYTORCH_CUDA_ALLOC_CONF=max_split_size_mb (vLLM takes its memory in a few large blocks once;
    # keeping those from being split only wastes some).
    return {
        "name": "ray-worker",
        "image": plan.release.image,
        "imagePullPolicy": "IfNotPresent",
        "ports": worker_ports(plan),
        "env": [
            *serve_env(plan),
            # As a file, not as HF_TOKEN: a running pod sees a token that is added or changed
            # within a minute or so, and Ray copies HF_TOKEN into the runtime_env of its tasks,
            # which its dashboard shows to everyone.
            {"name": "HF_TOKEN_PATH", "value": f"{TOKEN_FOLDER}/{SECRET_KEY}"},
            # Tokenizers that were used before a fork would otherwise warn and may deadlock.
            {"name": "TOKENIZERS_PARALLELISM", "value": "false"},
            *cache_env(pool),
        ],
        "resources": requests_equal_limits(pool.pod),
        **ray_container(plan),
        "volumeMounts": [
            {"name": "huggingface-token", "mountPath": TOKEN_FOLDER, "readOnly": True},
            *([] if plan.weights is None else [reading_mount()]),
            *cache_mounts(pool),
        ],
    }
