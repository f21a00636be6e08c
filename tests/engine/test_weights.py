"""A bucket of weights on the real engine: what is created, in which order, and what edits do.

The stand-in for Google only records buckets and roles, and no pod mounts anything here.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.engine.deployments import Deployment, shipped_config
from tests.engine.test_gateway import objects, of_google

pytestmark = pytest.mark.engine

BUCKET = "gcp:storage/bucket:Bucket"
ROLE = "gcp:storage/bucketIAMMember:BucketIAMMember"
ACCOUNT = "gcp:serviceaccount/account:Account"
ACTS_AS = "gcp:serviceaccount/iAMMember:IAMMember"
MODEL = "qwen2.5-0.5b-instruct"


def with_weights(weights: Any, **keys: Any) -> dict[str, Any]:
    sections = {f"ray-llm:{key}": value for key, value in keys.items()}
    return {**shipped_config("dev"), "ray-llm:weights": weights, **sections}


def filling_jobs(deployment: Deployment) -> dict[str, Any]:
    found = objects(deployment, "Job")
    return {name: job for name, job in found.items() if name.startswith("weights-filler-")}


def test_a_stack_with_a_bucket_reads_weights_from_it(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, "dev", with_weights("gs://acme-weights/llms"))
    deployment.must_up()
    (bucket,) = of_google(deployment, BUCKET)
    assert (bucket["name"], bucket["location"]) == ("acme-weights", "US-CENTRAL1")
    assert bucket["publicAccessPrevention"] == "enforced"
    roles = {
        (role["role"], role["member"].partition("-")[0]) for role in of_google(deployment, ROLE)
    }
    assert roles == {
        ("roles/storage.objectViewer", "serviceAccount:weights"),
        ("roles/storage.objectUser", "serviceAccount:weights"),
    }
    assert {member["member"] for member in of_google(deployment, ACTS_AS)} == {
        "serviceAccount:acme-ml-dev.svc.id.goog[ai/weights-reader]",
        "serviceAccount:acme-ml-dev.svc.id.goog[ai/weights-filler]",
    }
    accounts = objects(deployment, "ServiceAccount")
    emails = {
        accounts[name]["metadata"]["annotations"]["iam.gke.io/gcp-service-account"]
        for name in ("weights-reader", "weights-filler")
    }
    assert {email.partition("@")[0] for email in emails} == {
        account["accountId"] for account in of_google(deployment, ACCOUNT)
    }
    (service,) = objects(deployment, "RayService").values()
    text = service["spec"]["serveConfigV2"]
    assert "model_source: /weights/Qwen/Qwen2.5-0.5B-Instruct/main" in text
    groups = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    reading = [group["template"]["spec"].get("serviceAccountName") for group in groups]
    assert reading == [None, *["weights-reader"] * (len(groups) - 1)]
    (job,) = filling_jobs(deployment).values()
    [container] = job["spec"]["template"]["spec"]["containers"]
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert '"source": "Qwen/Qwen2.5-1.5B-Instruct"' in environment["REPOSITORIES"]
    assert deployment.changes() == set()


def test_a_model_that_is_added_is_fetched_before_the_service_changes(tmp_path: Path) -> None:
    one = with_weights("gs://acme-weights", models=[MODEL])
    deployment = Deployment(tmp_path, "dev", one)
    deployment.must_up()
    (before,) = filling_jobs(deployment)
    deployment.write(with_weights("gs://acme-weights", models=[MODEL, "qwen2.5-1.5b-instruct"]))
    deployment.must_up()
    (after,) = filling_jobs(deployment)
    assert before != after
    job, service = (
        next(item for item in deployment.state() if item["urn"].endswith(f"::llm-{name}"))
        for name in ("fill-weights", "ray-service")
    )
    assert job["urn"] in service["dependencies"]
    # An edit that changes no repository fetches nothing.
    models = [MODEL, {"model": "qwen2.5-1.5b-instruct", "contextLength": 2048}]
    deployment.write(with_weights("gs://acme-weights", models=models))
    deployment.must_up()
    assert set(filling_jobs(deployment)) == {after}


def test_a_bucket_that_is_there_is_only_opened(tmp_path: Path) -> None:
    weights = {"bucket": "gs://acme-weights", "existing": True, "location": "us-central1"}
    deployment = Deployment(tmp_path, "dev", with_weights(weights))
    deployment.must_up()
    assert of_google(deployment, BUCKET) == []
    assert len(of_google(deployment, ROLE)) == 2


def test_the_way_back_to_the_hub_leaves_nothing_behind(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, "dev", shipped_config("dev"))
    deployment.must_up()
    before = {resource["urn"] for resource in deployment.state()}
    deployment.write(with_weights("gs://acme-weights"))
    deployment.must_up()
    deployment.write(with_weights("hub"))
    deployment.must_up()
    assert {resource["urn"] for resource in deployment.state()} == before
    assert not any("acme-weights" in found for found in deployment.existing())


def test_a_protected_bucket_stays_and_can_be_taken_again(tmp_path: Path) -> None:
    cluster = {**shipped_config("dev")["ray-llm:cluster"], "deletionProtection": True}
    deployment = Deployment(tmp_path, "dev", with_weights("gs://acme-weights", cluster=cluster))
    deployment.must_up()
    deployment.write(with_weights("hub", cluster=cluster))
    deployment.must_up()
    made = "projects/acme-ml-dev/buckets/acme-weights"
    assert made in deployment.existing()
    kinds = (BUCKET, ROLE, ACCOUNT)
    assert not any(of_google(deployment, kind) for kind in kinds)
    again = {"bucket": "gs://acme-weights", "existing": True, "location": "us-central1"}
    deployment.write(with_weights(again, cluster=cluster))
    deployment.must_up()
    assert of_google(deployment, BUCKET) == []
    assert len(of_google(deployment, ROLE)) == 2


def test_a_disk_is_mounted_as_it_is(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, "dev", with_weights({"disk": "llm-weights"}))
    deployment.must_up()
    assert of_google(deployment, BUCKET) == of_google(deployment, ACCOUNT) == []
    assert filling_jobs(deployment) == {}
    (service,) = objects(deployment, "RayService").values()
    [_, group] = service["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    spec = group["template"]["spec"]
    claim = {"claimName": "llm-weights", "readOnly": True}
    assert {"name": "weights", "persistentVolumeClaim": claim} in spec["volumes"]
    assert "annotations" not in group["template"].get("metadata", {})
    assert "serviceAccountName" not in spec
