"""Writes what the schedule may do in the cluster: its ServiceAccount, Role and RoleBinding."""

from typing import Any

from manifests.labels import labels
from planning import Plan

NAME = "off-hours"


def off_hours_access(plan: Plan) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The ServiceAccount, the Role and the RoleBinding: this one RayService may be changed."""
    service = plan.service
    metadata = {"name": NAME, "namespace": service.namespace, "labels": labels(plan, NAME)}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": [
            {
                "apiGroups": ["ray.io"],
                "resources": ["rayservices"],
                "resourceNames": [service.name],
                "verbs": ["get", "patch"],
            }
        ],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": service.namespace}],
    }
    return account, role, binding
