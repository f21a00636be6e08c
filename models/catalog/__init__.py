"""The catalogue: everything the program knows about LLMs, GPUs, machines, prices and releases.

Facts are data, in YAML files next to these modules, each with its date and sources;
the functions load one file each, once, into frozen models.
"""

from models.catalog.engine_argument_memory import arguments_by_memory
from models.catalog.gated_repositories import Gating, gating
from models.catalog.gpu_tiers import GpuTier, gpu_tiers
from models.catalog.llms import LlmRow, llms
from models.catalog.machine_types import (
    USUAL_BOOT_DISK,
    BootDisk,
    MachineType,
    disk_quotas,
    machine_types,
)
from models.catalog.prices import HourlyPrice, PriceList, prices
from models.catalog.quota_metrics import (
    CPUS_ALL_REGIONS,
    GPUS_ALL_REGIONS,
    SSD_TOTAL_GB,
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
    QuantizationTakeover,
    WeightLimits,
    argument_bounds,
    closed_values,
    compressed_tensors_schemes,
    engine_arguments,
    float16_refused,
    front_end_arguments,
    modelopt_algorithms,
    modelopt_file_algorithms,
    multimodal_architectures,
    quantization_files,
    quantization_methods,
    quantization_takeovers,
    quantize_while_loading,
    serving_arguments,
    supported_architectures,
    vllm_versions,
    weight_limits,
)
from models.catalog.zones import Region, regions, zone_table, zones_with

__all__ = [
    "CPUS_ALL_REGIONS",
    "DEFAULT_KUBERAY",
    "DEFAULT_RAY",
    "GPUS_ALL_REGIONS",
    "REPLACING_POOL_FIELDS",
    "SSD_TOTAL_GB",
    "USUAL_BOOT_DISK",
    "BootDisk",
    "EngineArgument",
    "Gating",
    "GpuTier",
    "HourlyPrice",
    "KubeRayRelease",
    "LlmRow",
    "MachineType",
    "PriceList",
    "QuantizationMethod",
    "QuantizationTakeover",
    "RayRelease",
    "Region",
    "VllmBehaviour",
    "WeightLimits",
    "argument_bounds",
    "arguments_by_memory",
    "behaviour_rows",
    "closed_values",
    "compressed_tensors_schemes",
    "disk_quotas",
    "engine_arguments",
    "float16_refused",
    "front_end_arguments",
    "gating",
    "gpu_tiers",
    "kuberay_releases",
    "llms",
    "machine_types",
    "modelopt_algorithms",
    "modelopt_file_algorithms",
    "multimodal_architectures",
    "nearest_ray",
    "oldest_ray",
    "prices",
    "quantization_files",
    "quantization_methods",
    "quantization_takeovers",
    "quantize_while_loading",
    "quota_metrics",
    "ray_releases",
    "ray_service_name_limit",
    "regions",
    "release_number",
    "serving_arguments",
    "supported_architectures",
    "vllm_behaviour",
    "vllm_versions",
    "weight_limits",
    "zone_table",
    "zones_with",
]
