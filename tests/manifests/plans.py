"""Plans for the tests of manifests/, written by hand so that they depend on no decision."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from models.catalog.gpu_tiers import gpu_tiers
from models.catalog.releases import kuberay_releases, ray_releases
from models.stack import KubeRayInstall, KubeRaySettings, RolloutSettings
from planning import (
    ClusterPlan,
    CpuPoolPlan,
    ModelPlan,
    Plan,
    PodResources,
    PoolPlan,
    ReleasePlan,
    Replicas,
    RouterGroupPlan,
    ServicePlan,
    StackCost,
)


def replicas(low: int = 1, high: int = 4, **changes: Any) -> Replicas:
    values: dict[str, Any] = {
        "min": low,
        "max": high,
        "target_ongoing_requests": 50,
        "max_ongoing_requests": 80,
        "upscale_delay_seconds": 30,
        "downscale_delay_seconds": 600,
        "look_back_seconds": 30,
        "metrics_interval_seconds": 1,
    }
    return Replicas(**{**values, **changes})


def model(name: str = "qwen2.5-7b-instruct", pool: str = "l4", **changes: Any) -> ModelPlan:
    values: dict[str, Any] = {
        "path": "ray-llm:models[0]",
        "name": name,
        "family": "qwen2.5",
        "source": "Qwen/Qwen2.5-7B-Instruct",
        "pool": pool,
        "tensor_parallel_size": 1,
        "pipeline_parallel_size": 1,
        "dtype": "bfloat16",
        "quantization": None,
        "quantization_shown": None,
        "max_model_len": 16384,
        "gpu_memory_utilization": 0.9,
        "max_num_seqs": 64,
        "max_num_batched_tokens": 8192,
        "enforce_eager": False,
        "v0_engine": False,
        "replicas": replicas(),
        "routers": replicas(1, 8, target_ongoing_requests=200, max_ongoing_requests=1000),
    }
    return ModelPlan(**{**values, **changes})


def t4_model(**changes: Any) -> ModelPlan:
    return model(
        **{
            "name": "qwen2.5-0.5b-instruct",
            "pool": "t4",
            "source": "Qwen/Qwen2.5-0.5B-Instruct",
            "dtype": "float16",
            "v0_engine": True,
            "asks_prefix_caching": True,
            "replicas": replicas(0, 2),
            "routers": replicas(0, 2),
            **changes,
        },
    )


def tensor_parallel_model(**changes: Any) -> ModelPlan:
    return model(
        **{
            "name": "llama-70b",
            "pool": "a100-80gb-x2",
            "family": "llama-3.3",
            "source": "meta-llama/Llama-3.3-70B-Instruct",
            "tensor_parallel_size": 2,
            **changes,
        },
    )


def pool(tier: str, *, spot: bool = False, **changes: Any) -> PoolPlan:
    row = gpu_tiers()[tier]
    values: dict[str, Any] = {
        "path": "ray-llm:gpuPools[0]",
        "id": f"{tier}-spot" if spot else tier,
        "tier": row,
        "machine_type": row.machine_type,
        "spot": spot,
        "zones": ("us-central1-a",),
        "min_nodes": 0,
        "max_nodes": 5,
        "boot_disk_type": "pd-balanced",
        "boot_disk_gb": 200,
        "idle_timeout_seconds": 300,
        "pod": PodResources(cpu=6, memory_gib=24, gpus=row.gpu_count),
        "max_workers": 1000,
        "nodes_at_min": 0,
        "nodes_at_max": 5,
    }
    return PoolPlan(**{**values, **changes})


def plan(
    models: tuple[ModelPlan, ...] | None = None,
    pools: tuple[PoolPlan, ...] | None = None,
    ray: str = "2.49.1",
    **changes: Any,
) -> Plan:
    release = ray_releases()[ray]
    values: dict[str, Any] = {
        "stack": "test",
        "project": "acme-ml",
        "region": "us-central1",
        "cluster": ClusterPlan(
            name="llm-test",
            location="us-central1",
            zones=("us-central1-a",),
            existing=False,
            context=None,
            deletion_protection=False,
            release_channel="REGULAR",
            network=None,
            subnetwork=None,
            cpu_pool=CpuPoolPlan(
                name="app-pool",
                machine_type="e2-standard-8",
                min_nodes=1,
                max_nodes=6,
                boot_disk_type="pd-balanced",
                boot_disk_gb=100,
            ),
        ),
        "release": ReleasePlan(
            ray=release,
            kuberay=kuberay_releases()["1.6.2"],
            image=release.image,
            vllm=release.vllm,
            install=KubeRayInstall.HELM,
        ),
        "kube_ray": KubeRaySettings(),
        "service": ServicePlan(name="llm-serving", namespace="ai"),
        "rollout": RolloutSettings(),
        "head": PodResources(cpu=2, memory_gib=8),
        "router_group": RouterGroupPlan(
            id="routers",
            resource="routers",
            slots_per_pod=8,
            pod=PodResources(cpu=4, memory_gib=8),
            max_workers=100,
            pods_at_min=1,
        ),
        "pools": pools
        or (pool("t4"), pool("l4"), pool("l4", spot=True), pool("l4-x2"), pool("a100-80gb-x2")),
        "models": models or (t4_model(), model(), tensor_parallel_model()),
        "has_hugging_face_token": True,
        "cost": StackCost(
            price_date=date(2026, 1, 1),
            overridden=(),
            load_factor=Decimal(1),
            monthly_budget=None,
            pools={},
            models={},
            cpu_pool=None,
            cluster_fee=None,
        ),
        "quota": (),
    }
    made = Plan(**{**values, **changes})
    numbered = tuple(
        replace(item, path=f"ray-llm:models[{index}]") for index, item in enumerate(made.models)
    )
    return replace(made, models=numbered)
