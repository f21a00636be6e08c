"""Pulumi components: the only folder that creates anything, each usable on its own.

They take frozen arguments, and decide nothing that planning/ has not decided.
"""

from components.checked_settings import gpu_pools_or_stop, plan_or_stop, service_or_stop
from components.gateway import Gateway, GatewayArgs
from components.gke_cluster import GkeCluster, GkeClusterArgs
from components.gpu_node_pools import GpuNodePools, GpuNodePoolsArgs
from components.kuberay_operator import KubeRayOperator, KubeRayOperatorArgs
from components.monitoring import Monitoring, MonitoringArgs
from components.off_hours import OffHours, OffHoursArgs
from components.ray_llm_service import RayLlmService, RayLlmServiceArgs
from components.stack_config import StackConfig
from components.stack_outputs import export_stack_outputs
from components.weights_bucket import WeightsBucket, WeightsBucketArgs

__all__ = [
    "Gateway",
    "GatewayArgs",
    "GkeCluster",
    "GkeClusterArgs",
    "GpuNodePools",
    "GpuNodePoolsArgs",
    "KubeRayOperator",
    "KubeRayOperatorArgs",
    "Monitoring",
    "MonitoringArgs",
    "OffHours",
    "OffHoursArgs",
    "RayLlmService",
    "RayLlmServiceArgs",
    "StackConfig",
    "WeightsBucket",
    "WeightsBucketArgs",
    "export_stack_outputs",
    "gpu_pools_or_stop",
    "plan_or_stop",
    "service_or_stop",
]
