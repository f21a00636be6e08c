"""The stack outputs: what is served where, and how to reach it.

`pulumi stack output plan` is the plan for programs, as JSON in a JSON string: `jq fromjson` opens
it, and so does `diff` of reports/. Nothing in it is a secret.
"""

import json

import pulumi

from components.gateway import Gateway
from components.gke_cluster import GkeCluster
from components.ray_llm_service import RayLlmService
from models.problems import without_secrets
from planning import Plan
from reports.plan_data import plan_summary


def export_stack_outputs(
    plan: Plan, cluster: GkeCluster, service: RayLlmService, gateway: Gateway | None = None
) -> None:
    """Exports endpoints, commands, the cluster's name, and the plan as one line."""
    if gateway is not None:
        pulumi.export("url", gateway.url)
        pulumi.export(
            "gateway",
            {
                "address": gateway.address,
                "readKey": gateway.read_key,
                "firstCurl": gateway.first_curl,
                "portForward": gateway.port_forward,
            },
        )
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
    # Pulumi prints a mapping over some 200 lines at every preview, and so it does with a text that
    # is a JSON object. JSON in a JSON string is one line, which it cuts.
    pulumi.export("plan", json.dumps(without_secrets(json.dumps(plan_summary(plan)))))
