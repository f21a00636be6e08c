"""The stack outputs: what will be served where, and how to reach it.

`pulumi stack output plan --json` is the plan for programs; nothing in it is a secret.
"""

import pulumi

from components.gke_cluster import GkeCluster
from components.ray_llm_service import RayLlmService
from planning import Plan
from reports.plan_data import plan_summary


def export_stack_outputs(plan: Plan, cluster: GkeCluster, service: RayLlmService) -> None:
    """Exports plan, endpoints, commands and the cluster's name."""
    pulumi.export("plan", plan_summary(plan))
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
