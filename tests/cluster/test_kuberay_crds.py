"""KubeRay's CRDs under a running service: moved, upgraded, refused, kept and deleted.

The API server, its field managers and garbage collector, KubeRay and Pulumi's Kubernetes provider
are real. The chart is a stand-in, so the operator that runs is 1.6.2 whatever the stack says.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.cluster_access import ClusterAccess
from components.custom_resource_definitions import (
    FIELD_MANAGER,
    VERSION_ANNOTATION,
    Definitions,
)
from components.definition_files import DefinitionError, read_definition
from localcloud.cluster.kubernetes_api import Object
from localcloud.providers.kubernetes.crds import text_at
from localcloud.testing.running_cluster import DEFINITIONS, eventually
from tests.cluster.deployed import RAY_SERVICE, ClusterDeployment, kill_engine
from tests.cluster.releases import VERSIONS
from tests.cluster.running import Cluster
from tests.cluster.stacks import small_stack
from tests.cluster.stage import Stage
from tests.engine.deployments import CHECKOUT, EARLIER_LAYOUT

pytestmark = pytest.mark.cluster

PLURALS = ("rayclusters", "raycronjobs", "rayjobs", "rayservices")
NAME = "rayservices.ray.io"


def crds(cluster: Cluster) -> dict[str, Object]:
    return {item["metadata"]["name"]: item for item in cluster.kuberay_definitions()}


def uids(cluster: Cluster) -> dict[str, str]:
    """What a deletion, however short, would change."""
    objects = {**crds(cluster), "service": cluster.get(RAY_SERVICE)}
    return {name: item["metadata"]["uid"] for name, item in objects.items()}


def versions(cluster: Cluster) -> set[str | None]:
    return {
        crd["metadata"].get("annotations", {}).get(VERSION_ANNOTATION)
        for crd in crds(cluster).values()
    }


def managers_of_spec(crd: Object) -> list[str]:
    return [
        entry["manager"]
        for entry in crd["metadata"]["managedFields"]
        if "f:spec" in entry["fieldsV1"]
    ]


@pytest.fixture(scope="module")
def earlier(
    stage: Stage, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterDeployment]:
    """The small service, deployed by a program whose CRDs are resources, with KubeRay 1.4.2."""
    stage.clear()
    for plural in PLURALS:
        cluster.delete(f"{DEFINITIONS}/{plural}.ray.io")
    config = small_stack() | {"ray-llm:kubeRay": {"install": "helm"}}
    config[VERSIONS] = {**config[VERSIONS], "kuberay": "1.4.2"}
    folder = tmp_path_factory.mktemp("earlier")
    deployment = ClusterDeployment(folder, "small", config, cluster)
    deployment.run_program(EARLIER_LAYOUT)
    deployment.must_up()
    yield deployment
    if deployment.state():
        deployment.destroy()
    cluster.install_kuberay()


def test_a_killed_move_deletes_nothing_and_the_next_up_ends_it(
    earlier: ClusterDeployment, cluster: Cluster
) -> None:
    before = uids(cluster)
    assert set(before) == {f"{plural}.ray.io" for plural in PLURALS if plural != "raycronjobs"} | {
        "service"
    }
    earlier.run_program(CHECKOUT)
    process = earlier.start_up()
    eventually(lambda: "1.4.2" in versions(cluster), "a CRD has moved", seconds=120)
    assert kill_engine(process)
    assert uids(cluster) == before
    assert earlier.pulumi("cancel").returncode == 0
    earlier.must_up()
    earlier.settled()
    assert uids(cluster) == before
    assert versions(cluster) == {"1.4.2"}
    for crd in crds(cluster).values():
        assert managers_of_spec(crd) == [FIELD_MANAGER]
    earlier.assert_answers("steady", "other")


def test_a_new_version_upgrades_the_crds_under_the_service(
    earlier: ClusterDeployment, cluster: Cluster
) -> None:
    before = uids(cluster)
    old = crds(cluster)["rayjobs.ray.io"]
    earlier.write(small_stack() | {"ray-llm:kubeRay": {"install": "helm"}})
    preview = earlier.preview()
    assert "rayservices.ray.io: becomes that of KubeRay 1.6.2, 124 fields more" in preview.stdout
    assert versions(cluster) == {"1.4.2"}, "a preview changes nothing"
    earlier.must_up()
    earlier.settled()
    after = uids(cluster)
    assert after.pop("raycronjobs.ray.io")
    assert after == before
    assert versions(cluster) == {"1.6.2"}
    # What the old version had and the new one lacks is gone, though another program wrote it first.
    new = crds(cluster)["rayjobs.ray.io"]
    assert "deletionPolicy" in _spec_fields(old)
    assert "deletionPolicy" not in _spec_fields(new)
    earlier.assert_answers("steady", "other")


def _spec_fields(crd: Object) -> set[str]:
    schema = next(v["schema"] for v in crd["spec"]["versions"] if v["name"] == "v1")
    return set(schema["openAPIV3Schema"]["properties"]["spec"]["properties"])


def test_crds_go_with_the_stack_that_says_so_and_not_before(
    earlier: ClusterDeployment, cluster: Cluster
) -> None:
    earlier.write(small_stack() | {"ray-llm:kubeRay": {"install": "helm", "keepCrds": False}})
    before = uids(cluster)
    earlier.must_up()
    earlier.settled()
    assert uids(cluster) == before
    earlier.assert_answers("steady", "other")
    earlier.destroy()
    # Kubernetes' garbage collector is in no hurry.
    eventually(lambda: not crds(cluster), "no CRD is left", seconds=180)
    earlier.assert_nothing_left()


@pytest.fixture
def definition(cluster: Cluster) -> Iterator[Mapping[str, Any]]:
    """The CRD of rayservices of 1.6.2, which no stack has applied in this cluster."""
    cluster.install_kuberay()
    yield _definition("1.6.2")
    cluster.apply(crds_of_the_module())


def _definition(version: str) -> dict[str, Any]:
    from components.kuberay_crds import CRD_SOURCE, crd_location

    url = crd_location(NAME, CRD_SOURCE, version)
    content = yaml.load(text_at(url, CHECKOUT / ".localcloud" / "cache"), yaml.CSafeLoader)
    assert isinstance(content, dict)
    return content


def crds_of_the_module() -> Object:
    return _definition("1.6.2")


def access(cluster: Cluster) -> ClusterAccess:
    return ClusterAccess(kubeconfig=cluster.state.kubeconfig)


def test_a_crd_of_a_newer_operator_is_refused(definition: dict[str, Any], cluster: Cluster) -> None:
    spec = definition["spec"]["versions"]
    newer = json.loads(json.dumps(definition))
    for version in newer["spec"]["versions"]:
        fields = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        fields["suspend"] = {"type": "boolean"}
    assert spec != newer["spec"]["versions"]
    cluster.apply(newer)
    for dry_run in (True, False):
        with pytest.raises(DefinitionError, match=r"of a newer KubeRay.*spec\.suspend"):
            Definitions(access(cluster)).apply(
                definition, "1.6.2", applied_before=None, owner=None, dry_run=dry_run
            )
    assert "suspend" in _spec_fields(crds(cluster)[NAME])


def test_who_may_not_write_crds_is_told_at_the_preview(
    definition: dict[str, Any], cluster: Cluster, tmp_path: Path
) -> None:
    account = {"name": "nobody", "namespace": "default"}
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    path = "/api/v1/namespaces/default/serviceaccounts/nobody/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    answer = cluster.api(lambda api: api.request("POST", path, request))
    kubeconfig = yaml.safe_load(Path(cluster.state.kubeconfig).read_text())
    kubeconfig["users"][0]["user"] = {"token": answer["status"]["token"]}
    text = json.dumps(kubeconfig)
    with pytest.raises(DefinitionError, match=r"you may not read the CRD .*ClusterRole") as error:
        Definitions(ClusterAccess(kubeconfig=text)).apply(
            definition, "1.6.2", applied_before=None, owner=None, dry_run=True
        )
    assert answer["status"]["token"] not in str(error.value)


def test_a_file_that_is_no_crd_of_kuberay_is_refused_by_the_server(
    definition: dict[str, Any], cluster: Cluster, tmp_path: Path
) -> None:
    broken = tmp_path / "ray.io_rayservices.yaml"
    definition["spec"]["scope"] = "Everywhere"
    broken.write_text(yaml.safe_dump(definition))
    with pytest.raises(DefinitionError, match="refuses to patch the CRD rayservices"):
        Definitions(access(cluster)).apply(
            read_definition(NAME, str(broken), "1.6.2"),
            "1.6.2",
            applied_before="1.6.2",
            owner=None,
            dry_run=True,
        )
