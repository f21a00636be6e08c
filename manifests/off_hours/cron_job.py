"""Writes the CronJob: every five minutes a pod gives the RayService the minima of the moment.

It does not run at the beginnings and ends of windows alone. A run may be missed, at a change to
daylight saving time Kubernetes leaves out what is due in the hour that is skipped, and an update of
the RayService writes the minima of the day: the next run puts all of that right.
"""

from typing import Any, Final

from manifests.labels import labels
from manifests.off_hours import script_files
from manifests.off_hours.access import NAME
from manifests.pods import cpu_node_selector
from planning import OffHoursPlan, Plan

EVERY_MINUTES: Final = 5
_DEADLINE_SECONDS: Final = 240
# `ray` in Ray's images (docker/base-deps/Dockerfile in ray-project/ray). An image of one's own may
# have another, but the program needs no user's files.
_RAY_USER: Final = 1000
_AMOUNTS: Final = {"cpu": "100m", "memory": "128Mi"}


def off_hours_cron_job(
    plan: Plan, off_hours: OffHoursPlan, script: dict[str, Any]
) -> dict[str, Any]:
    """The CronJob; its pods run under the account of `off_hours_access`.

    script: the ConfigMap of the program.
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": NAME,
            "namespace": plan.service.namespace,
            "labels": labels(plan, NAME),
        },
        "spec": {
            "schedule": f"*/{EVERY_MINUTES} * * * *",
            # Or the cluster's own zone would count, which is no business of the windows.
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            # A run that could not start in time starts late. Older ones are of no use: each run
            # does what the moment wants.
            "startingDeadlineSeconds": 60 * EVERY_MINUTES,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": labels(plan, NAME)},
                "spec": {
                    # The next run is the next try.
                    "backoffLimit": 0,
                    "activeDeadlineSeconds": _DEADLINE_SECONDS,
                    "template": {
                        "metadata": {"labels": labels(plan, NAME)},
                        "spec": _pod(plan, off_hours, script),
                    },
                },
            },
        },
    }


def _pod(plan: Plan, off_hours: OffHoursPlan, script: dict[str, Any]) -> dict[str, Any]:
    return {
        "restartPolicy": "Never",
        "serviceAccountName": NAME,
        **cpu_node_selector(plan),
        # The image's user, who is not root: what the restricted standard asks for besides.
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _RAY_USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": NAME,
                "image": plan.release.image,
                "imagePullPolicy": "IfNotPresent",
                "command": list(script_files.COMMAND),
                "env": [
                    {"name": "NAMESPACE", "value": plan.service.namespace},
                    {"name": "RAY_SERVICE", "value": plan.service.name},
                    {"name": "ZONES", "value": f"{script_files.FOLDER}/{script_files.ZONES}"},
                    # The volume is read-only.
                    {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
                ],
                "resources": {"requests": dict(_AMOUNTS), "limits": dict(_AMOUNTS)},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": True,
                },
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": [
                    {
                        "name": script_files.VOLUME,
                        "mountPath": script_files.FOLDER,
                        "readOnly": True,
                    }
                ],
            }
        ],
        "volumes": [script_files.script_volume(script, off_hours)],
    }
