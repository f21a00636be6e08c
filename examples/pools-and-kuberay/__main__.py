"""GPU node pools and KubeRay on a cluster that is there, for other teams to put models on."""

import pulumi
import pulumi_kubernetes as kubernetes

from components import (
    GpuNodePools,
    GpuNodePoolsArgs,
    KubeRayOperator,
    KubeRayOperatorArgs,
    gpu_pools_or_stop,
)
from models.stack import ClusterSettings, GpuPoolSettings, StackSettings

config = pulumi.Config()
google = pulumi.Config("gcp")

settings = StackSettings(
    stack=pulumi.get_stack(),
    project=google.require("project"),
    region=google.require("region"),
    cluster=ClusterSettings(
        name=config.require("cluster"), existing=True, zones=("us-central1-a", "us-central1-b")
    ),
    gpu_pools=(
        GpuPoolSettings(tier="l4", max_nodes=8),
        GpuPoolSettings(tier="l4", spot=True, max_nodes=4),
    ),
    models=(),
    has_hugging_face_token=False,
)

pools = GpuNodePools(
    "gpu-pools",
    GpuNodePoolsArgs(
        project=settings.project,
        location=settings.region,
        cluster=settings.cluster.name,
        pools=gpu_pools_or_stop(settings),
    ),
)

shared_cluster = kubernetes.Provider("shared-cluster", context=config.require("kubeContext"))

kuberay = KubeRayOperator(
    "kuberay",
    KubeRayOperatorArgs(version="1.6.2"),
    pulumi.ResourceOptions(provider=shared_cluster),
)

pulumi.export("gpuPools", pools.names)
pulumi.export("kuberay", kuberay.version)
