"""Writes the namespace of a service."""

from typing import Any

from manifests.labels import labels
from manifests.pod_security import namespace_labels
from planning import Plan


def namespace(plan: Plan) -> dict[str, Any]:
    """The namespace in which the service runs."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": plan.service.namespace,
            "labels": {
                **labels(plan, "namespace"),
                **namespace_labels(plan),
                **plan.cost_labels,
            },
        },
    }
