"""All that a service needs for its weights, each written once."""

from dataclasses import dataclass
from typing import Any

from manifests.weights.access import FILLER, READER, GoogleAccount, google_account, service_account
from manifests.weights.fill_job import fill_deadline_seconds, fill_job
from manifests.weights.script_files import script_config_map
from planning import BucketPlan, Plan


@dataclass(frozen=True, kw_only=True)
class WeightsManifests:
    """The Job that fills the bucket, with its script and the accounts of who reads and fills it.

    project: of Google. google_accounts: what each ServiceAccount acts as.
    job: None if no model of the stack is in the bucket. deadline_seconds: how long it may take.
    """

    project: str
    bucket: BucketPlan
    google_accounts: tuple[GoogleAccount, ...]
    service_accounts: tuple[dict[str, Any], ...]
    script: dict[str, Any]
    job: dict[str, Any] | None
    deadline_seconds: int


def weights_manifests(plan: Plan) -> WeightsManifests | None:
    """The objects for the bucket of a plan; None if it has none."""
    weights = plan.weights
    if weights is None or weights.bucket is None:
        return None
    script = script_config_map(plan)
    return WeightsManifests(
        project=plan.project,
        bucket=weights.bucket,
        google_accounts=tuple(google_account(plan, name) for name in (READER, FILLER)),
        service_accounts=tuple(service_account(plan, name) for name in (READER, FILLER)),
        script=script,
        job=fill_job(plan, weights, weights.bucket, script) if weights.models else None,
        deadline_seconds=fill_deadline_seconds(weights),
    )
