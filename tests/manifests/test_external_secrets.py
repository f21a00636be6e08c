"""The token that is kept elsewhere."""

from dataclasses import replace
from typing import Any

import pytest

from manifests import service_manifests
from models.token_reference import TokenReference
from planning import Plan
from tests.manifests.kuberay_hash import hashed
from tests.manifests.plans import plan
from tests.manifests.written import ray_service


def with_token(**where: Any) -> Plan:
    return replace(plan(), hugging_face_token=TokenReference(**where))


def mounted(made: Plan) -> set[str]:
    groups = ray_service(made)["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    return {
        volume["secret"]["secretName"]
        for group in groups
        for volume in group["template"]["spec"].get("volumes", [])
    }


@pytest.mark.parametrize(
    ("name", "version"), [("hf-token", "latest"), ("hf-token/versions/3", "3")]
)
def test_a_token_of_secret_manager_becomes_the_usual_secret(name: str, version: str) -> None:
    made = service_manifests(with_token(secret_manager=name))
    assert [item["kind"] for item in made.external_secrets] == [
        "ServiceAccount",
        "SecretStore",
        "ExternalSecret",
    ]
    account, store, token = made.external_secrets
    gcp = store["spec"]["provider"]["gcpsm"]
    assert gcp["projectID"] == "acme-ml"
    reader = gcp["auth"]["workloadIdentity"]["serviceAccountRef"]["name"]
    assert reader == account["metadata"]["name"]
    assert token["spec"]["secretStoreRef"]["name"] == store["metadata"]["name"]
    assert token["spec"]["target"]["name"] == "huggingface-secret"
    assert token["spec"]["data"] == [
        {"secretKey": "token", "remoteRef": {"key": "hf-token", "version": version}}
    ]
    assert not made.needs_hugging_face_token


def test_a_token_of_secret_manager_changes_no_pod() -> None:
    before, after = (
        hashed(ray_service(made)["spec"]["rayClusterConfig"])
        for made in (plan(), with_token(secret_manager="hf-token"))
    )
    assert before == after


def test_a_secret_that_exists_is_mounted_and_nothing_is_made() -> None:
    made = with_token(existing_secret="team-token")
    assert mounted(made) == {"team-token"}
    assert mounted(plan()) == {"huggingface-secret"}
    assert service_manifests(made).external_secrets == ()
    assert not service_manifests(made).needs_hugging_face_token
