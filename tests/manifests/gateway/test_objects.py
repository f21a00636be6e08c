"""The Kubernetes objects of the gateway."""

from dataclasses import replace

import pytest

from manifests import GatewayManifests, gateway_manifests, keys_file
from planning import Plan
from tests.manifests.gateway.stacks import gateway_plan, key
from tests.manifests.plans import model, plan


def written(made: Plan) -> GatewayManifests:
    manifests = gateway_manifests(made)
    assert manifests is not None
    return manifests


def test_a_stack_without_access_has_no_gateway() -> None:
    assert gateway_manifests(plan()) is None


def test_an_edit_of_models_and_keys_starts_no_pod_anew() -> None:
    before = written(gateway_plan(key("search")))
    after = written(
        gateway_plan(key("search"), key("support", "a", per_minute=5), models=(model("a"),))
    )
    assert after.watched != before.watched
    assert after.start == before.start
    assert after.deployment == before.deployment


def test_another_start_file_starts_new_pods() -> None:
    before, after = (written(gateway_plan(max_body_mib=size)) for size in (8, 16))
    assert after.start != before.start
    assert after.deployment["spec"]["template"] != before.deployment["spec"]["template"]


def test_no_manifest_holds_the_value_of_a_key() -> None:
    made = gateway_plan(key("search"))
    assert made.access is not None
    secret = "sk-0123456789abcdef0123456789"
    assert secret in keys_file(made.access, {"search": secret})
    assert "stringData" not in written(made).keys
    assert "data" not in written(made).keys


def test_a_key_without_a_value_is_an_error() -> None:
    made = gateway_plan(key("search"))
    assert made.access is not None
    with pytest.raises(KeyError):
        keys_file(made.access, {})


def test_the_files_are_mounted_as_folders_so_that_their_changes_arrive() -> None:
    spec = written(gateway_plan(key("search"))).deployment["spec"]["template"]["spec"]
    [container] = spec["containers"]
    assert not any("subPath" in mount for mount in container["volumeMounts"])
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in spec["volumes"]
    }


def test_unknown_fields_of_watched_files_are_refused() -> None:
    made = written(gateway_plan(key("search")))
    [container] = made.deployment["spec"]["template"]["spec"]["containers"]
    assert "--reject-unknown-dynamic-fields" in container["args"]


def test_pods_satisfy_the_restricted_level_of_pod_security() -> None:
    spec = written(gateway_plan(key("search"))).deployment["spec"]["template"]["spec"]
    [container] = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert spec["automountServiceAccountToken"] is False
    assert {next(iter(volume.keys() - {"name"})) for volume in spec["volumes"]} <= {
        "configMap",
        "secret",
    }


def test_a_pod_may_drain_as_long_as_a_request_may_last() -> None:
    made = gateway_plan(key("search"))
    spec = written(made).deployment["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] > made.service.request_timeout_seconds


def test_services_and_the_budget_select_the_pods() -> None:
    made = written(gateway_plan(key("search")))
    labels = made.deployment["spec"]["template"]["metadata"]["labels"]
    assert made.service["spec"]["selector"] == labels
    assert made.peers["spec"]["selector"] == labels
    assert made.disruption_budget["spec"]["selector"]["matchLabels"] == labels
    assert made.pod_labels == labels


def test_a_certificate_of_a_secret_is_mounted_and_the_service_speaks_https() -> None:
    made = written(gateway_plan(key("search"), certificate="llm-tls"))
    spec = made.deployment["spec"]["template"]["spec"]
    assert [v["secret"]["secretName"] for v in spec["volumes"] if v["name"] == "certificate"] == [
        "llm-tls"
    ]
    assert [port["port"] for port in made.service["spec"]["ports"]] == [443]
    [container] = spec["containers"]
    assert container["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"


def test_a_managed_certificate_is_not_the_pods_affair() -> None:
    made = written(gateway_plan(key("search"), certificate="managed"))
    assert made.deployment == written(gateway_plan(key("search"))).deployment
    assert [port["port"] for port in made.service["spec"]["ports"]] == [80]


def test_pods_run_on_the_cpu_pool() -> None:
    made = gateway_plan(key("search"))
    spec = written(made).deployment["spec"]["template"]["spec"]
    assert spec["nodeSelector"] == {"cloud.google.com/gke-nodepool": "app-pool"}
    pool = replace(made.cluster.cpu_pool, name="")
    anywhere = replace(made, cluster=replace(made.cluster, cpu_pool=pool))
    assert "nodeSelector" not in written(anywhere).deployment["spec"]["template"]["spec"]
