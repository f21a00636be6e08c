"""A cluster takes what collects metrics and the alerts, and a preview sees it if it cannot.

The operator of Prometheus does not run: that it follows these objects is not shown here.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.cluster.kubernetes_api import ApiError
from localcloud.testing.running_cluster import DEFINITIONS, eventually
from tests.cluster.service import Service

pytestmark = pytest.mark.cluster

RAY_PODS = "/api/v1/namespaces/ai/pods?labelSelector=ray.io/is-ray-node%3Dyes"
GROUP = "monitoring.coreos.com"
OPERATOR = f"/apis/{GROUP}/v1"
SETTING = {"ray-llm:monitoring": "prometheus-operator"}
# What the API server adds to an object that it has stored.
STORED = ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields")


def ray_pods(service: Service) -> set[str]:
    return {pod["metadata"]["uid"] for pod in service.cluster.items(RAY_PODS)}


@pytest.fixture
def without_operator(service: Service) -> Iterator[None]:
    """The definitions of the operator are gone, for as long as the test runs."""
    cluster = service.cluster
    removed = [item for item in cluster.items(DEFINITIONS) if item["spec"]["group"] == GROUP]
    assert len(removed) == 2
    for item in removed:
        cluster.delete(f"{DEFINITIONS}/{item['metadata']['name']}")
    eventually(lambda: not knows(service), "the kinds are gone", seconds=60)
    yield
    service.write(service.base)
    cluster.apply(*(_as_written(item) for item in removed))
    eventually(lambda: knows(service), "the kinds are known", seconds=60)


def _as_written(item: dict[str, Any]) -> dict[str, Any]:
    metadata = {key: value for key, value in item["metadata"].items() if key not in STORED}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": item["spec"],
    }


def knows(service: Service) -> bool:
    try:
        return len(service.cluster.get(OPERATOR)["resources"]) >= 2
    except ApiError as error:
        if error.status != 404:
            raise
        return False


def test_monitoring_comes_and_goes_without_a_restart(service: Service) -> None:
    cluster = service.cluster
    pods = ray_pods(service)
    service.write({**service.base, **SETTING}).must_up()
    monitors = cluster.items(f"{OPERATOR}/namespaces/ai/podmonitors")
    rules = cluster.items(f"{OPERATOR}/namespaces/ai/prometheusrules")
    assert len(monitors) == 2
    assert len(rules) == 1
    service.deployment.settled()
    service.restore()
    assert cluster.items(f"{OPERATOR}/namespaces/ai/podmonitors") == []
    assert cluster.items(f"{OPERATOR}/namespaces/ai/prometheusrules") == []
    assert pods <= ray_pods(service)


def test_a_preview_stops_if_the_cluster_lacks_the_kinds(
    service: Service, without_operator: None
) -> None:
    done = service.write({**service.base, **SETTING}).preview()
    assert done.returncode
    said = " ".join((done.stdout + done.stderr).split())
    assert "needs PodMonitor and PrometheusRule of monitoring.coreos.com/v1, which the" in said
    assert "or set ray-llm:monitoring to `gmp`, whose kinds the cluster has." in said
    assert "Traceback" not in said
    google = service.write({**service.base, "ray-llm:monitoring": "gmp"}).preview()
    assert google.returncode == 0, google.stdout + google.stderr
