"""GPU tiers: a GPU model and how many of them one machine carries (`l4`, `l4-x2`).

Rows are in gpu_tiers.yaml, one for each GPU model; this module makes a tier of each count.
The first machine of a count is the tier's default. T4s are attached to N1 machines of any type,
custom ones included, within Google's limits for their number; all others come with their machines.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Literal

from annotated_types import Gt

from models.catalog import data_file
from models.catalog.machine_types import MachineType, machine_types
from models.facts import Facts

Provisioning = Literal["on-demand", "spot", "flex-start", "reservation"]


class AttachedTo(Facts):
    """The machines to which a number of GPUs can be attached: these series, up to a size."""

    series: tuple[str, ...]
    max_vcpus: Annotated[int, Gt(0)]
    max_memory_gib: Annotated[int, Gt(0)]

    def takes(self, machine: MachineType) -> bool:
        """Whether the GPUs can be attached to this machine."""
        return (
            machine.series in self.series
            and machine.vcpus <= self.max_vcpus
            and machine.memory_gib <= self.max_memory_gib
        )


class GpuTier(Facts):
    """One GPU tier.

    `gpu_memory_gib` is what the driver shows per GPU, below the nominal size.
    `taint` is what its nodes are tainted with; GPUs whose machines look equal to Ray share one,
    because KubeRay ignores a toleration that changes alone.
    `machine_types` are the listed types that carry its GPUs. `attached_to` is None if the GPUs
    come with the machine.
    The quotas are those of the region that its GPUs count against, as `quota_metrics` writes them.
    """

    id: str
    gpu: str
    taint: str
    gpu_name: str
    gpu_count: Annotated[int, Gt(0)]
    accelerator_type: str
    gpu_memory_gib: Annotated[float, Gt(0)]
    compute_capability: tuple[int, int]
    machine_type: str
    machine_types: tuple[str, ...]
    attached_to: AttachedTo | None
    provisioning: frozenset[Provisioning]
    quota_metric: str
    spot_quota_metric: str

    def carried_by(self, machine: MachineType) -> bool:
        """Whether a machine, listed or custom, carries its GPUs."""
        attached = self.attached_to is not None and self.attached_to.takes(machine)
        return attached or machine.id in self.machine_types

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
    attached_to = _attached_to(gpu["attached"], count) if "attached" in gpu else None
    if attached_to is not None:
        takers = [id_ for id_, machine in machine_types().items() if attached_to.takes(machine)]
        machines = list(dict.fromkeys((*machines, *takers)))
    return GpuTier(
        id=gpu["gpu"] if count == 1 else f"{gpu['gpu']}-x{count}",
        gpu=gpu["gpu"],
        taint=gpu.get("taint", gpu["gpu"]),
        gpu_name=gpu["gpu_name"],
        gpu_count=count,
        accelerator_type=gpu["accelerator_type"],
        gpu_memory_gib=gpu["gpu_memory_gib"],
        compute_capability=tuple(gpu["compute_capability"]),
        machine_type=machines[0],
        machine_types=tuple(machines),
        attached_to=attached_to,
        provisioning=frozenset(provisioning),
        quota_metric=gpu["quota"],
        spot_quota_metric=gpu["spot_quota"],
    )


def _attached_to(row: Mapping[str, Any], count: int) -> AttachedTo:
    return AttachedTo(
        series=tuple(row["series"]),
        max_vcpus=row["max_vcpus"][count],
        max_memory_gib=row["max_memory_gib"][count],
    )
