"""The Compute Engine quotas that the program compares with a project's limits.

Most quotas are one metric of a region: `NVIDIA_L4_GPUS`. Google counts newer GPUs and newer
machine series with one metric for all, apart by a dimension: `GPUS_PER_GPU_FAMILY` by gpu_family,
`CPUS_PER_VM_FAMILY` by vm_family (https://cloud.google.com/docs/quotas/configure-dimensions). Such
a quota is written here as its path in the `quotas` section, `GPUS_PER_GPU_FAMILY.NVIDIA_H100`.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from models.catalog.gpu_tiers import gpu_tiers
from models.catalog.machine_types import disk_quotas, vcpu_quotas

GPUS_ALL_REGIONS: Final = "GPUS_ALL_REGIONS"
CPUS_ALL_REGIONS: Final = "CPUS_ALL_REGIONS"
SSD_TOTAL_GB: Final = "SSD_TOTAL_GB"

QUOTA_DIMENSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {"GPUS_PER_GPU_FAMILY": "gpu_family", "CPUS_PER_VM_FAMILY": "vm_family"}
)
"""The metrics that count by a dimension, with its name."""


@cache
def quota_metrics() -> tuple[str, ...]:
    """Return every quota: of each GPU, of all GPUs, of boot disks, of vCPUs and of all vCPUs."""
    disks = dict.fromkeys(metric for metric in disk_quotas().values() if metric)
    return (*gpu_quotas(), GPUS_ALL_REGIONS, *disks, *vcpu_quotas(), CPUS_ALL_REGIONS)


@cache
def gpu_quotas() -> tuple[str, ...]:
    """Return the quotas of one kind of GPU each, on demand and on spot."""
    gpus: dict[str, None] = {}
    for tier in gpu_tiers().values():
        gpus |= {tier.quota_metric: None, tier.spot_quota_metric: None}
    return tuple(gpus)


@cache
def quota_keys() -> tuple[str, ...]:
    """Return the keys that a `quotas` section may have: metrics, those of families once."""
    return tuple(dict.fromkeys(quota.partition(".")[0] for quota in quota_metrics()))


def quota_families(metric: str) -> tuple[str, ...]:
    """Return the values of a metric's dimension that the catalogue knows."""
    return tuple(
        quota.partition(".")[2] for quota in quota_metrics() if quota.startswith(f"{metric}.")
    )


def quota_in_words(quota: str) -> str:
    """Return a quota as Google names it: the metric, and the value of its dimension if it has one.

    `GPUS_PER_GPU_FAMILY with gpu_family NVIDIA_H100`.
    """
    metric, _, family = quota.partition(".")
    return f"{metric} with {QUOTA_DIMENSIONS[metric]} {family}" if family else metric


@cache
def metrics_counted_by_family() -> Mapping[str, str]:
    """Return the metrics that one would expect, with the quota that Google counts instead.

    `NVIDIA_H100_GPUS` is a metric of no region: `GPUS_PER_GPU_FAMILY.NVIDIA_H100` is.
    """
    suffix_of = {"GPUS_PER_GPU_FAMILY": "GPUS", "CPUS_PER_VM_FAMILY": "CPUS"}
    expected: dict[str, str] = {}
    for quota in quota_metrics():
        metric, _, family = quota.partition(".")
        if family:
            expected |= dict.fromkeys((family, f"{family}_{suffix_of[metric]}", quota), quota)
    return MappingProxyType(expected)
