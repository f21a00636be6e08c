"""The labels that every object of a service carries."""

from planning import Plan


def labels(plan: Plan, component: str) -> dict[str, str]:
    """The labels that Kubernetes recommends, for one object of the service."""
    return {
        "app.kubernetes.io/name": "ray-llm",
        "app.kubernetes.io/instance": plan.service.name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "pulumi",
    }
