"""The real Ray, Ray Serve, vLLM and autoscaler export what dashboards and alerts read.

A real Prometheus scrapes the pods of the stack while requests come, and answers every query of the
dashboards. Its targets are written by hand, because no Prometheus runs in the cluster: that the
PodMonitors select the same pods and ports is tested in tests/manifests/monitoring.
"""

import time
import urllib.request
from collections.abc import Iterator

import pytest
import yaml

from localcloud.testing.running_cluster import eventually
from manifests.monitoring.alerts import alerts
from manifests.monitoring.panels import Dashboard, dashboards
from manifests.monitoring.rules import rule_groups
from manifests.monitoring.scraping import AUTOSCALER_PORT
from models.catalog import Metric, MetricSource, exported_name, metrics, ray_releases, series_names
from models.reading import read_stack
from planning import Plan, make_plan
from tests.cluster.deployed import ClusterDeployment
from tests.cluster.running import Cluster
from tests.manifests.monitoring.prometheus import Prometheus, running_prometheus
from tests.real_engine.stacks import AWAKE, RAY, real_stack

pytestmark = pytest.mark.real_engine

METRICS_PORT = 8080
# Ray's agents report every few seconds, and the local ones measure their node once a minute.
EXPORT_SECONDS = 180
# What a short, healthy load does not bring about.
RARE = {"errors", "preemptions"}


@pytest.fixture(scope="module")
def plan() -> Plan:
    config = {**real_stack(), "ray-llm:monitoring": "prometheus-operator"}
    return make_plan(read_stack("real", config))


def targets(cluster: Cluster) -> list[str]:
    """Address and port of everything that is scraped."""
    pods = cluster.items("/api/v1/namespaces/ai/pods?labelSelector=ray.io/is-ray-node%3Dyes")
    found = [f"{pod['status']['podIP']}:{METRICS_PORT}" for pod in pods]
    heads = [pod for pod in pods if pod["metadata"]["labels"]["ray.io/node-type"] == "head"]
    return found + [f"{pod['status']['podIP']}:{AUTOSCALER_PORT}" for pod in heads]


def scraped(cluster: Cluster) -> str:
    """All that the targets export now."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": cluster.state.proxy}))
    texts = []
    for target in targets(cluster):
        with opener.open(f"http://{target}/metrics", timeout=30) as response:
            texts.append(response.read().decode())
    return "\n".join(texts)


def wanted() -> dict[str, Metric]:
    """The metrics that this stack has to export, by the name of the release."""
    release = ray_releases()[RAY]
    outside = (MetricSource.GATEWAY, MetricSource.KUBERNETES)
    return {
        str(exported_name(metric, release, release.vllm)): metric
        for metric in metrics().values()
        if metric.source not in outside and metric.key not in RARE
    }


def ask(cluster: Cluster) -> None:
    assert cluster.chat(AWAKE["name"], AWAKE["name"], "Who are you?")[0] == 200


def test_every_name_of_the_table_is_exported_with_its_type_and_labels(
    deployment: ClusterDeployment, cluster: Cluster
) -> None:
    names = wanted()

    def exported() -> str | None:
        ask(cluster)
        text = scraped(cluster)
        missing = [name for name in names if f"# TYPE {name} " not in text]
        return None if missing else text

    text = eventually(exported, f"each of {sorted(names)} is exported", seconds=EXPORT_SECONDS)
    types = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE "))
    for name, metric in names.items():
        assert types[name] == metric.type, name
        for series in series_names(metric, name)[:1]:
            lines = [line for line in text.splitlines() if line.startswith(f"{series}{{")]
            assert lines, series
            assert all(f'{label}="' in lines[0] for label in metric.labels), lines[0]


@pytest.fixture(scope="module")
def prometheus(
    deployment: ClusterDeployment,
    cluster: Cluster,
    plan: Plan,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    scrape = [
        {
            "job_name": "ray",
            "scrape_interval": "5s",
            "proxy_url": cluster.state.proxy,
            "static_configs": [{"targets": targets(cluster), "labels": {"namespace": "ai"}}],
        }
    ]
    groups = rule_groups(plan, alerts(plan))
    for group in groups["groups"]:
        group["interval"] = "5s"
    with running_prometheus(
        folder, scrape=yaml.safe_dump(scrape), rules=yaml.safe_dump(groups)
    ) as running:
        yield running


def empty(prometheus: Prometheus, pages: tuple[Dashboard, ...]) -> list[str]:
    now = int(time.time())
    return [
        f"{page.title}: {panel.title}: {query.legend}"
        for page in pages
        for panel in page.panels
        for query in panel.queries
        # A node that is wanted is not wanted for long here.
        if not query.legend.endswith("wanted") and not prometheus.query(query.expression, now)
    ]


def test_every_query_of_the_dashboards_finds_data_under_load(
    prometheus: Prometheus, cluster: Cluster, plan: Plan
) -> None:
    """The dashboards of the service and of the model that runs; the other one sleeps."""
    pages = dashboards(plan)[:2]

    def all_found() -> bool:
        ask(cluster)
        return not empty(prometheus, pages)

    try:
        eventually(all_found, "every query finds data", seconds=EXPORT_SECONDS)
    finally:
        assert empty(prometheus, pages) == []


def test_no_alert_fires_while_all_is_well(
    prometheus: Prometheus, cluster: Cluster, plan: Plan
) -> None:
    firing = prometheus.query("ALERTS", int(time.time()))
    assert [alert["metric"] for alert in firing] == []
