"""One stack file in, a running LLM service out: this program's table of contents."""

from pulumi import ResourceOptions

from components import (
    Gateway,
    GatewayArgs,
    GkeCluster,
    GkeClusterArgs,
    GpuNodePools,
    GpuNodePoolsArgs,
    KubeRayOperator,
    KubeRayOperatorArgs,
    RayLlmService,
    RayLlmServiceArgs,
    StackConfig,
    export_stack_outputs,
)
from manifests import access_manifests, service_manifests

config = StackConfig.of_running_stack()
plan = config.announced_plan()

cluster = GkeCluster("cluster", GkeClusterArgs.of(plan))

gpu_pools = GpuNodePools(
    "gpu-pools",
    GpuNodePoolsArgs.of(plan, cluster.location, cluster.name),
    ResourceOptions(depends_on=[cluster]),
)

kuberay = KubeRayOperator(
    "kuberay",
    KubeRayOperatorArgs.of(plan),
    ResourceOptions(provider=cluster.provider, depends_on=[cluster]),
)

service = RayLlmService(
    "llm",
    RayLlmServiceArgs(
        manifests=service_manifests(plan), hugging_face_token=config.hugging_face_token
    ),
    ResourceOptions(provider=cluster.provider, depends_on=[gpu_pools, kuberay]),
)

access = access_manifests(plan)
gateway = access and Gateway(
    "gateway",
    GatewayArgs(manifests=access, keys=config.access_keys, after=[service]),
    ResourceOptions(provider=cluster.provider),
)

export_stack_outputs(plan, cluster, service, gateway)
