"""The keys that are kept in Secret Manager: the file is a template, and holds none of them."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from manifests import service_manifests
from manifests.gateway.external_keys import external_keys
from manifests.gateway.keys import keys_file
from manifests.gateway.places import KEYS_FILE
from planning import Plan
from tests.manifests.gateway.stacks import gateway_plan, key

TEAMS = {"search": "search-key", "team-b": "b-key/versions/4"}
KEY = {"search": "s" * 32, "team-b": "b" * 32}


def plan_with(places: dict[str, str | None]) -> Plan:
    keys = (replace(key(team), secret_manager=place) for team, place in places.items())
    return gateway_plan(*keys)


def ordered(places: dict[str, str | None]) -> dict[str, Any] | None:
    made = plan_with(places)
    assert made.access is not None
    return external_keys(made, made.access, "gateway-keys")


def test_filled_in_the_template_is_the_file_of_the_keys() -> None:
    manifest = ordered(dict(TEAMS))
    assert manifest is not None
    names = {item["secretKey"]: item["remoteRef"] for item in manifest["spec"]["data"]}
    assert names == {
        "k0": {"key": "search-key", "version": "latest"},
        "k1": {"key": "b-key", "version": "4"},
    }
    template = manifest["spec"]["target"]["template"]["data"][KEYS_FILE]
    values = dict(zip(names, KEY.values(), strict=True))
    checks = r"\{\{ if not .*?\{\{ end \}\}"
    filled = re.sub(
        r"\{\{ trim \.(\w+) \}\}", lambda match: values[match[1]], re.sub(checks, "", template)
    )
    access = plan_with(dict(TEAMS)).access
    assert access is not None
    assert json.loads(filled) == json.loads(keys_file(access, KEY))


@pytest.mark.parametrize(
    "key", ["short", "x" * 23, 'quote"' + "x" * 30, "back\\" + "x" * 30, " " * 30]
)
def test_the_template_fails_for_what_is_no_key(key: str) -> None:
    manifest = ordered(dict(TEAMS))
    assert manifest is not None
    template = manifest["spec"]["target"]["template"]["data"][KEYS_FILE]
    [pattern] = set(re.findall(r"regexMatch `(.*?)`", template))
    assert not re.search(pattern, key)
    assert re.search(pattern, "sk-" + "aB9_" * 8)


def test_keys_of_the_stack_file_order_nothing() -> None:
    assert ordered(dict.fromkeys(TEAMS)) is None
    assert service_manifests(plan_with(dict.fromkeys(TEAMS))).external_secrets == ()


def test_the_store_of_secrets_is_there_before_the_gateway_s_order() -> None:
    kinds = [item["kind"] for item in service_manifests(plan_with(dict(TEAMS))).external_secrets]
    assert kinds == ["ServiceAccount", "SecretStore"]
