"""What is collected: which pods, which ports, and that all that is read is kept and exported."""

import re
from itertools import chain
from typing import Any

import pytest

from manifests import access_manifests, monitoring_manifests, service_manifests
from manifests.monitoring.alerts import alerts
from manifests.monitoring.panels import dashboards
from manifests.monitoring.scraping import AUTOSCALER_PORT, kept_names
from models.catalog import MetricSource, exported_name, metrics, ray_releases, series_names
from models.catalog.metrics import engine_metrics
from models.monitoring import MonitoringSystem
from planning import Plan
from tests.manifests.monitoring.stacks import TESTED, monitored, monitoring
from tests.manifests.plans import plan
from tests.real_engine.answers import recorded

SYSTEMS = [MonitoringSystem.GMP, MonitoringSystem.PROMETHEUS_OPERATOR]
_SELECTOR = re.compile(r"([a-zA-Z_][a-zA-Z0-9_:]*)\{")


def expressions(made: Plan) -> list[str]:
    """All queries of a plan."""
    panels = chain.from_iterable(page.panels for page in dashboards(made))
    drawn = [query.expression for panel in panels for query in panel.queries]
    return [*drawn, *(alert.expression for alert in alerts(made))]


def read(made: Plan) -> set[str]:
    """The names of all series that queries read, those that rules record left out."""
    names = {name for text in expressions(made) for name in _SELECTOR.findall(text)}
    return {name for name in names if not name.startswith("ray_llm_")}


@pytest.mark.parametrize("ray", ray_releases())
def test_all_that_is_read_is_kept(ray: str) -> None:
    made = monitored(ray)
    others = kept_names(made, [MetricSource.KUBERNETES])
    collected = kept_names(made, [s for s in MetricSource if s is not MetricSource.KUBERNETES])
    assert read(made) <= {*collected, *others}


def test_nothing_is_kept_that_is_not_read() -> None:
    """Of a histogram sum and count come with the buckets, and some stores need them."""
    names = read(monitored())
    release = ray_releases()["2.60.0"]
    for metric in metrics().values():
        name = exported_name(metric, release, release.vllm)
        assert name is not None
        assert names & set(series_names(metric, name)), f"nothing reads {metric.key}"


def test_the_real_engine_exports_what_was_read_in_its_source() -> None:
    """24 names that a scrape of the real vLLM 0.29.0 behind Ray 2.60.0 had, with their types."""
    found, source = recorded("metrics"), engine_metrics()["0.29.0"]
    assert {name: source.get(name) for name in found} == found
    release = ray_releases()["2.60.0"]
    for metric in metrics().values():
        if metric.source is MetricSource.VLLM and metric.known["2.60.0"] == "run":
            assert found[str(exported_name(metric, release, release.vllm))] == metric.type


@pytest.mark.parametrize("ray", ray_releases())
def test_every_release_exports_every_metric_of_engines(ray: str) -> None:
    release = ray_releases()[ray]
    for metric in metrics().values():
        if metric.source is MetricSource.VLLM:
            name = exported_name(metric, release, release.vllm)
            assert name is not None, metric.key
            assert engine_metrics()[release.vllm][name] == metric.type


def test_a_release_of_vllm_that_is_not_known_has_the_names_of_its_rays() -> None:
    release = ray_releases()["2.60.0"]
    assert exported_name(metrics()["kv_cache"], release, "0.30.1") == "ray_vllm_kv_cache_usage_perc"
    old = ray_releases()["2.49.1"]
    assert exported_name(metrics()["kv_cache"], old, old.vllm) == "ray_vllm:kv_cache_usage_perc"
    assert exported_name(metrics()["replicas_wanted"], old, old.vllm) is None


@pytest.mark.parametrize("system", SYSTEMS)
def test_pods_and_ports_are_those_of_the_service(system: MonitoringSystem) -> None:
    made = monitored(monitoring=monitoring(system))
    manifests, access = monitoring_manifests(made), access_manifests(made)
    assert manifests is not None
    assert access is not None
    cluster = service_manifests(made).ray_service["spec"]["rayClusterConfig"]
    ray = [
        cluster["headGroupSpec"]["template"],
        *(group["template"] for group in cluster["workerGroupSpecs"]),
    ]
    pod = access.gateway.deployment["spec"]["template"]
    declared = {
        "llm-serving-ray": [_ports(template) for template in ray],
        "llm-serving-autoscaler": [_ports(ray[0])],
        "llm-serving-gateway": [_ports(pod)],
    }
    key = {SYSTEMS[0]: "endpoints", SYSTEMS[1]: "podMetricsEndpoints"}[system]
    for monitor in manifests.pod_monitors:
        [endpoint] = monitor["spec"][key]
        for ports in declared.pop(monitor["metadata"]["name"]):
            assert endpoint["port"] in ports or endpoint["port"] == AUTOSCALER_PORT
    assert not declared
    gateway = manifests.pod_monitors[-1]["spec"]["selector"]["matchLabels"]
    assert gateway.items() <= pod["metadata"]["labels"].items()


def _ports(template: dict[str, Any]) -> set[str]:
    return {
        port["name"]
        for container in template["spec"]["containers"]
        for port in container.get("ports", ())
    }


def test_the_operators_monitor_asks_the_autoscaler_once_by_its_number() -> None:
    manifests = monitoring_manifests(monitored())
    assert manifests is not None
    [endpoint] = manifests.pod_monitors[1]["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == "metrics"
    assert endpoint["relabelings"][-1] == {
        "sourceLabels": ["__meta_kubernetes_pod_ip"],
        "targetLabel": "__address__",
        "replacement": f"$1:{AUTOSCALER_PORT}",
    }


def test_labels_that_prometheus_selects_by_are_on_all_that_it_reads() -> None:
    made = monitored(monitoring=monitoring(labels=(("release", "kube-prometheus-stack"),)))
    manifests = monitoring_manifests(made)
    assert manifests is not None
    for written in (*manifests.pod_monitors, manifests.rules):
        assert written["metadata"]["labels"]["release"] == "kube-prometheus-stack"


def test_network_policies_let_in_who_collects_and_nobody_is_let_in_without() -> None:
    def ways(made: Plan) -> list[tuple[set[str], set[int]]]:
        access = access_manifests(made)
        assert access is not None
        [policy] = access.network_policies
        return [
            (
                {
                    source["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
                    for source in rule["from"]
                    if "matchLabels" in source.get("namespaceSelector", {})
                },
                {port["port"] for port in rule.get("ports", ())},
            )
            for rule in policy["spec"]["ingress"]
        ]

    google = {"gmp-system", "gke-gmp-system"}
    with_google = monitored(monitoring=monitoring(SYSTEMS[0], prometheus_namespace=None))
    assert (google, {8080, AUTOSCALER_PORT}) in ways(with_google)
    assert ({*google, "monitoring"}, {8080, AUTOSCALER_PORT}) in ways(monitored())
    assert (google, {8080}) in ways(monitored(monitoring=None))


def test_engines_are_told_to_count_where_they_would_not() -> None:
    def told(made: Plan) -> list[bool | None]:
        text = service_manifests(made).ray_service["spec"]["serveConfigV2"]
        return [
            {"true": True, "false": False}.get(found)
            for found in re.findall(r"log_engine_metrics: (\w+)", text)
        ]

    assert told(monitored("2.49.1")) == [True, True]
    assert told(monitored("2.60.0")) == []
    # The V0 engine has nothing to export, and refuses the field.
    assert told(plan(ray="2.49.1", monitoring=monitoring())).count(True) == 2


@pytest.mark.parametrize("ray", TESTED)
def test_nothing_else_of_the_service_changes(ray: str) -> None:
    with_it, without = (
        service_manifests(monitored(ray, monitoring=each)).ray_service["spec"]
        for each in (monitoring(), None)
    )
    assert with_it["rayClusterConfig"] == without["rayClusterConfig"]
    if ray == "2.60.0":
        assert with_it == without


def test_without_monitoring_nothing_is_written() -> None:
    assert monitoring_manifests(monitored(monitoring=None)) is None
