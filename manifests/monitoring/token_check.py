"""Writes the CronJob that asks the hub whether the stack's token still opens its models.

Nothing else would say so in time: replicas that run need no token, and the next one that starts
fails. A refused token ends the pod in an error, which the cluster's own metrics show.
"""

import re
from typing import Any, Final

from manifests.hugging_face_secret import SECRET_KEY, mounted_secret
from manifests.labels import labels
from manifests.pod_security import restricted_container, restricted_pod
from manifests.pods import cpu_node_selector
from planning import Plan

NAME: Final = "token-check"
_FOLDER: Final = "/var/run/secrets/huggingface"
_AMOUNTS: Final = {"cpu": "100m", "memory": "128Mi"}
_REPOSITORY: Final = re.compile(r"[^/\s:]+/[^/\s:]+")
# A failed pod is there until the run after the next one, so that the alert ends by itself.
_EVERY_MINUTES: Final = 30
_KEPT_SECONDS: Final = 45 * 60

PROGRAM: Final = """\
import os, pathlib, sys, urllib.error, urllib.request

token = pathlib.Path(os.environ["TOKEN_FILE"])
if not token.exists():
    sys.exit()  # no token is no refused token
refused = False
for repository in os.environ["REPOSITORIES"].split():
    request = urllib.request.Request(
        f"{os.environ['HUB']}/{repository}/resolve/main/config.json",
        headers={"authorization": f"Bearer {token.read_text().strip()}"},
        method="HEAD",
    )
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            refused = True
            print(f"{repository}: the hub refuses the token ({error.code})")
    except OSError as error:
        print(f"{repository}: the hub was not reached ({error})")
sys.exit(refused)
"""
"""Ends with 1 if the hub refuses the token; a hub that is not reached proves nothing."""


def repositories(plan: Plan) -> tuple[str, ...]:
    """The repositories of the hub from which models load, each once."""
    sources = dict.fromkeys(model.source for model in plan.models)
    return tuple(source for source in sources if _REPOSITORY.fullmatch(source))


def checks_token(plan: Plan) -> bool:
    """Whether there is a token to check, and a model that may need it."""
    return plan.has_hugging_face_token and bool(repositories(plan))


def token_check(plan: Plan) -> tuple[dict[str, Any], ...]:
    """The CronJob; none without a token."""
    if not checks_token(plan):
        return ()
    metadata = {"labels": labels(plan, NAME)}
    return (
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": NAME, "namespace": plan.service.namespace, **metadata},
            "spec": {
                "schedule": f"*/{_EVERY_MINUTES} * * * *",
                "timeZone": "Etc/UTC",
                "concurrencyPolicy": "Forbid",
                "successfulJobsHistoryLimit": 1,
                "failedJobsHistoryLimit": 1,
                "jobTemplate": {
                    "metadata": metadata,
                    "spec": {
                        "backoffLimit": 0,
                        "activeDeadlineSeconds": 600,
                        "ttlSecondsAfterFinished": _KEPT_SECONDS,
                        "template": {"metadata": metadata, "spec": _pod(plan)},
                    },
                },
            },
        },
    )


def _pod(plan: Plan) -> dict[str, Any]:
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        **cpu_node_selector(plan),
        "securityContext": restricted_pod(),
        "containers": [
            {
                "name": NAME,
                "image": plan.release.image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["python3", "-c", PROGRAM],
                "env": [
                    {"name": "HUB", "value": "https://huggingface.co"},
                    {"name": "REPOSITORIES", "value": " ".join(repositories(plan))},
                    {"name": "TOKEN_FILE", "value": f"{_FOLDER}/{SECRET_KEY}"},
                ],
                "resources": {"requests": dict(_AMOUNTS), "limits": dict(_AMOUNTS)},
                "securityContext": restricted_container(read_only=True),
                "terminationMessagePolicy": "FallbackToLogsOnError",
                "volumeMounts": [{"name": "token", "mountPath": _FOLDER, "readOnly": True}],
            }
        ],
        "volumes": [
            {"name": "token", "secret": {"secretName": mounted_secret(plan), "optional": True}}
        ],
    }
