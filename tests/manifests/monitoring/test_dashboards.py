"""Every query of every dashboard finds data of a service under load, on a real Prometheus."""

import json
import re
import time
from collections.abc import Iterator

import pytest

from manifests import monitoring_manifests
from manifests.monitoring.grafana import grafana_json
from manifests.monitoring.panels import dashboards
from manifests.monitoring.queries import RECORDED_COST, RECORDED_PLAN, Queries
from models.monitoring import MonitoringSystem
from planning import Plan
from tests.manifests.monitoring.exposition import MINUTES, STEP_SECONDS, openmetrics
from tests.manifests.monitoring.prometheus import Prometheus, running_prometheus
from tests.manifests.monitoring.stacks import TESTED, monitored, monitoring
from tests.manifests.plans import model

# On a minute, so that the samples of a test are the same at every run of it but for the day.
START = int(time.time()) // 86_400 * 86_400 - 7 * 86_400
END = START + MINUTES * 60 - STEP_SECONDS


@pytest.fixture(scope="module", params=TESTED)
def under_load(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Plan, Prometheus]]:
    plan = monitored(request.param)
    samples = openmetrics(plan, START).removesuffix("# EOF\n")
    for name, labels in ((RECORDED_COST, ""), (RECORDED_PLAN, 'level="minimum"')):
        series = Queries(plan=plan).recorded(name, *([labels] if labels else []))
        samples += f"# TYPE {name} unknown\n"
        for step in range(MINUTES * 60 // STEP_SECONDS):
            samples += f"{series} 1.5 {START + step * STEP_SECONDS}\n"
    folder = tmp_path_factory.mktemp("prometheus")
    with running_prometheus(folder, samples=f"{samples}# EOF\n") as running:
        yield plan, running


def test_every_query_finds_data(under_load: tuple[Plan, Prometheus]) -> None:
    plan, prometheus = under_load
    empty = [
        f"{page.title}: {panel.title}: {query.expression}"
        for page in dashboards(plan)
        for panel in page.panels
        for query in panel.queries
        if not prometheus.query(query.expression, END)
    ]
    assert empty == []


def test_a_legend_names_labels_that_the_answer_has(under_load: tuple[Plan, Prometheus]) -> None:
    plan, prometheus = under_load
    for page in dashboards(plan):
        for query in (query for panel in page.panels for query in panel.queries):
            if "{{" not in query.legend:
                continue
            label = query.legend.partition("{{")[2].partition("}}")[0]
            for answer in prometheus.query(query.expression, END):
                assert label in answer["metric"], query


def test_one_of_a_model_shows_that_model_alone(under_load: tuple[Plan, Prometheus]) -> None:
    """The two models grow alike, so a sum of both would be twice as much."""
    plan, prometheus = under_load
    pages = {page.title: page for page in dashboards(plan)[1:]}
    for page in pages.values():
        [panel] = [panel for panel in page.panels if panel.title == "KV cache used"]
        assert [a["value"][1] for a in prometheus.query(panel.queries[0].expression, END)] == ["1"]
        [panel] = [panel for panel in page.panels if panel.title == "Requests in the engines"]
        assert [a["value"][1] for a in prometheus.query(panel.queries[0].expression, END)] == ["1"]


def test_grafana_gets_each_query_once_and_one_source_to_choose() -> None:
    plan = monitored()
    for page in dashboards(plan):
        drawn = json.loads(grafana_json(page))
        asked = [target["expr"] for panel in drawn["panels"] for target in panel["targets"]]
        assert asked == [query.expression for panel in page.panels for query in panel.queries]
        [variable] = drawn["templating"]["list"]
        assert variable["type"] == "datasource"
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in drawn["panels"]]
        assert len(set(places)) == len(places)
        assert len(drawn["uid"]) <= 40


def test_models_of_like_names_have_pages_of_their_own() -> None:
    names = ("a.b", "a-b", "a_b", "A-b", f"{'long' * 12}-1", f"{'long' * 12}-2")
    pages = dashboards(monitored(models=tuple(model(name) for name in names)))
    assert len({page.id for page in pages}) == len(names) + 1
    assert all(re.fullmatch("[a-z0-9][a-z0-9-]{0,38}[a-z0-9]", page.id) for page in pages)


def test_google_gets_the_same_panels_of_its_own_cluster() -> None:
    plan = monitored(monitoring=monitoring(MonitoringSystem.GMP))
    manifests = monitoring_manifests(plan)
    assert manifests is not None
    assert manifests.google is not None
    for page, text in zip(dashboards(plan), manifests.google.dashboards.values(), strict=True):
        tiles = json.loads(text)["mosaicLayout"]["tiles"]
        assert [tile["widget"]["title"] for tile in tiles] == [panel.title for panel in page.panels]
        queries = [
            data["timeSeriesQuery"]["prometheusQuery"]
            for tile in tiles
            for data in tile["widget"]["xyChart"]["dataSets"]
        ]
        # What rules record has the labels of its rule's object.
        assert all('cluster="llm-test"' in query or "ray_llm_" in query for query in queries)


def test_a_configmap_has_the_label_of_grafanas_sidecar() -> None:
    manifests = monitoring_manifests(monitored())
    assert manifests is not None
    for config_map in manifests.dashboards:
        assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert len(config_map["metadata"]["name"]) <= 253
        [(file, text)] = config_map["data"].items()
        assert file.endswith(".json")
        assert json.loads(text)["title"]
