"""The control planes of the local cloud, as far as programs ask them without a provider."""

import json
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from localcloud.cloud import LocalCloud
from localcloud.network import write_kubeconfig
from localcloud.providers.gcp.provider import endpoint_of
from localcloud.providers.kubernetes.definitions_api import answer

NAME = "things.example.org"
DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": NAME},
    "spec": {
        "group": "example.org",
        "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "storage": True}],
    },
}


class Client:
    def __init__(self, folder: Path) -> None:
        self.cloud = LocalCloud(folder)
        self.host = endpoint_of(self.cloud.declare_cluster("acme", "us-central1", "shared"))

    def ask(self, method: str, query: str = "", **body: Any) -> tuple[int, dict[str, Any]]:
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{NAME}{query}"
        return self._answer(method, path, json.dumps(body).encode())

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        return self._answer("GET", path, b"")

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        home, cache = self.cloud.home, self.cloud.engine_cache / "cache"
        return answer(home, cache, method, self.host, URL(path), body)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


def test_a_definition_is_there_once_it_is_applied(client: Client) -> None:
    assert client.ask("GET")[0] == 404
    assert client.ask("PATCH", "?dryRun=All", **DEFINITION)[0] == 200
    assert client.ask("GET")[0] == 404
    assert client.ask("PATCH", **DEFINITION)[0] == 200
    status, found = client.ask("GET")
    assert status == 200
    assert found["spec"] == DEFINITION["spec"]
    assert found["status"]["conditions"][0]["type"] == "Established"


def test_metadata_alone_changes_nothing_else(client: Client) -> None:
    owner = {"kind": "Namespace", "name": "a", "uid": "1"}
    metadata = {"name": NAME, "ownerReferences": [owner]}
    client.ask("PATCH", **{**DEFINITION, "metadata": metadata})
    client.ask("PATCH", metadata={"resourceVersion": "1", "ownerReferences": []})
    found = client.ask("GET")[1]
    assert found["metadata"]["ownerReferences"] == []
    assert found["spec"] == DEFINITION["spec"]


def test_the_kinds_of_a_group_are_those_of_its_definitions(client: Client) -> None:
    assert client.get("/apis/example.org/v1")[0] == 404
    client.ask("PATCH", **DEFINITION)
    status, found = client.get("/apis/example.org/v1")
    assert status == 200
    assert found["resources"] == [{"kind": "Thing"}]
    assert client.get("/apis/example.org/v2")[0] == 404
    # GKE's own: managed collection is on unless a cluster says otherwise.
    kinds = {
        item["kind"] for item in client.get("/apis/monitoring.googleapis.com/v1")[1]["resources"]
    }
    assert kinds == {"PodMonitoring", "Rules"}


@pytest.mark.parametrize(
    ("method", "body", "status"),
    [
        ("DELETE", {}, 405),
        ("PATCH", {"metadata": {}}, 404),
        ("PATCH", {**DEFINITION, "spec": {"group": "other.org"}}, 422),
    ],
)
def test_what_the_api_server_refuses_is_refused(
    client: Client, method: str, body: dict[str, Any], status: int
) -> None:
    code, content = client.ask(method, **body)
    assert (code, content["kind"]) == (status, "Status")


def test_a_secret_of_somebody_else_is_found_without_its_values(client: Client) -> None:
    path = "/api/v1/namespaces/default/secrets/theirs"
    assert client.get(path)[0] == 404
    metadata = {"name": "theirs", "namespace": "default"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"a": "czNjcjN0"}}
    client.cloud.add_object(f"https://{client.host}", {**secret, "type": "acme/any"})
    status, found = client.get(path)
    assert (status, found["type"], list(found["data"])) == (200, "acme/any", ["a"])
    assert "czNjcjN0" not in json.dumps(found)
    assert client.get("/api/v1/namespaces/other/secrets/theirs")[0] == 404
    assert client.get("/api/v1/namespaces/default/pods/theirs")[0] == 404


def test_the_kubeconfig_has_each_cluster_by_gclouds_name(client: Client) -> None:
    content = json.loads(write_kubeconfig(client.cloud.home).read_text())
    assert [context["name"] for context in content["contexts"]] == ["gke_acme_us-central1_shared"]
    assert content["clusters"][0]["cluster"]["server"] == f"https://{client.host}"
