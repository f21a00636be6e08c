"""Envoy's pods: files that change while they run, Services in front of them, and their end."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from localcloud.testing.running_cluster import RunningCluster, eventually

pytestmark = pytest.mark.cluster

NAMESPACE = "/api/v1/namespaces/envoys"
DEPLOYMENTS = "/apis/apps/v1/namespaces/envoys/deployments"
IMAGE = "envoyproxy/envoy:v1.40.0"
HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


def listener(route_config: dict[str, Any]) -> dict[str, Any]:
    """A listener on all addresses of the pod."""
    router = {"name": "router", "typed_config": {"@type": ROUTER}}
    manager = {
        "@type": f"{HTTP}.HttpConnectionManager",
        "stat_prefix": "in",
        "http_filters": [router],
        **route_config,
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    address = {"socket_address": {"address": "0.0.0.0", "port_value": 8080}}
    return {"name": "in", "address": address, "filter_chains": [chain]}


def bootstrap(
    route_config: dict[str, Any], clusters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Envoy's start file, with the administration on the pod's loopback address."""
    return {
        "node": {"id": "a", "cluster": "b"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 9901}}},
        "static_resources": {"listeners": [listener(route_config)], "clusters": clusters or []},
    }


def answers(text: str, name: str) -> dict[str, Any]:
    """Routes by which every request gets this text."""
    route = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": text}},
    }
    return {"name": name, "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]}


def discovery(text: str) -> str:
    resource = {
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        **answers(text, "watched"),
    }
    return json.dumps({"resources": [resource]})


WATCHED = {
    "rds": {
        "route_config_name": "watched",
        "config_source": {
            "path_config_source": {
                "path": "/etc/envoy/routes.json",
                "watched_directory": {"path": "/etc/envoy"},
            }
        },
    }
}
TO_BACKEND = {
    "route_config": {
        "virtual_hosts": [
            {
                "name": "all",
                "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "back"}}],
            }
        ]
    }
}
BACKEND = {
    "name": "back",
    "type": "STRICT_DNS",
    "load_assignment": {
        "cluster_name": "back",
        "endpoints": [
            {
                "lb_endpoints": [
                    {
                        "endpoint": {
                            "address": {
                                "socket_address": {
                                    "address": "back.envoys",
                                    "port_value": 80,
                                }
                            }
                        }
                    }
                ]
            }
        ],
    },
}


def config_map(name: str, files: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "envoys"},
        "data": files,
    }


def deployment(name: str, replicas: int, **container: Any) -> dict[str, Any]:
    pod = {
        "metadata": {"labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 20,
            "containers": [
                {
                    "name": "envoy",
                    "image": IMAGE,
                    "args": ["-c", "/etc/envoy/envoy.yaml", "--disable-hot-restart"],
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "readinessProbe": {"httpGet": {"path": "/x", "port": "http"}},
                    "volumeMounts": [{"name": "config", "mountPath": "/etc/envoy"}],
                    **container,
                }
            ],
            "volumes": [{"name": "config", "configMap": {"name": name}}],
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "envoys"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": pod,
        },
    }


def service(name: str, kind: str, port: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "envoys"},
        "spec": {
            "type": kind,
            "selector": {"app": name},
            "ports": [{"port": port, "targetPort": "http"}],
        },
    }


def get(url: str) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def ready(cluster: RunningCluster, name: str) -> int:
    status = cluster.get(f"{DEPLOYMENTS}/{name}").get("status", {})
    return int(status.get("readyReplicas", 0))


@pytest.fixture(scope="module")
def cluster(local_cluster: RunningCluster) -> Iterator[RunningCluster]:
    """A cluster with a namespace and a node; other tests then find neither."""
    pool = {
        "name": "cpus",
        "machineType": "e2-standard-4",
        "zones": ["us-central1-a"],
        "totalMin": 1,
        "totalMax": 1,
        "allocatable": {"cpu": "3", "memory": "12Gi", "pods": "30"},
    }
    local_cluster.node_pool(pool)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "envoys"}}
    local_cluster.apply(namespace)
    yield local_cluster
    local_cluster.delete(NAMESPACE)
    (local_cluster.state.folder / "node-pools" / "cpus.json").unlink()
    eventually(lambda: is_gone(local_cluster), "namespace and node are gone", seconds=60)


def is_gone(cluster: RunningCluster) -> bool:
    names = {item["metadata"]["name"] for item in cluster.items("/api/v1/namespaces")}
    return "envoys" not in names and not cluster.nodes("cpus")


def test_envoys_answer_through_services_and_see_changed_files(cluster: RunningCluster) -> None:
    cluster.apply(
        config_map(
            "back",
            {"envoy.yaml": yaml.safe_dump(bootstrap(WATCHED)), "routes.json": discovery("one")},
        ),
        config_map("front", {"envoy.yaml": yaml.safe_dump(bootstrap(TO_BACKEND, [BACKEND]))}),
        deployment("back", 2),
        deployment("front", 1),
        service("back", "ClusterIP", 80),
        service("front", "LoadBalancer", 8080),
    )

    def address() -> str:
        found = cluster.get(f"{NAMESPACE}/services/front")
        ip: str = found["status"]["loadBalancer"]["ingress"][0]["ip"]
        return f"http://{ip}:8080/x"

    eventually(lambda: ready(cluster, "back") == 2, "the back is ready", seconds=60)
    url = eventually(address, "the load balancer has an address", seconds=10)
    eventually(lambda: get(url) == (200, "one"), "front and back answer", seconds=60)
    cluster.apply(
        config_map(
            "back",
            {"envoy.yaml": yaml.safe_dump(bootstrap(WATCHED)), "routes.json": discovery("two")},
        )
    )
    eventually(lambda: {get(url) for _ in range(8)} == {(200, "two")}, "both see it", seconds=20)
    cluster.apply(deployment("back", 0))
    eventually(lambda: get(url)[0] == 503, "nobody listens behind the Service", seconds=30)
    assert "remote connection failure" in get(url)[1]


def test_a_hook_runs_to_its_end_before_the_pod_does(cluster: RunningCluster) -> None:
    hook = "sleep 3; echo hook done > /etc/envoy/../done"
    cluster.apply(
        config_map(
            "last",
            {"envoy.yaml": yaml.safe_dump(bootstrap({"route_config": answers("here", "r")}))},
        ),
        deployment("last", 1, lifecycle={"preStop": {"exec": {"command": ["sh", "-c", hook]}}}),
        service("last", "LoadBalancer", 8081),
    )
    eventually(lambda: ready(cluster, "last") == 1, "it is ready", seconds=60)
    (pod,) = cluster.items(f"{NAMESPACE}/pods?labelSelector=app%3Dlast")
    (first, *_) = cluster.processes_of(pod)
    started = time.monotonic()
    cluster.apply(deployment("last", 0))
    eventually(lambda: not first.is_running(), "Envoy ended", seconds=30)
    assert time.monotonic() - started > 3


def test_an_image_of_another_release_cannot_be_pulled(cluster: RunningCluster) -> None:
    cluster.apply(
        config_map("old", {"envoy.yaml": "{}"}),
        deployment("old", 1, image="europe-docker.pkg.dev/a/b/envoy:v1.30.1"),
    )

    def reason() -> str | None:
        # No pod at first: the Deployment makes it.
        pod = cluster.items(f"{NAMESPACE}/pods?labelSelector=app%3Dold")[0]
        state = pod["status"]["containerStatuses"][0]["state"]
        found: str | None = state.get("waiting", {}).get("reason")
        return found if found == "ImagePullBackOff" else None

    eventually(reason, "the image is not found", seconds=30)
