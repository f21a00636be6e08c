"""Writes the Job that asks every model, and what it needs to look at the service.

`pulumi up` is done when this Job is: its name holds a hash of what is deployed, so that every
change asks again and an unchanged stack does not.
"""

import hashlib
import json
from importlib import resources
from typing import Any

from manifests.config_maps import config_map_name
from manifests.namespace import labels
from manifests.ray_service import ray_cluster_config
from manifests.serve_config import serve_config_text
from manifests.smoke_test.script import ASKED_BY
from manifests.worker_group import GKE_NODE_POOL_LABEL
from planning import Plan

NAME = "ask-models"
# An hour: a node, the image (some 10 GB) and 140 GB of weights at 100 MB/s are half of it.
DEADLINE_SECONDS = 3600
# The Job's own limit leaves the script the time to be scheduled, to pull its image and to report.
ACTIVE_DEADLINE_SECONDS = DEADLINE_SECONDS + 900
CONFIG_FOLDER = "/etc/llm-configs"
_AMOUNTS = {"cpu": "250m", "memory": "256Mi"}


def configuration_hash(plan: Plan) -> str:
    """Ten hexadecimal digits over everything that is asked and what asks it.

    With KubeRay's version, because a new operator rewrites the Ray cluster.
    """
    operator = f"{plan.release.install.value} {plan.release.kuberay.version}"
    parts = [serve_config_text(plan), json.dumps(ray_cluster_config(plan)), operator, _script()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]


def job_name(plan: Plan) -> str:
    """The Job's name, another one for every configuration."""
    return f"{NAME}-{configuration_hash(plan)}"


def asked_by(plan: Plan) -> dict[str, str]:
    """The RayService's annotation that tells its Job from those that killed updates left."""
    return {ASKED_BY: job_name(plan)}


def ask_models_job(plan: Plan) -> dict[str, Any]:
    """The Job; it runs under the account of `ask_models_access`."""
    service = plan.service
    name = job_name(plan)
    settings = {
        "LLM_CONFIGS": CONFIG_FOLDER,
        "SERVE_URL": f"http://{service.serve_service}.{service.namespace}:{service.port}",
        "DASHBOARD_URL": (
            f"http://{service.head_service}.{service.namespace}:{service.dashboard_port}"
        ),
        # KubeRay's name for the Service of one Ray cluster's head.
        "CLUSTER_DASHBOARD_URL": (
            f"http://{{cluster}}-head-svc.{service.namespace}:{service.dashboard_port}"
        ),
        "NAMESPACE": service.namespace,
        "RAY_SERVICE": service.name,
        "JOB_NAME": name,
        "JOB_LABELS": ",".join(f"{key}={value}" for key, value in labels(plan, NAME).items()),
        "DEADLINE_SECONDS": str(DEADLINE_SECONDS),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": service.namespace,
            "labels": labels(plan, NAME),
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": ACTIVE_DEADLINE_SECONDS,
            # A node that goes away is no answer: the pod is then started again.
            "podFailurePolicy": {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
            },
            "template": {
                "metadata": {"labels": labels(plan, NAME)},
                "spec": {
                    "restartPolicy": "Never",
                    "serviceAccountName": NAME,
                    "nodeSelector": {GKE_NODE_POOL_LABEL: plan.cluster.cpu_pool.name},
                    "containers": [
                        {
                            "name": NAME,
                            "image": plan.release.image,
                            "imagePullPolicy": "IfNotPresent",
                            "command": ["python3", "-c", _script()],
                            "env": [
                                {"name": key, "value": value} for key, value in settings.items()
                            ],
                            "resources": {"requests": dict(_AMOUNTS), "limits": dict(_AMOUNTS)},
                            # The end of its log becomes the message that `pulumi up` shows.
                            "terminationMessagePolicy": "FallbackToLogsOnError",
                            "volumeMounts": [
                                {
                                    "name": "llm-configs",
                                    "mountPath": CONFIG_FOLDER,
                                    "readOnly": True,
                                }
                            ],
                        }
                    ],
                    "volumes": [
                        {
                            "name": "llm-configs",
                            "projected": {
                                "sources": [
                                    {"configMap": {"name": config_map_name(family)}}
                                    for family in plan.families
                                ]
                            },
                        }
                    ],
                },
            },
        },
    }


def ask_models_access(plan: Plan) -> list[dict[str, Any]]:
    """The Job's ServiceAccount with its Role and RoleBinding.

    It may read the one RayService: only there stands which Ray cluster is being started for a new
    configuration, and only that cluster knows why a model does not come up.

    It may list and delete Jobs, because an update that is killed leaves a Job that Pulumi does not
    know of; the next Job removes it. RBAC has no rule by label and the names are not known
    beforehand, so this holds for every Job of the namespace; the script selects by label.

    It may patch Ray clusters and list pods, to have a cluster that KubeRay rewrote count its
    workers again. Their names are KubeRay's.
    """
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(plan)},
        {
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
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
                {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "delete"]},
            ],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": _metadata(plan),
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
            "subjects": [
                {"kind": "ServiceAccount", "name": NAME, "namespace": plan.service.namespace}
            ],
        },
    ]


def _metadata(plan: Plan) -> dict[str, Any]:
    return {
        "name": NAME,
        "namespace": plan.service.namespace,
        "labels": labels(plan, NAME),
    }


def _script() -> str:
    return resources.files("manifests").joinpath("smoke_test/script.py").read_text(encoding="utf-8")
