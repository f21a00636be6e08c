"""What a stack file may say of hardening, and what is refused."""

from typing import Any

import pytest

from models.reading import Reading, read_stack
from tests.planning.small_stacks import small, values


def read(**keys: Any) -> Reading:
    return read_stack(
        "test", {**values([small()]), **{f"ray-llm:{key}": item for key, item in keys.items()}}
    )


def said(**keys: Any) -> str:
    return "\n".join(problem.sentence() for problem in read(**keys).problems)


CLUSTER = {"name": "llm", "zones": ["us-central1-a"]}


def test_a_token_by_reference_counts_as_a_token() -> None:
    settings = read(huggingFaceToken={"secretManager": "hf-token/versions/2"}).settings
    assert settings is not None
    assert settings.has_hugging_face_token
    assert settings.hugging_face_token is not None
    assert settings.hugging_face_token.secret_manager == "hf-token/versions/2"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ({}, "names neither a Secret nor a secret of Secret Manager"),
        ({"existingSecret": "a", "secretManager": "b"}, "names both"),
        ({"existingSecret": "Team_Token"}, "is not the name of a Kubernetes Secret"),
        ({"secretManager": "projects/1/secrets/a"}, "is not the name of a secret of Secret"),
        ({"secretManager": "a/versions/0"}, "is not the name of a secret of Secret"),
        ({"secret": "a"}, "is not a known key"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(token: Any, reason: str) -> None:
    assert reason in said(huggingFaceToken=token)


def test_a_token_in_place_of_its_name_is_refused_and_not_shown() -> None:
    token = "hf_" + "QfYvTz0123456789" * 2
    shown = said(huggingFaceToken={"existingSecret": token})
    assert token not in shown
    assert "in plain text" in shown


@pytest.mark.parametrize(
    "redis", ["redis", "redis:0", "redis:70000", "user:pass@redis:6379", "http://redis:6379", ""]
)
def test_an_address_that_is_none_of_redis_is_refused(redis: str) -> None:
    assert "is not the address of a Redis server" in said(
        service={"headRecovery": {"redis": redis}}
    )


@pytest.mark.parametrize("redis", ["10.0.0.3:6379", "redis.ai:6379", "rediss://redis.ai:6378"])
def test_addresses_of_redis_are_read(redis: str) -> None:
    assert said(service={"headRecovery": {"redis": redis}}) == ""


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"existing": True, "privateNodes": True}, "only for a cluster that this program creates"),
        ({"cloudNat": "existing"}, "cloudNat is only for private nodes"),
        ({"nodeServiceAccount": "nodes"}, "is not the e-mail of a Google service account"),
    ],
)
def test_node_settings_that_contradict_are_refused(keys: dict[str, Any], reason: str) -> None:
    assert reason in said(cluster={**CLUSTER, **keys})


@pytest.mark.parametrize("standard", ["baseline", "restricted"])
def test_the_two_standards_are_read(standard: str) -> None:
    settings = read(service={"podSecurity": standard}).settings
    assert settings is not None
    assert settings.service.pod_security == standard
    assert "privileged" in said(service={"podSecurity": "privileged"})


IN_SECRET_MANAGER = {"secretManager": "search-key"}


@pytest.mark.parametrize(
    "entry", [IN_SECRET_MANAGER, {"key": IN_SECRET_MANAGER, "requestsPerMinute": 60}]
)
def test_a_key_in_secret_manager_is_read_in_both_forms(entry: dict[str, Any]) -> None:
    reading = read(access={"keys": {"search": entry}})
    assert not [problem for problem in reading.problems if "access" in problem.path]
    assert reading.settings is not None
    assert reading.settings.access is not None
    key = reading.settings.access.keys["search"]
    assert key.key.secret_manager == "search-key"
    assert key.key.secure is None


def test_keys_in_two_places_are_refused() -> None:
    keys = {"search": IN_SECRET_MANAGER, "support": {"secure": "[secret]"}}
    assert "some keys in the stack file and some in Secret Manager" in said(access={"keys": keys})


def test_a_plain_key_beside_a_reference_is_still_hidden() -> None:
    keys = {"search": IN_SECRET_MANAGER, "support": "plain-key-of-support-0123456789"}
    shown = said(access={"keys": keys})
    assert "plain-key-of-support" not in shown
    assert "is in plain text" in shown
