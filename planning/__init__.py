"""Pure decisions: from what a stack says to a `Plan` of what will be deployed.

This is all of planning that other folders import. Inside, `planner` brings the rooms together:
`infrastructure` (releases, cluster, pools), `sizing` (one model on one GPU tier), `placement`
(which pool), `budget` (cost and quota) and `checks` (what works badly or not at all).
"""

from planning.access import AccessPlan, GatewayPlan, KeyPlan
from planning.budget.cost import cpu_nodes
from planning.budget.idle_gpus import IdleGpus, idle_gpus
from planning.budget.off_hours import node_stays_seconds
from planning.infrastructure.bin_packing import nodes_for
from planning.infrastructure.capacity_price import EXPECTED_SHARE
from planning.infrastructure.weights import MOUNT, SIDECAR_CPU, SIDECAR_MEMORY_GIB
from planning.monitoring import MonitoringPlan
from planning.plan import (
    GIB,
    BucketPlan,
    ClusterPlan,
    CpuPoolPlan,
    MemoryFit,
    ModelPlan,
    OffHoursPlan,
    Plan,
    PodResources,
    PoolPlan,
    ReleasePlan,
    Replicas,
    RouterGroupPlan,
    ServicePlan,
    SpeedPlan,
    StoredModel,
    WayPlan,
    WeightsPlan,
    WindowPlan,
)
from planning.plan_costs import (
    HOURS_PER_MONTH,
    HOURS_PER_WEEK,
    CapacityCost,
    CpuPoolCost,
    Levels,
    ModelCost,
    PoolCost,
    QuotaNeed,
    StackCost,
    WayCost,
)
from planning.planner import gpu_pools, make_plan
from planning.sizing.cold_start import ColdStart, Seconds, cold_start, weights_place
from planning.sizing.measured_speed import speed_conditions

__all__ = [
    "EXPECTED_SHARE",
    "GIB",
    "HOURS_PER_MONTH",
    "HOURS_PER_WEEK",
    "MOUNT",
    "SIDECAR_CPU",
    "SIDECAR_MEMORY_GIB",
    "AccessPlan",
    "BucketPlan",
    "CapacityCost",
    "ClusterPlan",
    "ColdStart",
    "CpuPoolCost",
    "CpuPoolPlan",
    "GatewayPlan",
    "IdleGpus",
    "KeyPlan",
    "Levels",
    "MemoryFit",
    "ModelCost",
    "ModelPlan",
    "MonitoringPlan",
    "OffHoursPlan",
    "Plan",
    "PodResources",
    "PoolCost",
    "PoolPlan",
    "QuotaNeed",
    "ReleasePlan",
    "Replicas",
    "RouterGroupPlan",
    "Seconds",
    "ServicePlan",
    "SpeedPlan",
    "StackCost",
    "StoredModel",
    "WayCost",
    "WayPlan",
    "WeightsPlan",
    "WindowPlan",
    "cold_start",
    "cpu_nodes",
    "gpu_pools",
    "idle_gpus",
    "make_plan",
    "node_stays_seconds",
    "nodes_for",
    "speed_conditions",
    "weights_place",
]
