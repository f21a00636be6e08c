"""The catalogue: everything the program knows about LLMs, GPUs, machines, prices and releases.

Facts are data, in YAML files next to these modules, each with its date and sources;
the functions load one file each, once, into frozen models.
"""

from models.catalog.engine_argument_memory import arguments_by_memory
from models.catalog.gpu_tiers import GpuTier, gpu_tiers
from models.catalog.llms import LlmRow, llms
from models.catalog.machine_types import (
    CUSTOM_MACHINE_TYPE,
    USUAL_BOOT_DISK,
    BootDisk,
    MachineType,
    disk_quotas,
    machine_type,
    machine_types,
    why_no_machine_type,
)
from models.catalog.prices import HourlyPrice, PriceList, prices
from models.catalog.quota_metrics import (
    CPUS_ALL_REGIONS,
    GPUS_ALL_REGIONS,
    QUOTA_DIMENSIONS,
    SSD_TOTAL_GB,
    gpu_quotas,
    metrics_counted_by_family,
    quota_families,
    quota_in_words,
    quota_keys,
    quota_metrics,
)
from models.catalog.release_number import release_number
from models.catalog.releases import (
    DEFAULT_KUBERAY,
    DEFAULT_RAY,
    KubeRayRelease,
    RayRelease,
    kuberay_releases,
    nearest_ray,
    oldest_ray,
    ray_releases,
    ray_service_name_limit,
)
from models.catalog.replacing_fields import REPLACING_POOL_FIELDS
from models.catalog.vllm_behaviour import VllmBehaviour, behaviour_rows, vllm_behaviour
from models.catalog.vllm_release import (
    EngineArgument,
    QuantizationMethod,
    argument_bounds,
    closed_values,
    engine_arguments,
    float16_refused,
    front_end_arguments,
    quantization_methods,
    serving_arguments,
    supported_architectures,
    vllm_versions,
)
from models.catalog.zones import Region, regions, zone_table, zones_with

__all__ = [
    "CPUS_ALL_REGIONS",
    "CUSTOM_MACHINE_TYPE",
    "DEFAULT_KUBERAY",
    "DEFAULT_RAY",
    "GPUS_ALL_REGIONS",
    "QUOTA_DIMENSIONS",
    "REPLACING_POOL_FIELDS",
    "SSD_TOTAL_GB",
    "USUAL_BOOT_DISK",
    "BootDisk",
    "EngineArgument",
    "GpuTier",
    "HourlyPrice",
    "KubeRayRelease",
    "LlmRow",
    "MachineType",
    "PriceList",
    "QuantizationMethod",
    "RayRelease",
    "Region",
    "VllmBehaviour",
    "argument_bounds",
    "arguments_by_memory",
    "behaviour_rows",
    "closed_values",
    "disk_quotas",
    "engine_arguments",
    "float16_refused",
    "front_end_arguments",
    "gpu_quotas",
    "gpu_tiers",
    "kuberay_releases",
    "llms",
    "machine_type",
    "machine_types",
    "metrics_counted_by_family",
    "nearest_ray",
    "oldest_ray",
    "prices",
    "quantization_methods",
    "quota_families",
    "quota_in_words",
    "quota_keys",
    "quota_metrics",
    "ray_releases",
    "ray_service_name_limit",
    "regions",
    "release_number",
    "serving_arguments",
    "supported_architectures",
    "vllm_behaviour",
    "vllm_versions",
    "why_no_machine_type",
    "zone_table",
    "zones_with",
]
