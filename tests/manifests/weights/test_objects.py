"""What mounts, fills and opens a bucket, by the rules of GKE and of the Pod Security Standards."""

import json
from dataclasses import replace
from typing import Any

from manifests import service_manifests
from manifests.weights.fill_job import fill_deadline_seconds
from planning import BucketPlan, Plan, StoredModel, WeightsPlan
from tests.manifests.plans import model, plan, pool

STORED = StoredModel(
    source="Qwen/Qwen2.5-7B-Instruct",
    revision="main",
    folder="Qwen/Qwen2.5-7B-Instruct/main",
    size_bytes=15 * 10**9,
)


def in_bucket(**changes: Any) -> Plan:
    values = {"name": "acme-weights", "folder": "", "location": "us-central1", "existing": False}
    bucket = BucketPlan(**{**values, **changes})
    read = model(weights_path=f"/weights/{STORED.folder}")
    return plan(
        (read,), (pool("l4"), pool("t4")), weights=WeightsPlan(bucket=bucket, models=(STORED,))
    )


def groups(of: Plan) -> list[dict[str, Any]]:
    """The worker groups: routers, then one for each pool."""
    found: list[dict[str, Any]] = service_manifests(of).ray_service["spec"]["rayClusterConfig"][
        "workerGroupSpecs"
    ]
    return found


def job(of: Plan) -> dict[str, Any]:
    weights = service_manifests(of).weights
    assert weights is not None
    assert weights.job is not None
    return weights.job


def test_every_gpu_worker_mounts_the_bucket_read_only_and_no_other_pod_does() -> None:
    routers, *gpu = groups(in_bucket(folder="llms"))
    assert "metadata" not in routers["template"]
    assert len(gpu) == 2
    for group in gpu:
        annotations = group["template"]["metadata"]["annotations"]
        assert annotations["gke-gcsfuse/volumes"] == "true"
        assert (
            annotations["gke-gcsfuse/cpu-request"],
            annotations["gke-gcsfuse/memory-request"],
        ) == (
            "250m",
            "512Mi",
        )
        spec = group["template"]["spec"]
        [volume] = [item for item in spec["volumes"] if "csi" in item]
        assert volume["csi"]["driver"] == "gcsfuse.csi.storage.gke.io"
        assert volume["csi"]["readOnly"] is True
        attributes = volume["csi"]["volumeAttributes"]
        assert attributes["bucketName"] == "acme-weights"
        options = attributes["mountOptions"].split(",")
        assert "only-dir:llms" in options
        assert "implicit-dirs" in options
        assert not any(" " in option for option in options)
        [container] = spec["containers"]
        assert {"name": volume["name"], "mountPath": "/weights", "readOnly": True} in container[
            "volumeMounts"
        ]


def test_the_ray_cluster_depends_on_the_bucket_and_not_on_what_is_in_it() -> None:
    one = in_bucket()
    assert one.weights is not None
    other = replace(one, weights=replace(one.weights, models=()))
    assert groups(one) == groups(other)
    assert groups(one) != groups(in_bucket(name="acme-other"))


def test_the_job_keeps_to_the_restricted_standard_and_reads_the_token_as_a_file() -> None:
    spec = job(in_bucket())["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    [container] = spec["containers"]
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    names = {volume["name"] for volume in spec["volumes"]}
    assert names == {mount["name"] for mount in container["volumeMounts"]}
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert environment["TOKEN_FILE"] == "/var/run/secrets/huggingface/token"
    assert not any("HF_TOKEN" in name for name in environment)
    assert environment["HF_HOME"].startswith(environment["STAGING"])
    [volume] = [item for item in spec["volumes"] if "csi" in item]
    assert volume["csi"]["readOnly"] is False
    assert "uid=1000" in volume["csi"]["volumeAttributes"]["mountOptions"]


def test_a_failed_pod_ends_the_job_and_a_lost_node_does_not_count() -> None:
    """By the limit, not by a rule: Pulumi's provider knows no other end but the deadline."""
    spec = job(in_bucket())["spec"]
    assert spec["backoffLimit"] == 0
    [disrupted] = spec["podFailurePolicy"]["rules"]
    assert disrupted == {
        "action": "Ignore",
        "onPodConditions": [{"type": "DisruptionTarget"}],
    }


def test_the_jobs_name_follows_what_has_to_lie_in_the_bucket() -> None:
    one = in_bucket()
    assert one.weights is not None
    more = replace(STORED, source="acme/other", folder="acme/other/main")
    other = replace(one, weights=replace(one.weights, models=(STORED, more)))
    sized = replace(one, weights=replace(one.weights, models=(replace(STORED, size_bytes=1),)))
    names = [job(of)["metadata"]["name"] for of in (one, other, sized, in_bucket(folder="llms"))]
    assert names[0] == names[2]
    assert len(set(names)) == 3


def test_large_weights_have_more_time() -> None:
    def seconds(size: int | None) -> int:
        return fill_deadline_seconds(
            WeightsPlan(claim="w", models=(replace(STORED, size_bytes=size),))
        )

    assert seconds(10**9) < seconds(140 * 10**9) < seconds(None)
    assert seconds(140 * 10**9) > 140 * 10**9 / 30e6


def test_each_account_may_do_one_thing_with_one_bucket() -> None:
    weights = service_manifests(in_bucket()).weights
    assert weights is not None
    roles = {account.account_id.rpartition("-")[0]: account for account in weights.google_accounts}
    assert {name: account.role for name, account in roles.items()} == {
        "weights-reader": "roles/storage.objectViewer",
        "weights-filler": "roles/storage.objectUser",
    }
    for account in weights.google_accounts:
        assert 6 <= len(account.account_id) <= 30  # Google's limits
    annotated = {
        item["metadata"]["name"]: item["metadata"]["annotations"]
        for item in weights.service_accounts
    }
    for name, account in roles.items():
        assert annotated[name] == {"iam.gke.io/gcp-service-account": account.email}
        assert account.member == f"serviceAccount:acme-ml.svc.id.goog[ai/{name}]"


def test_two_services_of_a_project_have_accounts_of_their_own() -> None:
    one = in_bucket()
    other = replace(one, service=replace(one.service, namespace="other"))
    emails = [
        {account.email for account in found.google_accounts}
        for found in (service_manifests(one).weights, service_manifests(other).weights)
        if found is not None
    ]
    assert not emails[0] & emails[1]


def test_without_a_bucket_nothing_of_it_is_written() -> None:
    plain = plan()
    made = service_manifests(plain)
    assert made.weights is None
    assert "weights" not in json.dumps(made.ray_service)
