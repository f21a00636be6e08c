"""Writes the Job that fills the bucket before the service starts.

Its name holds a hash of what has to lie in the bucket, so that a model that is added is fetched and
a stack whose models stay has the Job that it had. What is there already is not fetched again.
"""

import hashlib
import json
from typing import Any, Final

from manifests.hugging_face_secret import SECRET_KEY, mounted_secret
from manifests.labels import labels
from manifests.pod_security import RAY_GID, restricted_container, restricted_pod
from manifests.pods import cpu_node_selector
from manifests.weights import script_files
from manifests.weights.access import FILLER
from manifests.weights.volumes import VOLUME, writing_annotations, writing_volume
from planning import MOUNT, BucketPlan, Plan, StoredModel, WeightsPlan

_TOKEN: Final = "huggingface-token"  # noqa: S105 - the name of a volume
_TOKEN_FOLDER: Final = "/var/run/secrets/huggingface"  # noqa: S105 - a folder
_STAGING: Final = "staging"
_STAGING_FOLDER: Final = "/staging"
_AMOUNTS: Final = {"cpu": "1", "memory": "4Gi"}
_PAUSE_SECONDS: Final = 10
# The pod, the list of files and a margin, and the slowest download that is not given up.
_LEAST_SECONDS: Final = 3600
_SLOWEST_BYTES_PER_SECOND: Final = 20e6
_UNKNOWN_BYTES: Final = 150_000_000_000


def fill_deadline_seconds(weights: WeightsPlan) -> int:
    """How long the Job may take, by the size of the weights."""
    size = sum(model.size_bytes or _UNKNOWN_BYTES for model in weights.models)
    return _LEAST_SECONDS + round(size / _SLOWEST_BYTES_PER_SECOND)


def fill_job(
    plan: Plan, weights: WeightsPlan, bucket: BucketPlan, script: dict[str, Any]
) -> dict[str, Any]:
    """The Job; it runs under the account FILLER.

    script: the ConfigMap of the program.
    """
    repositories = json.dumps([_repository(model) for model in weights.models])
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": _name(bucket, repositories, script),
            "namespace": plan.service.namespace,
            "labels": labels(plan, FILLER),
        },
        "spec": {
            # Pods that lose their node do not count, and the program tries again by itself. With
            # FailJob for what is hopeless, `up` would not notice that the Job has failed
            # (findings/pulumi-job-failed-by-policy.sh).
            "backoffLimit": 0,
            "activeDeadlineSeconds": fill_deadline_seconds(weights),
            "podFailurePolicy": {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
            },
            "template": {
                "metadata": {
                    "labels": labels(plan, FILLER),
                    "annotations": dict(writing_annotations()),
                },
                "spec": {
                    "restartPolicy": "Never",
                    "serviceAccountName": FILLER,
                    "automountServiceAccountToken": False,
                    "securityContext": {**restricted_pod(), "fsGroup": RAY_GID},
                    **cpu_node_selector(plan),
                    "containers": [_container(plan, repositories)],
                    "volumes": [
                        writing_volume(bucket),
                        script_files.script_volume(script),
                        {
                            "name": _TOKEN,
                            "secret": {"secretName": mounted_secret(plan), "optional": True},
                        },
                        # One file at a time, on the node's disk.
                        {"name": _STAGING, "emptyDir": {}},
                    ],
                },
            },
        },
    }


def _name(bucket: BucketPlan, repositories: str, script: dict[str, Any]) -> str:
    parts = (bucket.name, bucket.folder, repositories, script["metadata"]["name"])
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]
    return f"{FILLER}-{digest}"


def _repository(model: StoredModel) -> dict[str, Any]:
    """As script/settings.py reads it."""
    return {
        "source": model.source,
        "revision": model.revision,
        "folder": model.folder,
        "anyFormat": model.any_format,
    }


def _container(plan: Plan, repositories: str) -> dict[str, Any]:
    environment = {
        "REPOSITORIES": repositories,
        "TARGET": MOUNT,
        "STAGING": _STAGING_FOLDER,
        "TOKEN_FILE": f"{_TOKEN_FOLDER}/{SECRET_KEY}",
        "FILL_PAUSE_SECONDS": str(_PAUSE_SECONDS),
        # The only folder that can be written; the library keeps its caches and locks there.
        "HF_HOME": f"{_STAGING_FOLDER}/.huggingface",
        # Else the library also asks the hub for what is no file.
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {
        "name": FILLER,
        "image": plan.release.image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(script_files.COMMAND),
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "resources": {"requests": dict(_AMOUNTS), "limits": dict(_AMOUNTS)},
        "securityContext": restricted_container(read_only=True),
        # The end of its log becomes the message that `pulumi up` shows.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": VOLUME, "mountPath": MOUNT},
            {"name": script_files.VOLUME, "mountPath": script_files.FOLDER, "readOnly": True},
            {"name": _TOKEN, "mountPath": _TOKEN_FOLDER, "readOnly": True},
            {"name": _STAGING, "mountPath": _STAGING_FOLDER},
        ],
    }
