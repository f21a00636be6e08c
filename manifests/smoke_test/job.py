"""Writes the Job that runs the smoke test.

`pulumi up` ends when this Job ends. Its name holds a hash of what is deployed and of the script, so
that every change is tested and an unchanged stack is not.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from manifests.labels import labels
from manifests.pod_security import restricted_container, restricted_pod
from manifests.pods import cpu_node_selector
from manifests.smoke_test import script_files
from manifests.smoke_test.access import NAME
from manifests.smoke_test.script.settings import JOB_ANNOTATION
from planning import Plan

# An hour: a node, the image (some 10 GB) and 140 GB of weights at 100 MB/s are half of it.
DEADLINE_SECONDS = 3600
ACTIVE_DEADLINE_SECONDS: Final = DEADLINE_SECONDS + 900
"""The Job's own limit: the script's, and time to be scheduled, to pull the image and to report."""
CONFIG_FOLDER = "/etc/llm-configs"
# Changes with the pod's form, which the hash does not read.
_FORM = "restricted"
# The Jobs of stacks that were deployed when the smoke test was still called so.
_FORMER_NAME = "ask-models"
# Python and its libraries expect one folder that can be written.
_SCRATCH = "scratch"
_AMOUNTS = {"cpu": "250m", "memory": "256Mi"}


def job_name(
    plan: Plan, serve_config: str, ray_cluster: dict[str, Any], script: dict[str, Any]
) -> str:
    """The Job's name, which ends in a hash of the deployed configuration and of the script.

    A Job's pods cannot be changed, so that a change of them here is a new name as well (`_FORM`).

    serve_config: the text of serveConfigV2.
    ray_cluster: the RayClusterSpec.
    script: the ConfigMap of the script; its name is a hash of its files.
    """
    # KubeRay's version is part of it, because a new operator rewrites the Ray cluster.
    operator = f"{plan.release.install.value} {plan.release.kuberay.version}"
    parts = [serve_config, json.dumps(ray_cluster), operator, script["metadata"]["name"], _FORM]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]
    return f"{NAME}-{digest}"


def job_annotation(name: str) -> dict[str, str]:
    """The RayService's annotation that names its Job; Jobs that killed updates left differ."""
    return {JOB_ANNOTATION: name}


def smoke_test_job(
    plan: Plan, name: str, config_maps: Sequence[str], script: dict[str, Any]
) -> dict[str, Any]:
    """The Job; it runs under the account of `smoke_test_access`.

    It keeps to the Pod Security Standard "restricted". It needs a token of Kubernetes, because only
    the RayService says which Ray cluster to ask, and because of the repairs.

    config_maps: names of the ConfigMaps with the LLM configs.
    script: the ConfigMap of the script.
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": plan.service.namespace,
            "labels": labels(plan, NAME),
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": ACTIVE_DEADLINE_SECONDS,
            # A lost node says nothing about the models: the pod is then started again.
            "podFailurePolicy": {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
            },
            "template": {
                "metadata": {"labels": labels(plan, NAME)},
                "spec": {
                    "restartPolicy": "Never",
                    "serviceAccountName": NAME,
                    "securityContext": restricted_pod(),
                    **cpu_node_selector(plan),
                    "containers": [_container(plan, name)],
                    "volumes": [
                        {
                            "name": "llm-configs",
                            "projected": {
                                "sources": [{"configMap": {"name": item}} for item in config_maps]
                            },
                        },
                        script_files.script_volume(script),
                        {"name": _SCRATCH, "emptyDir": {"sizeLimit": "64Mi"}},
                    ],
                },
            },
        },
    }


def _container(plan: Plan, job: str) -> dict[str, Any]:
    return {
        "name": NAME,
        "image": plan.release.image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(script_files.COMMAND),
        "env": [{"name": key, "value": value} for key, value in _settings(plan, job).items()],
        "resources": {"requests": dict(_AMOUNTS), "limits": dict(_AMOUNTS)},
        "securityContext": restricted_container(read_only=True),
        # The end of its log becomes the message that `pulumi up` shows.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "llm-configs", "mountPath": CONFIG_FOLDER, "readOnly": True},
            {"name": script_files.VOLUME, "mountPath": script_files.FOLDER, "readOnly": True},
            {"name": _SCRATCH, "mountPath": "/tmp"},  # noqa: S108 - of the pod alone
        ],
    }


def _settings(plan: Plan, job: str) -> dict[str, str]:
    """The environment that `script/settings.py` reads."""
    service = plan.service
    dashboard = f"{service.namespace}:{service.dashboard_port}"
    return {
        "LLM_CONFIGS": CONFIG_FOLDER,
        "SERVE_URL": service.url,
        "DASHBOARD_URL": f"http://{service.head_service}.{dashboard}",
        # KubeRay's name for the Service of one Ray cluster's head.
        "CLUSTER_DASHBOARD_URL": f"http://{{cluster}}-head-svc.{dashboard}",
        "NAMESPACE": service.namespace,
        "RAY_SERVICE": service.name,
        "JOB_NAME": job,
        "JOB_LABELS": _job_selector(plan),
        "MODEL_TASKS": json.dumps(
            {model.name: model.task.value for model in plan.models if model.task.pools}
        ),
        "FAILED_UPDATE_KEEPS_SERVING": str(plan.release.ray.failed_update_keeps_serving).lower(),
        "DEADLINE_SECONDS": str(DEADLINE_SECONDS),
    }


def _job_selector(plan: Plan) -> str:
    """The label selector of all Jobs that test this service."""
    component = "app.kubernetes.io/component"
    same = [f"{key}={value}" for key, value in labels(plan, NAME).items() if key != component]
    return ",".join([*same, f"{component} in ({NAME},{_FORMER_NAME})"])
