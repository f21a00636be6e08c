"""What the provider stand-ins refuse and which changes replace, without an engine."""

from pathlib import Path
from typing import Any

import pytest

from localcloud.providers.gcp.provider import CLUSTER, NODE_POOL, GcpProvider
from localcloud.providers.kubernetes import crds, structural
from localcloud.providers.kubernetes.provider import KubernetesProvider
from localcloud.providers.server import Diff, ProviderError, Resource
from localcloud.providers.wire import UNKNOWN

PLACE = {"project": "acme", "location": "us-central1"}
ZONES = ["us-central1-a", "us-central1-c"]


@pytest.fixture
def gcp(provider_home: Path) -> GcpProvider:
    return GcpProvider()


@pytest.fixture
def kubernetes(provider_home: Path) -> KubernetesProvider:
    provider = KubernetesProvider()
    provider.configure({})
    return provider


def resource(type_: str, name: str = "r") -> Resource:
    return Resource(f"urn:pulumi:s::p::{type_}::{name}", type_, name)


def pool(**changes: Any) -> dict[str, Any]:
    return {
        **PLACE,
        "name": "l4",
        "cluster": "c",
        "nodeLocations": ZONES,
        "nodeConfig": {"machineType": "g2-standard-12"},
        **changes,
    }


def refusals(provider: Any, type_: str, inputs: dict[str, Any]) -> dict[str, str]:
    _, failures = provider.check(resource(type_), {}, inputs, b"12345678")
    return {failure.property: failure.reason for failure in failures}


def replaced(diff: Diff) -> set[str]:
    return {path for path, (_, replace) in diff.changes.items() if replace}


FLEX = {"flexStart": True, "maxRunDuration": "604800s"}
NONE = {"consumeReservationType": "NO_RESERVATION"}
TEAM = {
    "consumeReservationType": "SPECIFIC_RESERVATION",
    "key": "compute.googleapis.com/reservation-name",
    "values": ["team"],
}


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({**FLEX, "reservationAffinity": NONE}, None),
        ({**FLEX, "reservationAffinity": NONE, "spot": True}, "nodeConfig.flexStart"),
        (FLEX, "nodeConfig.reservationAffinity"),
        (
            {**FLEX, "maxRunDuration": "7d", "reservationAffinity": NONE},
            "nodeConfig.maxRunDuration",
        ),
        (
            {**FLEX, "maxRunDuration": "604801s", "reservationAffinity": NONE},
            "nodeConfig.maxRunDuration",
        ),
        ({"reservationAffinity": TEAM}, None),
        ({"reservationAffinity": TEAM, "spot": True}, "nodeConfig.reservationAffinity"),
        (
            {"reservationAffinity": {"consumeReservationType": "SPECIFIC_RESERVATION"}},
            "nodeConfig.reservationAffinity",
        ),
    ],
)
def test_ways_to_pay_that_exclude_each_other_are_refused(
    gcp: GcpProvider, config: dict[str, Any], path: str | None
) -> None:
    made = pool(
        nodeConfig={"machineType": "g2-standard-12", **config}, management={"autoRepair": False}
    )
    assert set(refusals(gcp, NODE_POOL, made)) == ({path} if path else set())


def test_flex_start_nodes_are_not_repaired(gcp: GcpProvider) -> None:
    config = {"machineType": "g2-standard-12", **FLEX, "reservationAffinity": NONE}
    assert set(refusals(gcp, NODE_POOL, pool(nodeConfig=config))) == {"management.autoRepair"}


@pytest.mark.parametrize(
    ("changes", "path", "reason"),
    [
        ({"nodeConfig": {"machineTyp": "x"}}, "nodeConfig.machineTyp", "is not expected here"),
        ({"nodeCount": "many"}, "nodeCount", "a whole number"),
        ({"nodeConfig": {"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}},
         "nodeConfig.taints[0].effect", "NO_SCHEDULE"),
        ({"autoscaling": {"locationPolicy": "SOME"}}, "autoscaling.locationPolicy", "BALANCED"),
        ({"initialNodeCount": -1}, "initialNodeCount", "at least (0)"),
        ({"autoscaling": {"maxNodeCount": 3, "totalMaxNodeCount": 3}}, "autoscaling", "exclusive"),
        ({"autoscaling": {"totalMinNodeCount": 4, "totalMaxNodeCount": 3}},
         "autoscaling.totalMinNodeCount", "above"),
        ({"initialNodeCount": 1, "nodeCount": 2}, "nodeCount", "conflicts"),
        ({"name": "a" * 41}, "name", "40 characters"),
        ({"name": "L4"}, "name", "must match"),
        ({"nodeLocations": ["us-central1-d"]}, "nodeLocations", "does not exist"),
        ({"nodeLocations": ["europe-west4-a"]}, "nodeLocations", "not in region"),
        ({"nodeConfig": {"machineType": "g9-mega-1"}}, "nodeConfig.machineType", "does not exist"),
        ({"nodeConfig": {"machineType": "a3-highgpu-2g"}}, "nodeConfig.machineType", "Spot"),
        ({"nodeConfig": {"machineType": "a2-ultragpu-2g"}, "nodeLocations": ["us-central1-b"]},
         "nodeLocations", "has no nvidia-a100-80gb"),
        ({"nodeConfig": {"machineType": "e2-standard-4",
                         "guestAccelerators": [{"type": "nvidia-l4", "count": 1}]}},
         "nodeConfig.guestAccelerators[0]", "cannot have accelerators"),
        ({"nodeConfig": {"machineType": "a3-highgpu-8g",
                         "guestAccelerators": [{"type": "nvidia-a100-80gb", "count": 8}]}},
         "nodeConfig.guestAccelerators[0]", "8 x nvidia-h100-80gb"),
        ({"nodeConfig": {"machineType": "a2-ultragpu-2g",
                         "guestAccelerators": [{"type": "nvidia-tesla-a100-80gb", "count": 2}]}},
         "nodeConfig.guestAccelerators[0].type", "does not exist"),
        ({"nodeConfig": {"labels": {"cloud.google.com/gke-nodepool": "l4"}}},
         'nodeConfig.labels["cloud.google.com/gke-nodepool"]', "managed by GKE"),
    ],
)  # fmt: skip
def test_a_node_pool_is_refused(
    gcp: GcpProvider, changes: dict[str, Any], path: str, reason: str
) -> None:
    found = refusals(gcp, NODE_POOL, pool(**changes))
    assert reason in found.get(path, f"not refused: {found}")


def test_a_right_node_pool_passes_also_with_unknowns(gcp: GcpProvider) -> None:
    assert refusals(gcp, NODE_POOL, pool()) == {}
    assert refusals(gcp, NODE_POOL, pool(cluster=UNKNOWN, nodeLocations=UNKNOWN)) == {}


def test_a_type_that_is_not_modelled_is_refused(gcp: GcpProvider) -> None:
    with pytest.raises(ProviderError, match="has no gcp:sql/databaseInstance"):
        refusals(gcp, "gcp:sql/databaseInstance:DatabaseInstance", {})


def test_a_cluster_without_nodes_or_project_is_refused(gcp: GcpProvider) -> None:
    assert set(refusals(gcp, CLUSTER, {"name": "c"})) == {
        "initialNodeCount",
        "location",
        "project",
    }


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({"nodeConfig": {"machineType": "g2-standard-12", "spot": True}}, {"nodeConfig.spot"}),
        ({"initialNodeCount": 2}, {"initialNodeCount"}),
        ({"nodeConfig": {"machineType": "g2-standard-16"}}, set()),
        ({"autoscaling": {"totalMaxNodeCount": 9}}, set()),
        ({"nodeConfig": {"machineType": "g2-standard-12", "labels": {"a": "b"}}}, set()),
    ],
)
def test_which_changes_replace_a_pool(
    gcp: GcpProvider, changes: dict[str, Any], paths: set[str]
) -> None:
    diff = gcp.diff(resource(NODE_POOL), pool(), pool(**changes))
    assert replaced(diff) == paths
    assert diff.delete_before_replace is bool(paths)


def test_an_auto_named_pool_is_created_before_its_predecessor_goes(gcp: GcpProvider) -> None:
    unnamed = {key: value for key, value in pool().items() if key != "name"}
    old, _ = gcp.check(resource(NODE_POOL), {}, unnamed, b"12345678")
    new, _ = gcp.check(resource(NODE_POOL), old, {**unnamed, "initialNodeCount": 1}, b"87654321")
    assert old["name"] == new["name"]
    assert not gcp.diff(resource(NODE_POOL), old, new).delete_before_replace


def test_a_protected_cluster_cannot_be_deleted(gcp: GcpProvider) -> None:
    with pytest.raises(ProviderError, match="deletion_protection"):
        gcp.delete(resource(CLUSTER), "projects/acme/locations/l/clusters/c", {"name": "c"})


def config_map(**changes: Any) -> dict[str, Any]:
    metadata = {"name": "m", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **changes}


CONFIG_MAP = "kubernetes:core/v1:ConfigMap"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"dta": {}}, "dta"),
        ({"data": {"a": 5}}, "data.a"),
        ({"data": {"a b": "c"}}, 'data["a b"]'),
        ({"metadata": {"name": "A"}}, "metadata.name"),
        ({"metadata": {"name": "a", "labels": {"x": "-"}}}, "metadata.labels.x"),
        ({"metadata": {"name": "a", "annotations": {"x": 1}}}, "metadata.annotations.x"),
        ({"metadata": {"name": "a", "annotations": {"pulumi.com/timeoutSeconds": "10m"}}},
         'metadata.annotations["pulumi.com/timeoutSeconds"]'),
    ],
)  # fmt: skip
def test_an_object_is_refused(
    kubernetes: KubernetesProvider, changes: dict[str, Any], path: str
) -> None:
    assert path in refusals(kubernetes, CONFIG_MAP, config_map(**changes))


def test_contents_replace_unless_the_provider_says_mutable(kubernetes: KubernetesProvider) -> None:
    old, new = config_map(data={"a": "1"}), config_map(data={"a": "2"})
    assert replaced(kubernetes.diff(resource(CONFIG_MAP), old, new)) == {"data.a"}
    kubernetes.configure({"enableConfigMapMutable": "true"})
    assert replaced(kubernetes.diff(resource(CONFIG_MAP), old, new)) == set()


def test_only_a_changed_cluster_identifier_replaces_the_provider(
    kubernetes: KubernetesProvider,
) -> None:
    def config(server: str, identifier: str) -> dict[str, Any]:
        kubeconfig = f'{{"clusters": [{{"name": "c", "cluster": {{"server": "{server}"}}}}]}}'
        return {"kubeconfig": kubeconfig, "cluster": "c", "clusterIdentifier": identifier}

    old = config("https://198.18.0.1", "a")
    moved = kubernetes.diff_config(old, config("https://198.18.0.2", "a"))
    assert moved.changes
    assert replaced(moved) == set()
    assert replaced(kubernetes.diff_config(old, config("https://198.18.0.1", "b")))


def test_what_exists_is_not_created_again(kubernetes: KubernetesProvider) -> None:
    kubernetes.create(resource(CONFIG_MAP), config_map(), preview=False)
    with pytest.raises(ProviderError, match='configmaps "m" already exists'):
        kubernetes.create(resource(CONFIG_MAP), config_map(), preview=False)


def test_a_namespace_takes_its_objects_along(kubernetes: KubernetesProvider) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ai"}}
    type_ = "kubernetes:core/v1:Namespace"
    kubernetes.create(resource(type_), namespace, preview=False)
    inside = config_map(metadata={"name": "m", "namespace": "ai"})
    kubernetes.create(resource(CONFIG_MAP), inside, preview=False)
    kubernetes.delete(resource(type_), "ai", namespace)
    assert kubernetes.read(resource(CONFIG_MAP), "ai/m", {}, inside)[0] == ""


def test_a_kind_without_crd_has_no_match(
    kubernetes: KubernetesProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localcloud.providers.kubernetes.stored_api._NO_MATCH_PAUSE_SECONDS", 0)
    obj = {"apiVersion": "ray.io/v1", "kind": "RayService", "metadata": {"name": "r"}}
    with pytest.raises(ProviderError, match='no matches for kind "RayService"'):
        kubernetes.create(resource("kubernetes:ray.io/v1:RayService"), obj, preview=False)


def test_an_object_of_a_cluster_that_is_not_there_is_unreachable(provider_home: Path) -> None:
    provider = KubernetesProvider()
    kubeconfig = '{"clusters": [{"name": "c", "cluster": {"server": "https://198.18.9.9"}}]}'
    provider.configure({"kubeconfig": kubeconfig, "cluster": "c"})
    with pytest.raises(ProviderError, match="unreachable"):
        provider.create(resource(CONFIG_MAP), config_map(), preview=False)


def test_a_url_that_is_not_kuberays_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="does not download"):
        crds.documents_at("https://example.com/crd.yaml", tmp_path)


@pytest.mark.engine
def test_a_ray_service_is_checked_against_kuberays_schema(tmp_path: Path) -> None:
    definitions = {d["spec"]["names"]["kind"]: d for d in crds.kuberay_crds(tmp_path)}
    versions = definitions["RayService"]["spec"]["versions"]
    schema = next(v for v in versions if v["name"] == "v1")["schema"]["openAPIV3Schema"]
    container: dict[str, Any] = {
        "name": "head",
        "resources": {"limits": {"cpu": 2, "memory": "8Gi"}},
    }
    head: dict[str, Any] = {"rayStartParams": {}, "template": {"spec": {"containers": [container]}}}
    service: dict[str, Any] = {
        "spec": {"serveConfigV2": UNKNOWN, "rayClusterConfig": {"headGroupSpec": head}}
    }
    assert list(structural.problems(service, schema)) == []
    container["imge"] = "x"
    container["resources"]["limits"]["memory"] = "8 GB"
    head["rayStartParams"] = {"num-cpus": 0}
    service["spec"]["suspnd"] = True
    at = "spec.rayClusterConfig.headGroupSpec"
    inside = f"{at}.template.spec.containers[0]"
    assert {path for path, _ in structural.problems(service, schema)} == {
        "spec.suspnd",
        f"{at}.rayStartParams.num-cpus",
        f"{inside}.imge",
        f"{inside}.resources.limits.memory",
    }


def test_an_object_may_have_unknown_parts_at_preview(kubernetes: KubernetesProvider) -> None:
    metadata = {"name": "m", "labels": UNKNOWN, "annotations": UNKNOWN}
    inputs = config_map(metadata=metadata, data=UNKNOWN)
    assert refusals(kubernetes, CONFIG_MAP, inputs) == {}
    assert kubernetes.diff(resource(CONFIG_MAP), config_map(), inputs).changes
    release = {"chart": UNKNOWN, "repositoryOpts": UNKNOWN, "values": UNKNOWN}
    assert refusals(kubernetes, "kubernetes:helm.sh/v3:Release", release) == {}
