"""One LLM on a cluster that another team runs: their pools, their KubeRay, our service.

What is deployed is said in Python instead of a stack file, and checked by the same rules.
"""

import pulumi
import pulumi_kubernetes as kubernetes

from components import RayLlmService, RayLlmServiceArgs, plan_or_stop
from models.stack import (
    ClusterSettings,
    CpuPoolSettings,
    GpuPoolSettings,
    KubeRayInstall,
    KubeRaySettings,
    ModelDeployment,
    ReplicaSettings,
    ServiceSettings,
    StackSettings,
)

config = pulumi.Config()

plan = plan_or_stop(
    StackSettings(
        stack=pulumi.get_stack(),
        project="acme-platform",
        region="us-central1",
        cluster=ClusterSettings(
            name="shared",
            existing=True,
            zones=("us-central1-a", "us-central1-b"),
            cpu_pool=CpuPoolSettings(name="default-pool", max_nodes=10),
        ),
        # Names and sizes of pools that are there: nothing is created from them here.
        gpu_pools=(GpuPoolSettings(tier="l4", name="shared-l4", max_nodes=8),),
        models=(
            ModelDeployment(
                model="qwen2.5-7b-instruct",
                name="chat",
                context_length=config.require_int("contextLength"),
                replicas=ReplicaSettings(min=1, max=4),
            ),
        ),
        kube_ray=KubeRaySettings(install=KubeRayInstall.EXISTING),
        service=ServiceSettings(name="chat", namespace="chat"),
        has_hugging_face_token=False,
    )
)

shared_cluster = kubernetes.Provider("shared-cluster", context=config.require("kubeContext"))

chat = RayLlmService(
    "chat", RayLlmServiceArgs(plan=plan), pulumi.ResourceOptions(provider=shared_cluster)
)

pulumi.export("endpoints", chat.endpoints)
pulumi.export("firstCurl", chat.first_curl)
