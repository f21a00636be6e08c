"""A cluster with the Prometheus operator's definitions takes what collects metrics and the alerts.

The operator itself does not run: that it follows these objects is not shown here.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.providers.kubernetes.crds import prometheus_operator_crds
from localcloud.store import default_home
from localcloud.testing.running_cluster import DEFINITIONS, eventually
from tests.cluster.service import Service

pytestmark = pytest.mark.cluster

RAY_PODS = "/api/v1/namespaces/ai/pods?labelSelector=ray.io/is-ray-node%3Dyes"
OPERATOR = "/apis/monitoring.coreos.com/v1"


@pytest.fixture
def kinds(service: Service) -> Iterator[None]:
    """The definitions, for as long as the test runs."""
    cluster = service.cluster
    definitions = prometheus_operator_crds(Path(default_home()) / "cache")
    cluster.apply(*definitions)
    for definition in definitions:
        plural = definition["spec"]["names"]["plural"]
        eventually(
            lambda plural=plural: cluster.get(f"{OPERATOR}/{plural}"),
            f"{plural} are known",
            seconds=60,
        )
    yield
    service.restore()
    for definition in definitions:
        cluster.delete(f"{DEFINITIONS}/{definition['metadata']['name']}")


def ray_pods(service: Service) -> set[str]:
    return {pod["metadata"]["uid"] for pod in service.cluster.items(RAY_PODS)}


def test_monitoring_comes_and_goes_without_a_restart(service: Service, kinds: None) -> None:
    cluster = service.cluster
    pods = ray_pods(service)
    service.write({**service.base, "ray-llm:monitoring": "prometheus-operator"}).must_up()
    monitors = cluster.items(f"{OPERATOR}/namespaces/ai/podmonitors")
    rules = cluster.items(f"{OPERATOR}/namespaces/ai/prometheusrules")
    assert len(monitors) == 2
    assert len(rules) == 1
    service.deployment.settled()
    service.restore()
    assert cluster.items(f"{OPERATOR}/namespaces/ai/podmonitors") == []
    assert cluster.items(f"{OPERATOR}/namespaces/ai/prometheusrules") == []
    assert pods <= ray_pods(service)
