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
    Monitoring,
    MonitoringArgs,
    OffHours,
    OffHoursArgs,
    RayLlmService,
    RayLlmServiceArgs,
    StackConfig,
    export_stack_outputs,
)
from manifests import access_manifests, monitoring_manifests, service_manifests

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

manifests = service_manifests(plan)
service = RayLlmService(
    "llm",
    RayLlmServiceArgs(manifests=manifests, hugging_face_token=config.hugging_face_token),
    ResourceOptions(provider=cluster.provider, depends_on=[gpu_pools, kuberay]),
)

access = access_manifests(plan)
gateway = access and Gateway(
    "gateway",
    GatewayArgs(manifests=access, keys=config.access_keys, after=[service]),
    ResourceOptions(provider=cluster.provider),
)

if manifests.off_hours is not None:
    OffHours(
        "off-hours",
        OffHoursArgs(manifests=manifests.off_hours),
        ResourceOptions(provider=cluster.provider, depends_on=[service]),
    )

monitoring = monitoring_manifests(plan)
if monitoring is not None:
    Monitoring(
        "monitoring",
        MonitoringArgs(manifests=monitoring),
        ResourceOptions(provider=cluster.provider, depends_on=[service]),
    )

export_stack_outputs(plan, cluster, service, gateway)
