"""What the pods of a cluster export, and whether it is what dashboards and alerts read."""

import urllib.request
from collections.abc import Callable, Collection

from localcloud.testing.running_cluster import eventually
from manifests.monitoring.scraping import AUTOSCALER_PORT
from models.catalog import (
    Metric,
    MetricSource,
    RayRelease,
    exported_name,
    metrics,
    series_names,
)
from tests.cluster.running import Cluster

METRICS_PORT = 8080
# Ray's agents report every few seconds, and the local ones measure their node once a minute.
EXPORT_SECONDS = 180
# What a short, healthy load does not bring about.
RARE = {"errors", "preemptions"}


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


def wanted(release: RayRelease, sources: Collection[MetricSource]) -> dict[str, Metric]:
    """The metrics that a release has to export after a good request, by its names of them."""
    return {
        name: metric
        for metric in metrics().values()
        if metric.source in sources
        and metric.key not in RARE
        and (name := exported_name(metric, release, release.vllm)) is not None
    }


def assert_exported(
    cluster: Cluster,
    release: RayRelease,
    sources: Collection[MetricSource],
    load: Callable[[], None],
) -> None:
    """Every name of the table is exported, with its type and labels.

    load: makes a request; it is called before each scrape.
    """
    names = wanted(release, sources)

    def exported() -> str | None:
        load()
        text = scraped(cluster)
        missing = [name for name in names if f"# TYPE {name} " not in text]
        return None if missing else text

    text = eventually(exported, f"each of {sorted(names)} is exported", seconds=EXPORT_SECONDS)
    types = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE "))
    for name, metric in names.items():
        assert types[name] == metric.type, name
        [series, *_] = series_names(metric, name)
        lines = [line for line in text.splitlines() if line.startswith(f"{series}{{")]
        assert lines, series
        assert all(f'{label}="' in lines[0] for label in metric.labels), lines[0]
