"""What being scraped costs the head of a Ray cluster.

Run: python -m benchmarks.scraping [--pairs 10]

A small service runs on the local cluster with the real Ray and Ray Serve, whose nodes count as they
do by default. Half minutes without a scrape alternate with half minutes in which the head's two
ports are scraped every second, thirty times as often as a PodMonitor does. The difference in CPU
time of the head's processes, divided by the scrapes, is what one costs. Dashboards ask Prometheus,
and cost the head nothing.
"""

import argparse
import os
import statistics
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psutil

from benchmarks.small_service import small_service
from localcloud.cluster.ray_node import METRICS_VARIABLE
from manifests.monitoring.scraping import SCRAPE_SECONDS
from tests.cluster.releases import release
from tests.cluster.running import Cluster
from tests.cluster.scrape import targets

PERIOD_SECONDS: Final = 30
HEAD: Final = "ray.io/node-type%3Dhead"


@dataclass(frozen=True)
class Head:
    """The head's pod, and its processes."""

    cluster: Cluster
    name: str
    targets: tuple[str, ...]

    @classmethod
    def of(cls, cluster: Cluster) -> "Head":
        """The head of the only Ray cluster."""
        [pod] = cluster.items(f"/api/v1/namespaces/ai/pods?labelSelector={HEAD}")
        address = pod["status"]["podIP"]
        found = tuple(each for each in targets(cluster) if each.startswith(f"{address}:"))
        return cls(cluster, pod["metadata"]["name"], found)

    def cpu_seconds(self) -> float:
        """CPU time of all of the head's processes so far."""
        seconds = 0.0
        for process in psutil.process_iter():
            try:
                if process.environ().get("HOSTNAME") == self.name:
                    used = process.cpu_times()
                    seconds += used.user + used.system
            except psutil.Error:
                continue
        return seconds

    def scrape(self) -> int:
        """Reads all that the head exports; returns the bytes."""
        proxy = urllib.request.ProxyHandler({"http": self.cluster.state.proxy})
        opener = urllib.request.build_opener(proxy)
        total = 0
        for target in self.targets:
            with opener.open(f"http://{target}/metrics", timeout=30) as response:
                total += len(response.read())
        return total


def period(head: Head, *, scraped: bool) -> tuple[float, int]:
    """CPU seconds of the head in half a minute, and the scrapes in it."""
    before, scrapes = head.cpu_seconds(), 0
    end = time.monotonic() + PERIOD_SECONDS
    while (left := end - time.monotonic()) > 0:
        if scraped:
            head.scrape()
            scrapes += 1
        time.sleep(min(1.0, left))
    return head.cpu_seconds() - before, scrapes


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures pairs of periods and prints what a scrape costs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scraping", description=__doc__)
    parser.add_argument("--pairs", type=int, default=10)
    options = parser.parse_args(arguments)
    os.environ[METRICS_VARIABLE] = "1"
    every = SCRAPE_SECONDS
    with small_service([release().ray]) as service:
        head = Head.of(service.cluster)
        print(f"Ray {release().ray}: a scrape of the head has {head.scrape():,} bytes", flush=True)
        costs, alone = [], []
        for _ in range(options.pairs):
            without, _ = period(head, scraped=False)
            with_scrapes, scrapes = period(head, scraped=True)
            costs.append((with_scrapes - without) / scrapes)
            alone.append(without / PERIOD_SECONDS)
            found = f"{alone[-1]:6.1%} of a CPU without; a scrape {costs[-1] * 1e3:.1f} ms"
            print(f"  {found}", flush=True)
    cost, load = statistics.median(costs), statistics.median(alone)
    print(
        f"median of {options.pairs}: a scrape takes {cost * 1e3:.1f} ms of CPU "
        f"({min(costs) * 1e3:.1f} to {max(costs) * 1e3:.1f}), every {every} s "
        f"{cost / every:.3%} of a CPU; the head itself takes {load:.1%}"
    )


if __name__ == "__main__":
    main()
