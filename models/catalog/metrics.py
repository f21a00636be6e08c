"""The metrics that dashboards and alerts read, under the names that a release exports.

Rows are in metrics.yaml, the engines' names by release of vLLM in vllm_metrics.yaml. A name that
changed with a release stands in one of the two files and nowhere else.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from models.catalog import data_file
from models.catalog.release_number import release_number
from models.catalog.releases import RayRelease
from models.facts import Facts

_PREFIXES: Final = ("ray_vllm_", "ray_vllm:")  # the second one before vLLM 0.11
_HISTOGRAM_SUFFIXES: Final = ("_bucket", "_sum", "_count")


class MetricSource(StrEnum):
    """Which endpoint exports a metric."""

    RAY = "ray"
    SERVE = "serve"
    VLLM = "vllm"
    AUTOSCALER = "autoscaler"
    GATEWAY = "gateway"
    KUBERNETES = "kubernetes"


def _as_list(names: object) -> object:
    return (names,) if isinstance(names, str) else names


class Metric(Facts):
    """One metric, as its row says.

    - `names`: the names that releases have had for it, the newest first
    - `labels`: those that queries select by or keep
    - `since`: the first release of Ray that exports it; None for all of the catalogue
    - `event`: what has to happen before it is exported; None if nothing has to
    """

    key: str
    names: Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(alias="name")]
    type: Literal["counter", "gauge", "histogram"]
    source: Annotated[MetricSource, Field(strict=False)]
    labels: tuple[str, ...]
    since: str | None = None
    event: str | None = None
    known: dict[str, Literal["run", "read", "documented"]]


@cache
def metrics() -> Mapping[str, Metric]:
    """All metrics by key."""
    rows = data_file.read("metrics.yaml")["metrics"]
    return MappingProxyType({key: Metric(key=key, **row) for key, row in rows.items()})


@cache
def engine_metrics() -> Mapping[str, Mapping[str, str]]:
    """The types of an engine's metrics, by release of vLLM and by Ray's name."""
    return MappingProxyType(data_file.read("vllm_metrics.yaml")["vllm"])


def exported_name(metric: Metric, ray: RayRelease, vllm: str) -> str | None:
    """The name under which a metric is exported, without a histogram's suffixes.

    None if the release does not export it. A release of vLLM that is not in the table is taken to
    have the names of the one that the release of Ray comes with.
    """
    if metric.since is not None and release_number(ray.ray) < release_number(metric.since):
        return None
    if metric.source is not MetricSource.VLLM:
        return metric.names[0]
    known = engine_metrics().get(vllm) or engine_metrics()[ray.vllm]
    suffix = "_total" if metric.type == "counter" else ""
    for name in metric.names:
        for prefix in _PREFIXES:
            if f"{prefix}{name}{suffix}" in known:
                return f"{prefix}{name}{suffix}"
    return None


def series_names(metric: Metric, name: str) -> tuple[str, ...]:
    """The names of the time series of a metric that is exported as `name`."""
    if metric.type == "histogram":
        return tuple(f"{name}{suffix}" for suffix in _HISTOGRAM_SUFFIXES)
    return (name,)
