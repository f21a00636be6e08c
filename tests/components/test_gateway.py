"""The gateway: its children, its secret keys, and the order in which the direct way closes."""

from dataclasses import replace
from typing import Any

import pulumi
import pytest

from components import Gateway, GatewayArgs
from manifests import AccessManifests, access_manifests
from models.access import AccessSettings, Exposure, KeySettings
from planning import Plan
from tests.components.programs import Record, plan_of

KEY = "sk-component-test-key-0123456789"


def access_of(plan: Plan) -> AccessManifests:
    found = access_manifests(plan)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def way_in() -> AccessManifests:
    settings = AccessSettings(exposure=Exposure.INTERNAL, keys={"search": KeySettings()})
    return access_of(plan_of(access=settings))


def gateway_of(manifests: AccessManifests, **changes: Any) -> Gateway:
    values: dict[str, Any] = {"manifests": manifests, "keys": {"search": KEY}, **changes}
    return Gateway("gateway", GatewayArgs(**values))


def test_a_key_is_a_secret_even_if_its_caller_forgot_it(
    record: Record, way_in: AccessManifests
) -> None:
    found = record(lambda: gateway_of(way_in)).one("core/v1:Secret")
    [(_, text)] = found.inputs["stringData"].items()
    assert f"Bearer {KEY}" in text
    assert '"value"' in found.raw  # the mark of a secret
    assert set(found.additional_secret_outputs) == {"data", "stringData"}


def test_everything_belongs_to_the_component(record: Record, way_in: AccessManifests) -> None:
    found = record(lambda: gateway_of(way_in)).registrations
    (component,) = [item for item in found if item.type == "ray-llm:index:Gateway"]
    assert all(item.parent == component.urn for item in found if item is not component)


def test_no_value_of_a_key_is_in_the_record_or_the_files(
    record: Record, way_in: AccessManifests
) -> None:
    recording = record(lambda: gateway_of(way_in))
    holders = [item.type for item in recording.registrations if KEY in item.raw]
    assert holders == ["kubernetes:core/v1:Secret"]


def test_the_policy_waits_for_the_service(record: Record, way_in: AccessManifests) -> None:
    recording = record(lambda: gateway_of(way_in))
    policy, service = recording.one("NetworkPolicy"), recording.named("gateway-service")
    assert service.urn in policy.dependencies
    assert recording.one("apps/v1:Deployment").urn in service.dependencies


def test_files_and_pods_wait_for_the_models(record: Record, way_in: AccessManifests) -> None:
    def program() -> Gateway:
        return gateway_of(way_in, after=[pulumi.Stash("before", input={})])

    recording = record(program)
    before = recording.named("before").urn
    assert before in recording.named("gateway-routes").dependencies


def test_a_missing_key_is_named(record: Record, way_in: AccessManifests) -> None:
    with pytest.raises(ValueError, match="no key is given for search"):
        record(lambda: gateway_of(way_in, keys={}))


def test_another_host_gets_its_certificate_before_the_old_one_goes() -> None:
    settings = AccessSettings(
        exposure=Exposure.EXTERNAL,
        host="llm.acme.example",
        certificate="managed",
        keys={"search": KeySettings()},
    )
    names = [
        access_of(plan_of(access=settings.model_copy(update={"host": host}))).exposure.certificate
        for host in ("llm.acme.example", "models.acme.example")
    ]
    first, second = names
    assert first is not None
    assert second is not None
    assert first.certificate != second.certificate
    assert first.entry != second.entry
    assert replace(first, host="", certificate="", entry="") == replace(
        second, host="", certificate="", entry=""
    )
