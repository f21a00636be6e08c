"""Who reads and who fills the bucket: ServiceAccounts, and the Google accounts that they act as."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from manifests.labels import labels
from planning import Plan

READER: Final = "weights-reader"
"""The ServiceAccount of the GPU workers."""
FILLER: Final = "weights-filler"
"""The ServiceAccount of the Job that fills the bucket."""

# Google's roles: objects may be read; they may be read, written and deleted.
_ROLES: Final = {READER: "roles/storage.objectViewer", FILLER: "roles/storage.objectUser"}


@dataclass(frozen=True, kw_only=True)
class GoogleAccount:
    """A Google service account for one ServiceAccount of the service.

    account_id: the part of its e-mail before the @; member: the ServiceAccount, as IAM names it.
    role: what it may do with the bucket.
    """

    account_id: str
    email: str
    member: str
    role: str


def google_account(plan: Plan, name: str) -> GoogleAccount:
    """The Google account of a ServiceAccount, apart for each service of a project."""
    service = plan.service
    text = "\0".join((plan.cluster.location, plan.cluster.name, service.namespace, service.name))
    account_id = f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return GoogleAccount(
        account_id=account_id,
        email=f"{account_id}@{plan.project}.iam.gserviceaccount.com",
        member=f"serviceAccount:{plan.project}.svc.id.goog[{service.namespace}/{name}]",
        role=_ROLES[name],
    )


def service_account(plan: Plan, name: str) -> dict[str, Any]:
    """The ServiceAccount; its pods ask Google's APIs as its Google account, and Kubernetes not."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": name,
            "namespace": plan.service.namespace,
            "labels": labels(plan, name),
            "annotations": {"iam.gke.io/gcp-service-account": google_account(plan, name).email},
        },
        "automountServiceAccountToken": False,
    }
