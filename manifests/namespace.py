"""Writes the namespace, and the labels that every object of a service carries."""

from typing import Any

from planning import Plan


def labels(plan: Plan, component: str) -> dict[str, str]:
    """The recommended labels of Kubernetes for one object of the service."""
    return {
        "app.kubernetes.io/name": "ray-llm",
        "app.kubernetes.io/instance": plan.service.name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "pulumi",
    }


def namespace(plan: Plan) -> dict[str, Any]:
    """The namespace in which the service lives."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": plan.service.namespace, "labels": labels(plan, "namespace")},
    }
