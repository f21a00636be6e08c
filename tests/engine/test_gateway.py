"""The way in on the real engine: what each exposure creates, and what an edit changes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.deployments import Deployment, shipped_config

pytestmark = pytest.mark.engine

# Long enough for a key, and easy to find where it must not be.
KEYS = {
    team: f"sk-{team}-EngineTestKeyThatMustNotLeak0123" for team in ("search", "support", "third")
}
INTERNAL: dict[str, Any] = {"exposure": "internal"}
MANAGED: dict[str, Any] = {
    "exposure": "external",
    "host": "llm.acme.example",
    "certificate": "managed",
    "securityPolicy": "allow-office",
}
OWN_TLS: dict[str, Any] = {
    "exposure": "external",
    "host": "llm.acme.example",
    "certificate": "llm-tls",
}
MAKE_TLS = "`kubectl create secret tls llm-tls --namespace ai --cert tls.crt --key tls.key`"
ADDRESS = "gcp:compute/globalAddress:GlobalAddress"
CERTIFICATES = {
    "gcp:certificatemanager/certificate:Certificate",
    "gcp:certificatemanager/certificateMap:CertificateMap",
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry",
}


def deployed(folder: Path, access: dict[str, Any] | None, *teams: str) -> Deployment:
    """The dev stack with this way in and the keys of these teams; not yet up."""
    return Deployment(folder, "dev", config(access, *teams))


def config(access: dict[str, Any] | None, *teams: str, **models: Any) -> dict[str, Any]:
    """The dev stack's; a secret stands there in plain text, which the local cloud encrypts."""
    keys = {"keys": {team: {"secure": KEYS[team]} for team in teams}} if teams else {}
    section = {} if access is None else {"ray-llm:access": {**access, **keys}}
    return {**shipped_config("dev"), **section, **models}


def first_and_canary() -> list[Any]:
    """The dev stack's models, the second as a canary of the first."""
    first, second = shipped_config("dev")["ray-llm:models"]
    return [first, {**second, "canaryOf": first["model"], "percent": 5}]


def objects(deployment: Deployment, kind: str) -> dict[str, dict[str, Any]]:
    """The Kubernetes objects of a kind, by name."""
    return {
        key.rsplit("|", 1)[1]: entry["object"]
        for key, entry in deployment.cloud.cloud_objects().items()
        if f"|{kind}|" in key
    }


def add_certificate(deployment: Deployment, *keys: str) -> None:
    """The Secret that the stack's owner makes."""
    (server,) = {
        key.partition("|")[0]
        for key in deployment.cloud.cloud_objects()
        if key.endswith("|Namespace||ai")
    }
    metadata = {"name": "llm-tls", "namespace": "ai"}
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata}
    deployment.cloud.add_object(server, {**secret, "data": dict.fromkeys(keys, "eA==")})


def of_google(deployment: Deployment, kind: str) -> list[dict[str, Any]]:
    return [resource["inputs"] for resource in deployment.state() if resource["type"] == kind]


def outputs(deployment: Deployment) -> dict[str, Any]:
    done = deployment.pulumi("stack", "output", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_stack_without_access_has_nothing_of_it(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, None)
    deployment.must_up()
    assert not any("gateway" in resource["urn"].lower() for resource in deployment.state())
    assert objects(deployment, "NetworkPolicy") == {}
    (cluster,) = of_google(deployment, "gcp:container/cluster:Cluster")
    assert "gatewayApiConfig" not in cluster
    assert "url" not in outputs(deployment)


def test_without_an_exposure_the_gateway_is_reached_from_the_cluster_alone(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, {}, "search")
    deployment.must_up()
    (service,) = [
        item for item in objects(deployment, "Service").values() if "clusterIP" not in item["spec"]
    ]
    assert service["spec"]["type"] == "ClusterIP"
    assert outputs(deployment)["url"].startswith("http://")
    assert deployment.changes() == set()


def test_an_internal_gateway_gets_googles_internal_load_balancer(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, INTERNAL, "search", "support")
    deployment.must_up()
    (service,) = [
        item
        for item in objects(deployment, "Service").values()
        if item["spec"]["type"] == "LoadBalancer"
    ]
    annotations = service["metadata"]["annotations"]
    assert annotations["networking.gke.io/load-balancer-type"] == "Internal"
    assert [port["port"] for port in service["spec"]["ports"]] == [80]
    assert deployment.changes() == set()
    found = outputs(deployment)["gateway"]
    assert "$LLM_KEY" in found["firstCurl"]
    assert found["readKey"].endswith("ray-llm:access.keys.search)")


def test_an_external_gateway_gets_its_certificate_from_google(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, MANAGED, "search")
    deployment.must_up()
    (address,) = of_google(deployment, ADDRESS)
    types = {resource["type"] for resource in deployment.state()}
    assert types >= CERTIFICATES
    (entry,) = of_google(
        deployment, "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry"
    )
    assert entry["hostname"] == "llm.acme.example"
    (gateway,) = objects(deployment, "Gateway").values()
    assert gateway["metadata"]["annotations"]["networking.gke.io/certmap"] == entry["map"]
    assert gateway["spec"]["addresses"] == [{"type": "NamedAddress", "value": address["name"]}]
    assert [item["port"] for item in gateway["spec"]["listeners"]] == [443]
    (route,) = objects(deployment, "HTTPRoute").values()
    assert route["spec"]["hostnames"] == ["llm.acme.example"]
    (policy,) = objects(deployment, "GCPBackendPolicy").values()
    assert policy["spec"]["default"]["timeoutSec"] >= 1800
    assert policy["spec"]["default"]["securityPolicy"] == "allow-office"
    (health,) = objects(deployment, "HealthCheckPolicy").values()
    names = {item["spec"]["targetRef"]["name"] for item in (policy, health)}
    assert names <= set(objects(deployment, "Service"))
    (cluster,) = of_google(deployment, "gcp:container/cluster:Cluster")
    assert cluster["gatewayApiConfig"] == {"channel": "CHANNEL_STANDARD"}
    assert outputs(deployment)["url"] == "https://llm.acme.example"
    assert outputs(deployment)["gateway"]["address"].startswith("203.0.113.")
    assert deployment.changes() == set()


def test_a_gateway_with_its_own_certificate_is_reached_by_https_alone(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, OWN_TLS, "search")
    deployment.must_up()
    (service,) = [
        item
        for item in objects(deployment, "Service").values()
        if item["spec"]["type"] == "LoadBalancer"
    ]
    assert [port["port"] for port in service["spec"]["ports"]] == [443]
    (address,) = of_google(deployment, "gcp:compute/address:Address")
    annotations = service["metadata"]["annotations"]
    assert annotations["networking.gke.io/load-balancer-ip-addresses"] == address["name"]
    assert objects(deployment, "Gateway") == {}
    assert deployment.changes() == set()


def test_the_first_up_waits_for_a_certificate_that_nobody_could_make_before(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, OWN_TLS, "search")
    previewed = deployment.preview()
    said = " ".join((previewed.stdout + previewed.stderr).split())
    assert previewed.returncode == 0, said
    assert f"Once `up` has made the namespace, make the Secret with {MAKE_TLS}" in said
    said = " ".join(deployment.must_up().split())
    assert f"Make it now, with {MAKE_TLS}; `up` waits for 30 minutes." in said


def test_a_certificate_that_is_absent_or_no_certificate_stops_the_preview(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, INTERNAL, "search")
    deployment.must_up()
    deployment.write(config(OWN_TLS, "search"))
    for keys, reason in (
        ((), "llm-tls is no Secret of the namespace ai, and no pod of the gateway starts"),
        (("tls.crt",), "llm-tls is a Secret without tls.key in the namespace ai"),
        (("tls.crt", "tls.key"), None),
    ):
        if keys:
            add_certificate(deployment, *keys)
        previewed = deployment.preview()
        said = " ".join((previewed.stdout + previewed.stderr).split())
        assert (previewed.returncode == 0) is (reason is None), said
        assert reason is None or f"ray-llm:access.certificate: {reason}" in said
        assert (MAKE_TLS in said) is (reason is not None)
        assert "Traceback" not in said
    deployment.must_up()


@pytest.mark.parametrize("access", [INTERNAL, MANAGED, OWN_TLS], ids=["internal", "managed", "own"])
def test_nothing_is_left_after_destroy(tmp_path: Path, access: dict[str, Any]) -> None:
    deployment = deployed(tmp_path, access, "search")
    deployment.must_up()
    done = deployment.pulumi("destroy", "--skip-preview")
    assert done.returncode == 0, done.stdout + done.stderr
    assert deployment.existing() == set()


def test_a_key_changes_the_secret_the_rules_and_nothing_that_restarts_a_pod(
    tmp_path: Path,
) -> None:
    deployment = deployed(tmp_path, INTERNAL, "search")
    deployment.must_up()
    deployment.write(config(INTERNAL, "search", "support"))
    previewed = deployment.preview()
    said = " ".join((previewed.stdout + previewed.stderr).split())
    assert "The key support is added" in said
    assert {(change.operation, change.type) for change in deployment.changes()} == {
        ("update", "kubernetes:core/v1:Secret"),
        ("update", "kubernetes:core/v1:ConfigMap"),
        ("update", "pulumi:index:Stash"),
    }
    deployment.must_up()
    deployment.write(config(INTERNAL, "search"))
    said = " ".join(deployment.preview().stdout.split())
    assert "The key support is removed, and requests with it get 401" in said


def test_a_gateway_that_goes_is_said_before_it_goes(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, INTERNAL, "search")
    deployment.must_up()
    without = config(INTERNAL)
    del without["ray-llm:access"]
    deployment.write(without)
    said = " ".join(deployment.preview().stdout.split())
    assert "every pod of the cluster reaches the models directly again, without a key" in said
    deployment.must_up()
    deployment.write(config(INTERNAL, "search"))
    said = " ".join(deployment.preview().stdout.split())
    assert "A gateway comes before the models." in said


def test_another_value_of_a_key_changes_the_secret_alone(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, INTERNAL, "search")
    deployment.must_up()
    other = {**INTERNAL, "keys": {"search": {"secure": KEYS["third"]}}}
    deployment.write(config(other))
    assert {change.type for change in deployment.changes()} == {"kubernetes:core/v1:Secret"}


def test_a_changed_exposure_is_said_and_keeps_the_pods(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, {"exposure": "none"}, "search")
    deployment.must_up()
    deployment.write(config(INTERNAL, "search"))
    said = " ".join(deployment.preview().stdout.split())
    assert "The gateway's exposure goes from none to internal" in said
    changed = deployment.changes()
    assert {change.type for change in changed} == {
        "kubernetes:core/v1:Service",
        "pulumi:index:Stash",
    }
    assert not [change for change in changed if change.operation == "replace"]


def test_a_model_that_is_still_a_canary_cannot_be_taken_away(tmp_path: Path) -> None:
    models = first_and_canary()
    deployment = Deployment(
        tmp_path, "dev", config(INTERNAL, "search", **{"ray-llm:models": models})
    )
    deployment.must_up()
    deployment.write(config(INTERNAL, "search", **{"ray-llm:models": models[:1]}))
    previewed = deployment.preview()
    said = " ".join((previewed.stdout + previewed.stderr).split())
    assert previewed.returncode != 0
    assert "the gateway still sends it 5 % of the requests" in said


def test_the_direct_way_closes_after_the_gateway_answers(tmp_path: Path) -> None:
    deployment = deployed(tmp_path, INTERNAL, "search")
    deployment.must_up()
    created = [
        entry["name"]
        for entry in deployment.cloud.journal()
        if entry["phase"] == "done" and entry["operation"] == "create"
    ]
    assert created.index("gateway-llm-serving-closed") > created.index("gateway-service")
    assert created.index("gateway-pods") > created.index("llm-smoke-test")
