"""`WeightsBucket`: the bucket that nodes read weights from, and who may read and fill it.

A bucket that is there already is left as it is; only the two accounts get their roles on it.
"""

from dataclasses import dataclass

import pulumi

from components.google_resource import GoogleResource
from manifests import WeightsManifests

_ACTS_AS: str = "roles/iam.workloadIdentityUser"


@dataclass(frozen=True, kw_only=True)
class WeightsBucketArgs:
    """What is made, from `manifests.service_manifests(plan).weights`."""

    manifests: WeightsManifests


class WeightsBucket(pulumi.ComponentResource):
    """The bucket with two Google accounts: one reads objects, the other writes them too.

    Each is bound to one ServiceAccount of the cluster by Workload Identity, and to this bucket.

    url: of the bucket, `gs://NAME`.
    """

    url: pulumi.Output[str]

    def __init__(
        self, name: str, args: WeightsBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("ray-llm:index:WeightsBucket", name, None, opts)
        manifests = args.manifests
        bucket, project = manifests.bucket, manifests.project
        only_parent = pulumi.ResourceOptions(parent=self)
        made: list[pulumi.Resource] = []
        if not bucket.existing:
            made.append(
                GoogleResource(
                    "gcp:storage/bucket:Bucket",
                    f"{name}-bucket",
                    {
                        "name": bucket.name,
                        "project": project,
                        "location": bucket.location.upper(),
                        "storageClass": "STANDARD",
                        "uniformBucketLevelAccess": True,
                        "publicAccessPrevention": "enforced",
                        # Folders of their own kind make lists and renames of Cloud Storage FUSE
                        # cheap; it can't be added later.
                        "hierarchicalNamespace": {"enabled": True},
                        # Weights can be fetched again, and would cost for another week.
                        "softDeletePolicy": {"retentionDurationSeconds": 0},
                        "forceDestroy": bucket.deletes_weights,
                    },
                    # Google deletes no bucket with something in it; a protected one stays.
                    pulumi.ResourceOptions(
                        parent=self, retain_on_delete=not bucket.deletes_weights
                    ),
                )
            )
        for account in manifests.google_accounts:
            made_account = GoogleResource(
                "gcp:serviceaccount/account:Account",
                f"{name}-{account.account_id}",
                {
                    "accountId": account.account_id,
                    "project": project,
                    "displayName": f"ray-llm: {account.account_id}",
                },
                only_parent,
            )
            GoogleResource(
                "gcp:serviceaccount/iAMMember:IAMMember",
                f"{name}-{account.account_id}-acts",
                {
                    "serviceAccountId": f"projects/{project}/serviceAccounts/{account.email}",
                    "role": _ACTS_AS,
                    "member": account.member,
                },
                pulumi.ResourceOptions(parent=self, depends_on=[made_account]),
            )
            GoogleResource(
                "gcp:storage/bucketIAMMember:BucketIAMMember",
                f"{name}-{account.account_id}-bucket",
                {
                    "bucket": bucket.name,
                    "role": account.role,
                    "member": f"serviceAccount:{account.email}",
                },
                pulumi.ResourceOptions(parent=self, depends_on=[*made, made_account]),
            )
        self.url = pulumi.Output.from_input(f"gs://{bucket.name}")
        self.register_outputs({"url": self.url})
