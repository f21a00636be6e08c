"""The Compute Engine quota metrics that the program compares with a project's limits."""

from typing import Final

from models.catalog.gpu_tiers import gpu_tiers
from models.catalog.machine_types import disk_quotas, machine_types

GPUS_ALL_REGIONS: Final = "GPUS_ALL_REGIONS"
CPUS_ALL_REGIONS: Final = "CPUS_ALL_REGIONS"
SSD_TOTAL_GB: Final = "SSD_TOTAL_GB"


def quota_metrics() -> tuple[str, ...]:
    """Return every metric: of each GPU, of all GPUs, of boot disks, of vCPUs and of all vCPUs."""
    gpus: dict[str, None] = {}
    for tier in gpu_tiers().values():
        gpus |= {tier.quota_metric: None, tier.spot_quota_metric: None}
    disks = dict.fromkeys(metric for metric in disk_quotas().values() if metric)
    vcpus = dict.fromkeys(
        machine.vcpu_quota for machine in machine_types().values() if machine.vcpu_quota
    )
    return (*gpus, GPUS_ALL_REGIONS, *disks, *vcpus, CPUS_ALL_REGIONS)
