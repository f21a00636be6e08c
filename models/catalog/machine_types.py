"""Compute Engine machine types that a stack can use, with the boot disk and quota of their series.

Rows are in machine_types.yaml, one for each kind of a series; this module makes a type of each
number of vCPUs. Custom types are not listed: `machine_type` reads their size from their name.
"""

import math
import re
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from annotated_types import Gt

from models.catalog import data_file
from models.facts import Facts

BootDisk = Literal["pd-balanced", "hyperdisk-balanced"]
USUAL_BOOT_DISK: Final = "pd-balanced"
CUSTOM_MACHINE_TYPE: Final = r"^(?:[a-z][0-9][a-z]?-)?custom-[0-9]{1,4}-[0-9]{1,8}(?:-ext)?$"
"""The form of a custom machine type; without a series it is N1."""
_CUSTOM: Final = re.compile(
    r"(?:(?P<series>[a-z][0-9][a-z]?)-)?custom-(?P<vcpus>\d{1,4})-(?P<mib>\d{1,8})(?P<extended>-ext)?"
)
_MIB_STEP: Final = 256
_MIB_PER_GIB: Final = 1024


class MachineType(Facts):
    """One machine type.

    `series` is n1 of n1-standard-8. `boot_disk` is the disk type of its nodes. `vcpu_quota` is the
    Compute Engine quota that its vCPUs count against; None if only its GPUs are limited.
    `has_gpus`: whether it comes with GPUs.
    """

    id: str
    series: str
    vcpus: Annotated[int, Gt(0)]
    memory_gib: Annotated[float, Gt(0)]
    boot_disk: BootDisk
    vcpu_quota: str | None
    has_gpus: bool


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = data_file.read("machine_types.yaml")
    return data


@cache
def machine_types() -> Mapping[str, MachineType]:
    """Return the machine types by id, custom ones excluded."""
    return MappingProxyType({machine.id: machine for machine in (*_general(), *_with_gpus())})


def _general() -> Iterable[MachineType]:
    for series, row in _data()["general"].items():
        for kind, sizes in row["kinds"].items():
            exceptions: Mapping[int, float] = sizes.get("memory_gib", {})
            for vcpus in sizes["vcpus"]:
                memory_gib = exceptions.get(vcpus, vcpus * sizes["gib_per_vcpu"])
                whole = row.get("whole_gib", False)
                yield MachineType(
                    id=f"{series}-{kind}-{vcpus}",
                    series=series,
                    vcpus=vcpus,
                    memory_gib=math.floor(memory_gib) if whole else round(memory_gib, 3),
                    boot_disk=row["boot_disk"],
                    vcpu_quota=row["vcpu_quota"],
                    has_gpus=False,
                )


def _with_gpus() -> Iterable[MachineType]:
    for name, row in _data()["with_gpus"].items():
        for id_, size in row["machine_types"].items():
            yield MachineType(
                id=id_,
                series=name.partition("-")[0],
                boot_disk=row["boot_disk"],
                vcpu_quota=None,
                has_gpus=True,
                **size,
            )


# The same machine with local SSDs, which nothing here uses.
_LOCAL_SSD: Final = "-lssd"


@cache
def machine_type(id_: str) -> MachineType | None:
    """Return a machine type, listed or custom; None if Google has no such type."""
    listed = machine_types().get(id_)
    if listed is not None:
        return listed
    without = machine_types().get(id_.removesuffix(_LOCAL_SSD))
    if without is not None and without.series in _data()["local_ssd_series"]:
        return without.model_copy(update={"id": id_})
    match = _CUSTOM.fullmatch(id_)
    if match is None:
        return None
    series = match["series"] or "n1"
    row = _data()["general"].get(series, {})
    vcpus, mib = int(match["vcpus"]), int(match["mib"])
    if "custom" not in row or not _is_sold(row["custom"], vcpus, mib, bool(match["extended"])):
        return None
    return MachineType(
        id=id_,
        series=series,
        vcpus=vcpus,
        memory_gib=mib / _MIB_PER_GIB,
        boot_disk=row["boot_disk"],
        vcpu_quota=row["vcpu_quota"],
        has_gpus=False,
    )


def _is_sold(limits: Mapping[str, Any], vcpus: int, mib: int, extended: bool) -> bool:
    """Whether a custom machine is within its series' limits; extended memory has no upper one."""
    fewest, most = limits["vcpus"]
    least_gib, most_gib = limits["gib_per_vcpu"]
    even = vcpus % 2 == 0 or vcpus == fewest == 1
    in_step = vcpus <= limits["even_until"] or vcpus % limits["step"] == 0
    gib_per_vcpu = mib / _MIB_PER_GIB / max(1, vcpus)
    return (
        fewest <= vcpus <= most
        and even
        and in_step
        and mib % _MIB_STEP == 0
        and least_gib <= gib_per_vcpu
        and (extended or gib_per_vcpu <= most_gib)
    )


def why_no_machine_type(id_: str) -> str:
    """Return what is wrong with the name of a machine type that Google does not have.

    The rest of a sentence that starts with the name. "is not a machine type of the catalogue" if
    nothing more is known.
    """
    series = id_.partition("-")[0]
    if series in _data()["arm_series"]:
        return (
            "has Arm processors, and the images of Ray with vLLM are for x86: their containers "
            "would end with an exec format error"
        )
    match = _CUSTOM.fullmatch(id_)
    if match is None:
        return "is not a machine type of the catalogue"
    series = match["series"] or "n1"
    limits = _data()["general"].get(series, {}).get("custom")
    if limits is None:
        return f"is a custom type, and Google sells none of the series {series.upper()}"
    fewest, most = limits["vcpus"]
    least_gib, most_gib = limits["gib_per_vcpu"]
    numbers = "an even number of" if fewest > 1 else "1 or an even number of"
    steps = (
        f" (multiples of {limits['step']} above {limits['even_until']})"
        if limits["even_until"] < most
        else ""
    )
    return (
        f"is not sold: a custom {series.upper()} machine has {numbers} vCPUs up to {most}{steps}, "
        f"and {least_gib:g} to {most_gib:g} GiB of memory for each in steps of {_MIB_STEP} MiB"
    )


def vcpu_quotas() -> tuple[str, ...]:
    """Return the quotas of vCPUs, each once."""
    return tuple(dict.fromkeys(row["vcpu_quota"] for row in _data()["general"].values()))


def disk_quotas() -> Mapping[BootDisk, str | None]:
    """Return the quota metric, in GB, of each boot disk type; None if it is not compared."""
    quotas: dict[BootDisk, str | None] = _data()["disk_quotas"]
    return MappingProxyType(quotas)
