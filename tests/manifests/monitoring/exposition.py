"""Samples of a service under load, in the form of a scrape, under the names of a plan's releases.

Written from the catalogue's table, not recorded: they prove that a query is well formed, that it
selects by labels that the table has, and that it finds a value in a service under load. They do not
prove that Ray exports these names: tests/cluster/test_monitoring.py asks the real Ray that.
"""

from collections.abc import Iterator
from itertools import product

from models.catalog import Metric, exported_name, metrics
from planning import Plan
from tests.manifests.monitoring.stacks import APPLICATION, DEPLOYMENT, MODEL, SLEEPER

MINUTES = 90
STEP_SECONDS = 30
_VALUES = {
    "model_name": (MODEL, SLEEPER),
    "application": (APPLICATION, f"{SLEEPER}-0123abcd"),
    "deployment": (DEPLOYMENT, f"LLMServer:{SLEEPER}"),
    "route": (f"/{MODEL}",),
    "replica": ("r1", "r2"),
    "status_code": ("200", "500"),
    "error_code": ("500", "429"),
    "Name": ("GPU", "CPU"),
    "State": ("USED", "AVAILABLE"),
    "NodeType": ("l4", "l4-spot"),
    "response_code_class": ("2xx", "5xx"),
    "model": (MODEL, SLEEPER),
    "team": ("search", "free"),
    "pod": ("token-check-1-x",),
    "phase": ("Failed",),
}
_BUCKETS = ("0.5", "1", "2", "4", "+Inf")


def openmetrics(plan: Plan, start: int) -> str:
    """The samples as OpenMetrics.

    start: seconds since 1970.
    """
    lines: list[str] = []
    for metric in metrics().values():
        name = exported_name(metric, plan.release.ray, plan.release.vllm)
        if name is None:
            continue
        lines += [f"# TYPE {name} unknown"]
        for series, rate in _series(metric, name):
            for step in range(MINUTES * 60 // STEP_SECONDS):
                value = 1 if metric.type == "gauge" else step * rate
                lines.append(f"{series} {value} {start + step * STEP_SECONDS}")
    return "\n".join([*lines, "# EOF", ""])


def _series(metric: Metric, name: str) -> Iterator[tuple[str, int]]:
    """Each series with what it grows by in a step."""
    for values in product(*(_VALUES[label] for label in metric.labels)):
        labels = [f'{k}="{v}"' for k, v in zip(metric.labels, values, strict=True)]
        labels.append('namespace="ai"')
        if metric.type != "histogram":
            yield f"{name}{{{','.join(labels)}}}", 1
            continue
        for growth, bucket in enumerate(_BUCKETS, start=1):
            everything = ",".join([*labels, f'le="{bucket}"'])
            yield f"{name}_bucket{{{everything}}}", growth
