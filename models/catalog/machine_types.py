"""Compute Engine machine types that a stack can use, with the boot disk and quota of their series.

Rows are in machine_types.yaml.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from annotated_types import Gt

from models.catalog import data_file
from models.facts import Facts

BootDisk = Literal["pd-balanced", "hyperdisk-balanced"]
USUAL_BOOT_DISK: Final = "pd-balanced"


class MachineType(Facts):
    """One machine type.

    `boot_disk` is the disk type of its nodes. `vcpu_quota` is the Compute Engine quota metric that
    its vCPUs count against; None if only its GPUs are limited.
    """

    id: str
    vcpus: Annotated[int, Gt(0)]
    memory_gib: Annotated[int, Gt(0)]
    boot_disk: BootDisk
    vcpu_quota: str | None


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = data_file.read("machine_types.yaml")
    return data


@cache
def machine_types() -> Mapping[str, MachineType]:
    """Return the machine types by id."""
    return MappingProxyType(
        {
            id_: MachineType(
                id=id_,
                boot_disk=series["boot_disk"],
                vcpu_quota=series.get("vcpu_quota"),
                **row,
            )
            for series in _data()["series"].values()
            for id_, row in series["machine_types"].items()
        }
    )


def disk_quotas() -> Mapping[BootDisk, str | None]:
    """Return the quota metric, in GB, of each boot disk type; None if it is not compared."""
    quotas: dict[BootDisk, str | None] = _data()["disk_quotas"]
    return MappingProxyType(quotas)
