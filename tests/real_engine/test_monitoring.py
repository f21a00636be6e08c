"""The real Ray, Ray Serve, vLLM and autoscaler export what dashboards and alerts read.

A real Prometheus scrapes the pods of the stack while requests come, and answers every query of the
dashboards. Its targets are written by hand, because no Prometheus runs in the cluster: that the
PodMonitors select the same pods and ports is tested in tests/manifests/monitoring.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from localcloud.testing.running_cluster import eventually
from manifests.monitoring.alerts import alerts
from manifests.monitoring.panels import Dashboard, dashboards
from manifests.monitoring.rules import rule_groups
from models.catalog import MetricSource, ray_releases
from models.reading import read_stack
from planning import Plan, make_plan
from tests.cluster.deployed import ClusterDeployment
from tests.cluster.running import Cluster
from tests.cluster.scrape import EXPORT_SECONDS, assert_exported, targets
from tests.manifests.monitoring.prometheus import Prometheus, running_prometheus
from tests.real_engine.dashboard_pictures import draw
from tests.real_engine.stacks import AWAKE, RAY, real_stack

pytestmark = pytest.mark.real_engine

DOCS = Path(__file__).parents[2] / "docs"
# Users who ask one question after another, and the seconds for which they do. The queries look
# back over five minutes.
PICTURED_LOAD = ((1, 180), (8, 180), (0, 120), (3, 240))


@pytest.fixture(scope="module")
def plan() -> Plan:
    config = {**real_stack(), "ray-llm:monitoring": "prometheus-operator"}
    return make_plan(read_stack("real", config))


def ask(cluster: Cluster) -> None:
    assert cluster.chat(AWAKE["name"], AWAKE["name"], "Who are you?")[0] == 200


def test_every_name_of_the_table_is_exported_with_its_type_and_labels(
    deployment: ClusterDeployment, cluster: Cluster
) -> None:
    sources = (
        MetricSource.RAY,
        MetricSource.SERVE,
        MetricSource.VLLM,
        MetricSource.AUTOSCALER,
    )
    assert_exported(cluster, ray_releases()[RAY], sources, lambda: ask(cluster))


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


def test_pictures_of_the_dashboards(
    prometheus: Prometheus, cluster: Cluster, plan: Plan, recording: bool
) -> None:
    """Draws docs/dashboards under a load that comes and goes, if --record is given."""
    if not recording:
        pytest.skip("pictures are drawn with --record only")
    start = int(time.time())
    for users, seconds in PICTURED_LOAD:
        _load(cluster, users, until=time.monotonic() + seconds)
    pages = dashboards(plan)
    for page, name in zip(pages, ("service", "model"), strict=False):
        draw(page, prometheus, DOCS / "dashboards" / f"{name}.svg", start, int(time.time()))


def _load(cluster: Cluster, users: int, until: float) -> None:
    def one_user() -> None:
        while time.monotonic() < until:
            ask(cluster)

    if not users:
        time.sleep(until - time.monotonic())
        return
    with ThreadPoolExecutor(users) as threads:
        for asked in [threads.submit(one_user) for _ in range(users)]:
            asked.result()
