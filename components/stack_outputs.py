"""The stack outputs: what will be served where, and how to reach it.

`pulumi stack output plan --json` is the plan for programs; nothing in it is a secret.
"""

from typing import Any

import pulumi

from components.gke_cluster import GkeCluster
from components.ray_llm_service import RayLlmService
from planning.plan import ModelPlan, Plan, PoolPlan


def export_stack_outputs(plan: Plan, cluster: GkeCluster, service: RayLlmService) -> None:
    """Exports plan, endpoints, commands and the cluster's name."""
    pulumi.export("plan", plan_output(plan))
    pulumi.export("endpoints", service.endpoints)
    pulumi.export(
        "commands",
        {
            "portForward": service.port_forward,
            "firstCurl": service.first_curl,
            "dashboard": service.dashboard,
        },
    )
    pulumi.export("cluster", cluster.name)


def plan_output(plan: Plan) -> dict[str, Any]:
    """The plan as plain data, with the stack file's own names for its keys."""
    return {
        "models": [_model(plan, model) for model in plan.models],
        "gpuPools": [_pool(pool) for pool in plan.pools],
        "versions": {
            "ray": plan.release.ray.ray,
            "kuberay": plan.release.kuberay.version,
            "vllm": plan.release.vllm,
            "image": plan.release.image,
        },
    }


def _model(plan: Plan, model: ModelPlan) -> dict[str, Any]:
    return {
        "name": model.name,
        "source": model.source,
        "gpu": model.pool,
        "tensorParallelSize": model.tensor_parallel_size,
        "dtype": model.dtype,
        "quantization": model.quantization_shown,
        "contextLength": model.max_model_len,
        "replicas": {"min": model.replicas.min, "max": model.replicas.max},
        "endpoint": plan.service.endpoint(model),
    }


def _pool(pool: PoolPlan) -> dict[str, Any]:
    return {
        "id": pool.id,
        "machineType": pool.machine_type,
        "accelerator": pool.tier.accelerator_type,
        "gpusPerNode": pool.tier.gpu_count,
        "spot": pool.spot,
        "zones": list(pool.zones),
        "minNodes": pool.min_nodes,
        "maxNodes": pool.max_nodes,
    }
