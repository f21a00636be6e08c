"""The catalogue: everything the program knows about LLMs, GPUs, machines, prices and releases.

Facts are data, in YAML files beside these modules, each with its date and sources;
the functions load one file each, once, into frozen models.
"""

from models.catalog.gpu_tiers import GpuTier, gpu_tiers
from models.catalog.llms import LlmRow, llms
from models.catalog.machine_types import MachineType, machine_types
from models.catalog.prices import HourlyPrice, PriceList, prices
from models.catalog.release_number import release_number
from models.catalog.releases import (
    DEFAULT_KUBERAY,
    DEFAULT_RAY,
    KubeRayRelease,
    RayRelease,
    kuberay_releases,
    oldest_ray,
    ray_releases,
)
from models.catalog.vllm_behaviour import VllmBehaviour, behaviour_rows, vllm_behaviour
from models.catalog.vllm_release import (
    EngineArgument,
    QuantizationMethod,
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
    "DEFAULT_KUBERAY",
    "DEFAULT_RAY",
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
    "behaviour_rows",
    "engine_arguments",
    "float16_refused",
    "front_end_arguments",
    "gpu_tiers",
    "kuberay_releases",
    "llms",
    "machine_types",
    "oldest_ray",
    "prices",
    "quantization_methods",
    "ray_releases",
    "regions",
    "release_number",
    "serving_arguments",
    "supported_architectures",
    "vllm_behaviour",
    "vllm_versions",
    "zone_table",
    "zones_with",
]
