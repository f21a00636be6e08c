"""Writes what the External Secrets Operator needs to copy secrets from Google Secret Manager.

The values go from Google to the cluster without passing through Pulumi. GKE's own add-on copies a
secret too, but as it is: it cannot write a file around several of them, which the gateway's keys
need.
"""

from typing import Any, Final

from manifests.labels import labels
from models.token_reference import secret_and_version
from planning import Plan

READER: Final = "secret-reader"
"""The ServiceAccount that Google grants to read the secrets, and the SecretStore that uses it."""


def secret_store(plan: Plan) -> tuple[dict[str, Any], ...]:
    """The ServiceAccount and the SecretStore of the stack's project.

    The account has no annotation: by Workload Identity Federation it is itself a principal that
    Google's IAM can grant roles to.
    """
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(plan, READER),
        "automountServiceAccountToken": False,
    }
    store = {
        "apiVersion": "external-secrets.io/v1",
        "kind": "SecretStore",
        "metadata": _metadata(plan, READER),
        "spec": {
            "provider": {
                "gcpsm": {
                    "projectID": plan.project,
                    "auth": {
                        "workloadIdentity": {
                            "clusterLocation": plan.cluster.location,
                            "clusterName": plan.cluster.name,
                            "clusterProjectID": plan.project,
                            "serviceAccountRef": {"name": READER},
                        }
                    },
                }
            }
        },
    }
    return account, store


def external_secret(
    plan: Plan,
    secret: str,
    sources: dict[str, str],
    *,
    refresh: str,
    template: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The order to make a Secret and to keep it as Secret Manager has it.

    secret: name of the Secret.
    sources: secrets of Secret Manager by the key of the Secret, or by the name in the template.
    refresh: how often Google is asked, as `1h`; it bills each time.
    template: of the Secret; without one it holds each value as it is.
    """
    data = []
    for key, source in sources.items():
        name, version = secret_and_version(source)
        data.append({"secretKey": key, "remoteRef": {"key": name, "version": version}})
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": _metadata(plan, secret),
        "spec": {
            "refreshInterval": refresh,
            "secretStoreRef": {"kind": "SecretStore", "name": READER},
            # What is there if Google does not answer stays, and the Secret goes with this object.
            "target": {
                "name": secret,
                "creationPolicy": "Owner",
                "deletionPolicy": "Retain",
                **({"template": template} if template else {}),
            },
            "data": data,
        },
    }


def _metadata(plan: Plan, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": plan.service.namespace,
        "labels": labels(plan, "external-secrets"),
    }
