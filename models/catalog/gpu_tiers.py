"""GPU tiers: a GPU model and how many of them one machine carries (`l4`, `l4-x2`).

Rows are in gpu_tiers.yaml, one for each GPU model; this module makes a tier of each count.
The first machine of a count is the tier's default.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal

from annotated_types import Gt

from models.catalog import data_file
from models.facts import Facts

Provisioning = Literal["on-demand", "spot", "flex-start"]


class GpuTier(Facts):
    """One GPU tier.

    `gpu_memory_gib` is what the driver shows per GPU, below the nominal size.
    The quota metrics are the Compute Engine region quotas that its GPUs count against.
    """

    id: str
    gpu: str
    gpu_name: str
    gpu_count: Annotated[int, Gt(0)]
    accelerator_type: str
    gpu_memory_gib: Annotated[float, Gt(0)]
    compute_capability: tuple[int, int]
    machine_type: str
    machine_types: tuple[str, ...]
    provisioning: frozenset[Provisioning]
    quota_metric: str
    spot_quota_metric: str

    @property
    def capability(self) -> int:
        """The compute capability as vLLM writes it: 75 for 7.5."""
        return self.compute_capability[0] * 10 + self.compute_capability[1]

    @property
    def has_bfloat16(self) -> bool:
        """Whether it computes in bfloat16: since Ampere (CUDA C++ programming guide)."""
        return self.compute_capability >= (8, 0)


@cache
def gpu_tiers() -> Mapping[str, GpuTier]:
    """Return every GPU tier by id."""
    tiers = (
        _tier(gpu, count, machines)
        for gpu in data_file.read("gpu_tiers.yaml")["gpus"]
        for count, machines in gpu["machines"].items()
    )
    return MappingProxyType({tier.id: tier for tier in tiers})


def _tier(gpu: Mapping[str, Any], count: int, machines: list[str]) -> GpuTier:
    provisioning = gpu.get("provisioning_of_count", {}).get(count, gpu["provisioning"])
    return GpuTier(
        id=gpu["gpu"] if count == 1 else f"{gpu['gpu']}-x{count}",
        gpu=gpu["gpu"],
        gpu_name=gpu["gpu_name"],
        gpu_count=count,
        accelerator_type=gpu["accelerator_type"],
        gpu_memory_gib=gpu["gpu_memory_gib"],
        compute_capability=tuple(gpu["compute_capability"]),
        machine_type=machines[0],
        machine_types=tuple(machines),
        provisioning=frozenset(provisioning),
        quota_metric=gpu["quota"],
        spot_quota_metric=f"PREEMPTIBLE_{gpu['quota']}",
    )
