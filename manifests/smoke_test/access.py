"""Writes what the smoke test may do in the cluster: its ServiceAccount, Role and RoleBinding."""

from typing import Any

from manifests.labels import labels
from planning import Plan

NAME = "smoke-test"


def smoke_test_access(
    plan: Plan,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The ServiceAccount, the Role and the RoleBinding.

    To ask the models (`script/service_view.py`), it may read this one RayService. Only there
    KubeRay says which Ray cluster it starts for a new configuration, and only that cluster knows
    why a model does not start. It may also list events, because only an event says that Ray Serve
    refuses the configuration.

    All other rights are for the repairs (`script/repairs.py`):

    - List and delete Jobs: an update that is killed leaves a Job that Pulumi does not know, and
      the next Job removes it. RBAC has no rule by label and the names are not known beforehand,
      so this right covers every Job of the namespace; the script selects by label.
    - Get and patch Ray clusters, list pods: the script corrects the numbers of workers in a
      cluster that KubeRay has rewritten. KubeRay chooses the names of these clusters.
    """
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(plan)}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": _metadata(plan),
        "rules": [
            {
                "apiGroups": ["ray.io"],
                "resources": ["rayservices"],
                "resourceNames": [plan.service.name],
                "verbs": ["get"],
            },
            {"apiGroups": ["ray.io"], "resources": ["rayclusters"], "verbs": ["get", "patch"]},
            {"apiGroups": [""], "resources": ["events"], "verbs": ["list"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
            {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "delete"]},
        ],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": _metadata(plan),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": plan.service.namespace}],
    }
    return account, role, binding


def _metadata(plan: Plan) -> dict[str, Any]:
    return {
        "name": NAME,
        "namespace": plan.service.namespace,
        "labels": labels(plan, NAME),
    }
