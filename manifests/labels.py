"""The labels that every object of a service carries."""

from typing import Final

from planning import Plan

COMPONENT_LABEL: Final = "app.kubernetes.io/component"


def labels(plan: Plan, component: str) -> dict[str, str]:
    """The labels that Kubernetes recommends, for one object of the service."""
    return {
        "app.kubernetes.io/name": "ray-llm",
        "app.kubernetes.io/instance": plan.service.name,
        COMPONENT_LABEL: component,
        "app.kubernetes.io/managed-by": "pulumi",
    }
