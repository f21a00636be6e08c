"""The stack outputs: what is served where, and how to reach it.

`pulumi stack output plan` is the plan for programs; nothing in it is a secret.
"""

import json

import pulumi

from components.gke_cluster import GkeCluster
from components.ray_llm_service import RayLlmService
from planning import Plan
from reports.plan_data import plan_summary


def export_stack_outputs(plan: Plan, cluster: GkeCluster, service: RayLlmService) -> None:
    """Exports endpoints, commands, the cluster's name, and the plan as one line of JSON."""
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
    # A text, because Pulumi prints a mapping over some 200 lines at every preview.
    pulumi.export("plan", json.dumps(plan_summary(plan)))
